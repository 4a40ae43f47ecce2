import type { ServerResponse } from 'node:http';
import {
  Body,
  Controller,
  Get,
  Headers,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Req,
  Res,
  UseInterceptors,
} from '@nestjs/common';
import type { ApprovalPolicy } from '@cadastre/core';
import { CadastreError, Field, printable, readPolicy } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import type { z } from 'zod';
import type { IdentifiedRequest } from '../access/identify.js';
import type { Act, OperationsPort } from '../operations/ports.js';
import { manualMoves } from '../operations/requested-moves.js';
import { check, CheckPipe } from './check-body.js';
import type { EventStream } from './event-stream.js';
import { heatJson } from './heat.codec.js';
import { keyOf, locatedJson } from './locate.codec.js';
import { Idempotency } from './idempotency.js';
import { openApiDocument } from './openapi.js';
import { approvalPolicyJson, auditEntryJson, auditVerdictJson, drainJson, freezeJson } from './operator.codec.js';
import { policyReplyJson, scoreJson, whyJson } from './planning.codec.js';
import * as schemas from './schemas.js';
import { EVENTS, OPERATIONS } from './tokens.js';
import {
  keyspaceJson,
  nodeJson,
  partitionPageJson,
  planJson,
  reportJson,
  settingsJson,
  specOf,
  statusJson,
} from './views.codec.js';

type Output<Schema extends z.ZodType> = z.output<Schema>;

interface Acted {
  readonly actor: string;
  readonly reason?: string | undefined;
}

/** @param ifMatch the ETag that the caller has read */
const actOf = ({ actor, reason }: Acted, ifMatch?: string): Act => ({
  actor,
  ...(reason !== undefined && { reason }),
  ...(ifMatch !== undefined && { expected: ifMatch.replace(/^(W\/)?"(.*)"$/, '$2') }),
});

const tagged = <T extends { readonly version: string }>(response: ServerResponse, json: T): T => {
  response.setHeader('etag', `"${json.version}"`);
  return json;
};

/** Without what was left out. */
const given = <T extends object>(change: T) =>
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };

const PLAN_ACTIONS: readonly string[] = ['approve', 'reject', 'pause', 'resume', 'cancel'];

const pageOf = <T>(all: readonly T[], from: number, limit: number) => ({
  page: all.slice(from, from + limit),
  next: from + limit < all.length ? { next: from + limit } : {},
});

const proposeJson = ({ plan, nothingBecause = '', scores = [] }: Wire.ProposePlanReply) => ({
  plan: plan ? planJson(plan) : null,
  nothingBecause,
  scores: scores.map(scoreJson),
});

@Controller('api/v1')
@UseInterceptors(Idempotency)
export class ApiController {
  constructor(
    @Inject(OPERATIONS) private readonly operations: OperationsPort,
    @Inject(EVENTS) private readonly stream: EventStream,
  ) {}

  @Get('status')
  status() {
    return statusJson(this.operations.status());
  }

  @Get('keyspaces')
  listKeyspaces() {
    return { keyspaces: this.operations.listKeyspaces().map(keyspaceJson) };
  }

  @Get('keyspaces/:name')
  getKeyspace(@Param('name') name: string) {
    return keyspaceJson(this.operations.getKeyspace(name, false));
  }

  @Get('keyspaces/:name/partitions')
  listPartitions(
    @Param('name') name: string,
    @Query(new CheckPipe(schemas.PageQuery)) query: Output<typeof schemas.PageQuery>,
  ) {
    return partitionPageJson(this.operations.getKeyspace(name, true), query.from, query.limit);
  }

  @Get('keyspaces/:name/heat')
  heat(
    @Param('name') keyspace: string,
    @Query(new CheckPipe(schemas.HeatQuery)) query: Output<typeof schemas.HeatQuery>,
  ) {
    return heatJson(this.operations.heat({ keyspace, ...query }));
  }

  @Get('keyspaces/:name/locate')
  locate(
    @Param('name') name: string,
    @Query(new CheckPipe(schemas.LocateQuery)) { key, encoding }: Output<typeof schemas.LocateQuery>,
  ) {
    return locatedJson(this.operations.getKeyspace(name, true), keyOf(key, encoding));
  }

  @Get('keyspaces/:name/partitions/:partition/why/:node')
  why(
    @Param('name') keyspace: string,
    @Param(new CheckPipe(schemas.PartitionParam)) { partition }: Output<typeof schemas.PartitionParam>,
    @Param('node') node: string,
  ) {
    return whyJson(this.operations.why(keyspace, partition, node));
  }

  @Get('keyspaces/:name/policy')
  getPolicy(@Param('name') name: string, @Res({ passthrough: true }) response: ServerResponse) {
    return tagged(response, policyReplyJson(this.operations.getPolicy(name)));
  }

  @Post('keyspaces/:name/policy')
  @HttpCode(200)
  async setPolicy(
    @Param('name') name: string,
    @Body(new CheckPipe(schemas.PolicyRequest)) body: Output<typeof schemas.PolicyRequest>,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) response: ServerResponse,
  ) {
    const policy = readPolicy(new Field(body.policy, 'policy'));
    return tagged(response, policyReplyJson(await this.operations.setPolicy(name, policy, actOf(body, ifMatch))));
  }

  @Get('policy')
  getClusterPolicy(@Res({ passthrough: true }) response: ServerResponse) {
    return tagged(response, policyReplyJson(this.operations.getPolicy('')));
  }

  @Post('policy')
  @HttpCode(200)
  async setClusterPolicy(
    @Body(new CheckPipe(schemas.PolicyRequest)) body: Output<typeof schemas.PolicyRequest>,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) response: ServerResponse,
  ) {
    const policy = readPolicy(new Field(body.policy, 'policy'));
    return tagged(response, policyReplyJson(await this.operations.setPolicy('', policy, actOf(body, ifMatch))));
  }

  @Post('keyspaces')
  async createKeyspace(
    @Body(new CheckPipe(schemas.CreateKeyspaceRequest)) body: Output<typeof schemas.CreateKeyspaceRequest>,
  ) {
    return keyspaceJson(await this.operations.createKeyspace(specOf(body), actOf(body)));
  }

  @Post('keyspaces/:name/drop')
  @HttpCode(200)
  async dropKeyspace(
    @Param('name') keyspace: string,
    @Body(new CheckPipe(schemas.DropKeyspaceRequest)) body: Output<typeof schemas.DropKeyspaceRequest>,
  ) {
    const { partitions = 0 } = await this.operations.dropKeyspace(keyspace, body.confirm, actOf(body));
    return { keyspace, partitions };
  }

  @Post('unfreeze')
  @HttpCode(200)
  async unfreeze(@Body(new CheckPipe(schemas.UnfreezeRequest)) body: Output<typeof schemas.UnfreezeRequest>) {
    const { nodes = [], by = '' } = await this.operations.unfreeze(actOf(body), body.by);
    return { nodes, by };
  }

  @Post('freeze')
  @HttpCode(200)
  async freeze(@Body(new CheckPipe(schemas.ActRequest)) body: Output<typeof schemas.ActRequest>) {
    const { freezes = [] } = await this.operations.freeze(actOf(body));
    return { freezes: freezes.map(freezeJson) };
  }

  @Get('approval-policy')
  approvalPolicy(@Res({ passthrough: true }) response: ServerResponse) {
    return tagged(response, approvalPolicyJson(this.operations.approvalPolicy()));
  }

  @Post('approval-policy')
  @HttpCode(200)
  async setApprovalPolicy(
    @Body(new CheckPipe(schemas.ApprovalPolicyRequest)) body: Output<typeof schemas.ApprovalPolicyRequest>,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) response: ServerResponse,
  ) {
    const policy = { ...body.policy, rules: body.policy.rules.map(given) } as ApprovalPolicy;
    return tagged(response, approvalPolicyJson(await this.operations.setApprovalPolicy(policy, actOf(body, ifMatch))));
  }

  @Get('audit')
  async listAudit(@Query(new CheckPipe(schemas.AuditQuery)) query: Output<typeof schemas.AuditQuery>) {
    const { entries = [], next = 0 } = await this.operations.listAudit(query);
    return { entries: entries.map(auditEntryJson), ...(Number(next) > 0 && { next: Number(next) }) };
  }

  /** Looks, and changes nothing; it is a POST for the checkpoints that it takes. */
  @Post('audit/verify')
  @HttpCode(200)
  async verifyAudit(@Body(new CheckPipe(schemas.VerifyAuditRequest)) body: Output<typeof schemas.VerifyAuditRequest>) {
    return auditVerdictJson(await this.operations.verifyAudit(body.checkpoints));
  }

  @Get('settings')
  settings(@Res({ passthrough: true }) response: ServerResponse) {
    return tagged(response, settingsJson(this.operations.settings()));
  }

  @Post('settings')
  @HttpCode(200)
  async changeSettings(
    @Body(new CheckPipe(schemas.SettingsRequest)) body: Output<typeof schemas.SettingsRequest>,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) response: ServerResponse,
  ) {
    const { actor, reason, ...change } = body;
    const act = actOf({ actor, reason }, ifMatch);
    return tagged(response, settingsJson(await this.operations.changeSettings(given(change), act)));
  }

  @Get('nodes')
  listNodes(@Query(new CheckPipe(schemas.PageQuery)) { from, limit }: Output<typeof schemas.PageQuery>) {
    const { page, next } = pageOf(this.operations.listNodes(), from, limit);
    return { nodes: page.map(nodeJson), ...next };
  }

  @Get('nodes/:id/drain')
  drain(@Param('id') id: string) {
    return drainJson(this.operations.drain(id));
  }

  @Post('nodes/:id/drain')
  @HttpCode(200)
  async drainNode(
    @Param('id') id: string,
    @Body(new CheckPipe(schemas.DrainRequest)) body: Output<typeof schemas.DrainRequest>,
  ) {
    return nodeJson(await this.operations.drainNode(id, body.undo, actOf(body)));
  }

  @Get('plans')
  listPlans(@Query(new CheckPipe(schemas.PageQuery)) { from, limit }: Output<typeof schemas.PageQuery>) {
    const { page, next } = pageOf(this.operations.listPlans(), from, limit);
    return { plans: page.map(planJson), ...next };
  }

  @Post('plans/cancel-all')
  @HttpCode(200)
  async cancelAll(@Body(new CheckPipe(schemas.ActRequest)) body: Output<typeof schemas.ActRequest>) {
    const { plans = [] } = await this.operations.cancelAll(actOf(body));
    return { plans: plans.map(planJson) };
  }

  @Get('plans/:id/report')
  report(@Param('id') id: string) {
    return reportJson(this.operations.report(id));
  }

  @Post('plans/:id/undo')
  @HttpCode(200)
  async undo(
    @Param('id') id: string,
    @Body(new CheckPipe(schemas.ActRequest)) body: Output<typeof schemas.ActRequest>,
  ) {
    return proposeJson(await this.operations.undoPlan(id, actOf(body)));
  }

  @Post('plans')
  @HttpCode(200)
  async proposePlan(@Body(new CheckPipe(schemas.ProposeRequest)) body: Output<typeof schemas.ProposeRequest>) {
    return proposeJson(await this.operations.proposePlan(body.keyspaces, actOf(body), manualMoves(body.moves)));
  }

  @Get('plans/:id')
  getPlan(@Param('id') id: string) {
    return planJson(this.operations.getPlan(id));
  }

  @Post('plans/:id/:action')
  @HttpCode(200)
  async actOnPlan(@Param('id') id: string, @Param('action') action: string, @Body() raw: unknown) {
    if (!PLAN_ACTIONS.includes(action)) {
      throw new CadastreError('NOT_FOUND', `"${printable(action)}" is no act on a plan`, {
        field: 'action',
        remedy: `use one of ${PLAN_ACTIONS.join(', ')}`,
      });
    }
    if (action === 'approve') {
      const body = check(schemas.ApproveRequest, raw);
      const broken = body.breakGlass && { breakGlassMs: body.breakGlassMs };
      return planJson(await this.operations.actOnPlan({ id, action, digest: body.digest, ...actOf(body), ...broken }));
    }
    return planJson(await this.operations.actOnPlan({ id, action, ...actOf(check(schemas.ActRequest, raw)) }));
  }

  @Get('events')
  events(@Req() request: IdentifiedRequest, @Res() response: ServerResponse): void {
    const { identity } = request;
    const caller = identity.requireLook(request.caller);
    const { subject, grants } = caller.principal;
    this.stream.serve(request, response, {
      isAllowed: () => identity.stillHolds(caller),
      key: JSON.stringify([subject, grants]),
      operations: identity.operationsFor(caller),
    });
  }
}

@Controller('api')
export class OpenApiController {
  @Get('openapi.json')
  document() {
    return openApiDocument();
  }
}
