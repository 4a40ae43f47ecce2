import type { ServerResponse } from 'node:http';
import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { CadastreError, Field, printable, readPolicy } from '@cadastre/core';
import type { z } from 'zod';
import type { IdentifiedRequest } from '../access/identify.js';
import type { Act, OperationsPort } from '../operations/ports.js';
import { check, CheckPipe } from './check-body.js';
import type { EventStream } from './event-stream.js';
import { keyOf, locatedJson } from './locate.codec.js';
import { openApiDocument } from './openapi.js';
import { policyReplyJson, scoreJson, whyJson } from './planning.codec.js';
import * as schemas from './schemas.js';
import { EVENTS, OPERATIONS } from './tokens.js';
import {
  keyspaceJson,
  nodeJson,
  partitionPageJson,
  planJson,
  settingsJson,
  specOf,
  statusJson,
} from './views.codec.js';

type Output<Schema extends z.ZodType> = z.output<Schema>;

const actOf = ({ actor, reason }: { readonly actor: string; readonly reason?: string | undefined }): Act =>
  reason === undefined ? { actor } : { actor, reason };

/** Without what was left out. */
const given = <T extends object>(change: T) =>
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };

const PLAN_ACTIONS: readonly string[] = ['approve', 'reject', 'pause', 'resume', 'cancel'];

@Controller('api/v1')
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
  getPolicy(@Param('name') name: string) {
    return policyReplyJson(this.operations.getPolicy(name));
  }

  @Post('keyspaces/:name/policy')
  @HttpCode(200)
  async setPolicy(
    @Param('name') name: string,
    @Body(new CheckPipe(schemas.PolicyRequest)) body: Output<typeof schemas.PolicyRequest>,
  ) {
    const policy = readPolicy(new Field(body.policy, 'policy'));
    return policyReplyJson(await this.operations.setPolicy(name, policy, actOf(body)));
  }

  @Get('policy')
  getClusterPolicy() {
    return policyReplyJson(this.operations.getPolicy(''));
  }

  @Post('policy')
  @HttpCode(200)
  async setClusterPolicy(@Body(new CheckPipe(schemas.PolicyRequest)) body: Output<typeof schemas.PolicyRequest>) {
    const policy = readPolicy(new Field(body.policy, 'policy'));
    return policyReplyJson(await this.operations.setPolicy('', policy, actOf(body)));
  }

  @Post('keyspaces')
  async createKeyspace(
    @Body(new CheckPipe(schemas.CreateKeyspaceRequest)) body: Output<typeof schemas.CreateKeyspaceRequest>,
  ) {
    return keyspaceJson(await this.operations.createKeyspace(specOf(body), actOf(body)));
  }

  @Post('unfreeze')
  @HttpCode(200)
  async unfreeze(@Body(new CheckPipe(schemas.ActRequest)) body: Output<typeof schemas.ActRequest>) {
    const { nodes = [] } = await this.operations.unfreeze(actOf(body));
    return { nodes };
  }

  @Get('settings')
  settings() {
    return settingsJson(this.operations.settings());
  }

  @Post('settings')
  @HttpCode(200)
  async changeSettings(@Body(new CheckPipe(schemas.SettingsRequest)) body: Output<typeof schemas.SettingsRequest>) {
    const { actor, reason, ...change } = body;
    return settingsJson(await this.operations.changeSettings(given(change), actOf({ actor, reason })));
  }

  @Get('nodes')
  listNodes() {
    return { nodes: this.operations.listNodes().map(nodeJson) };
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
  listPlans() {
    return { plans: this.operations.listPlans().map(planJson) };
  }

  @Post('plans')
  @HttpCode(200)
  async proposePlan(@Body(new CheckPipe(schemas.ProposeRequest)) body: Output<typeof schemas.ProposeRequest>) {
    const { plan, nothingBecause = '', scores = [] } = await this.operations.proposePlan(body.keyspaces, actOf(body));
    return { plan: plan ? planJson(plan) : null, nothingBecause, scores: scores.map(scoreJson) };
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
      return planJson(await this.operations.actOnPlan({ id, action, digest: body.digest, ...actOf(body) }));
    }
    return planJson(await this.operations.actOnPlan({ id, action, ...actOf(check(schemas.ActRequest, raw)) }));
  }

  @Get('events')
  events(@Req() request: IdentifiedRequest, @Res() response: ServerResponse): void {
    const { identity } = request;
    const caller = identity.requireLook(request.caller);
    this.stream.serve(request, response, () => identity.stillHolds(caller));
  }
}

@Controller('api')
export class OpenApiController {
  @Get('openapi.json')
  document() {
    return openApiDocument();
  }
}
