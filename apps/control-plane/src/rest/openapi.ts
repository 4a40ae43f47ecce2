import { z } from 'zod';
import * as schemas from './schemas.js';

interface Route {
  readonly method: 'get' | 'post';
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  readonly body?: z.ZodType;
  readonly query?: z.ZodObject;
  readonly status?: 200 | 201;
  readonly reply: z.ZodType;
  readonly replyType?: string;
}

const act = (verb: string, summary: string): Route => ({
  method: 'post',
  path: `/api/v1/plans/{id}/${verb}`,
  id: `${verb}Plan`,
  summary,
  body: verb === 'approve' ? schemas.ApproveRequest : schemas.ActRequest,
  reply: schemas.Plan,
});

/** Every route of the API; a test holds it against what the server answers. */
export const ROUTES: readonly Route[] = [
  {
    method: 'get',
    path: '/api/v1/status',
    id: 'getStatus',
    summary: 'How the cluster is, in numbers and one sentence',
    reply: schemas.Status,
  },
  {
    method: 'get',
    path: '/api/v1/keyspaces',
    id: 'listKeyspaces',
    summary: 'All keyspaces',
    reply: schemas.KeyspaceList,
  },
  {
    method: 'post',
    path: '/api/v1/keyspaces',
    id: 'createKeyspace',
    summary: 'Make a keyspace and place it',
    body: schemas.CreateKeyspaceRequest,
    status: 201,
    reply: schemas.Keyspace,
  },
  {
    method: 'get',
    path: '/api/v1/keyspaces/{name}',
    id: 'getKeyspace',
    summary: 'One keyspace',
    reply: schemas.Keyspace,
  },
  {
    method: 'get',
    path: '/api/v1/keyspaces/{name}/partitions',
    id: 'listPartitions',
    summary: 'Who holds which partition',
    query: schemas.PageQuery,
    reply: schemas.PartitionPage,
  },
  {
    method: 'get',
    path: '/api/v1/keyspaces/{name}/heat',
    id: 'getHeat',
    summary: 'The load of partitions over time, in bins that the server makes, and which are the hottest',
    query: schemas.HeatQuery,
    reply: schemas.Heat,
  },
  {
    method: 'get',
    path: '/api/v1/keyspaces/{name}/locate',
    id: 'locate',
    summary: 'Where a key lives, and by which steps',
    query: schemas.LocateQuery,
    reply: schemas.Located,
  },
  {
    method: 'post',
    path: '/api/v1/keyspaces/{name}/drop',
    id: 'dropKeyspace',
    summary: 'Drop a keyspace and all its data, for ever',
    body: schemas.DropKeyspaceRequest,
    reply: schemas.DropKeyspaceReply,
  },
  {
    method: 'post',
    path: '/api/v1/unfreeze',
    id: 'unfreeze',
    summary: 'Accept the loss of the nodes that are gone, so that automation goes on',
    body: schemas.UnfreezeRequest,
    reply: schemas.UnfreezeReply,
  },
  {
    method: 'post',
    path: '/api/v1/freeze',
    id: 'freeze',
    summary: 'Stop automation: no move begins and nothing is repaired; failover goes on',
    body: schemas.ActRequest,
    reply: schemas.FreezeReply,
  },
  {
    method: 'get',
    path: '/api/v1/approval-policy',
    id: 'getApprovalPolicy',
    summary: 'Who has to approve what, what is approved beforehand, and when plans may run',
    reply: schemas.ApprovalPolicyReply,
  },
  {
    method: 'post',
    path: '/api/v1/approval-policy',
    id: 'setApprovalPolicy',
    summary: 'Another approval policy; If-Match with its ETag makes sure that nobody else changed it',
    body: schemas.ApprovalPolicyRequest,
    reply: schemas.ApprovalPolicyReply,
  },
  {
    method: 'get',
    path: '/api/v1/audit',
    id: 'listAudit',
    summary: 'The audit log, newest first',
    query: schemas.AuditQuery,
    reply: schemas.AuditPage,
  },
  {
    method: 'post',
    path: '/api/v1/audit/verify',
    id: 'verifyAudit',
    summary: 'Recompute the chain of hashes and compare it with exported checkpoints',
    body: schemas.VerifyAuditRequest,
    reply: schemas.AuditVerdict,
  },
  {
    method: 'get',
    path: '/api/v1/settings',
    id: 'getSettings',
    summary: 'How much automation may do, and how fast data may move',
    reply: schemas.Settings,
  },
  {
    method: 'post',
    path: '/api/v1/settings',
    id: 'changeSettings',
    summary: 'Change settings; they take effect at once, on running moves too',
    body: schemas.SettingsRequest,
    reply: schemas.Settings,
  },
  {
    method: 'get',
    path: '/api/v1/keyspaces/{name}/partitions/{partition}/why/{node}',
    id: 'why',
    summary: 'Why a partition is on a node, or is not, or will be',
    reply: schemas.Why,
  },
  {
    method: 'get',
    path: '/api/v1/keyspaces/{name}/policy',
    id: 'getPolicy',
    summary: 'Where copies of a keyspace may lie',
    reply: schemas.PolicyReply,
  },
  {
    method: 'post',
    path: '/api/v1/keyspaces/{name}/policy',
    id: 'setPolicy',
    summary: 'Another policy for a keyspace, checked before it is written',
    body: schemas.PolicyRequest,
    reply: schemas.PolicyReply,
  },
  {
    method: 'get',
    path: '/api/v1/policy',
    id: 'getClusterPolicy',
    summary: 'What every keyspace inherits',
    reply: schemas.PolicyReply,
  },
  {
    method: 'post',
    path: '/api/v1/policy',
    id: 'setClusterPolicy',
    summary: 'What every keyspace inherits, checked for all of them before it is written',
    body: schemas.PolicyRequest,
    reply: schemas.PolicyReply,
  },
  {
    method: 'get',
    path: '/api/v1/nodes',
    id: 'listNodes',
    summary: 'All nodes',
    query: schemas.PageQuery,
    reply: schemas.NodeList,
  },
  {
    method: 'get',
    path: '/api/v1/nodes/{id}/drain',
    id: 'getDrain',
    summary: 'Whether a node can be emptied, how far it is, and whether it may be deleted',
    reply: schemas.Drain,
  },
  {
    method: 'post',
    path: '/api/v1/nodes/{id}/drain',
    id: 'drainNode',
    summary: 'Want a node empty, or no longer; a plan then moves its replicas',
    body: schemas.DrainRequest,
    reply: schemas.Node,
  },
  {
    method: 'get',
    path: '/api/v1/plans',
    id: 'listPlans',
    summary: 'All plans, newest first, without moves',
    query: schemas.PageQuery,
    reply: schemas.PlanList,
  },
  {
    method: 'post',
    path: '/api/v1/plans',
    id: 'proposePlan',
    summary: 'Propose a plan; nothing moves until it is approved',
    body: schemas.ProposeRequest,
    reply: schemas.ProposeReply,
  },
  {
    method: 'get',
    path: '/api/v1/plans/{id}',
    id: 'getPlan',
    summary: 'One plan with its moves and their progress; id may be a beginning, or latest',
    reply: schemas.Plan,
  },
  {
    method: 'get',
    path: '/api/v1/plans/{id}/report',
    id: 'getReport',
    summary: 'What was planned, decided and done; never changes once the run has ended',
    reply: schemas.Report,
  },
  {
    method: 'post',
    path: '/api/v1/plans/{id}/undo',
    id: 'undoPlan',
    summary: 'Propose the way back of a run that has ended',
    body: schemas.ActRequest,
    reply: schemas.ProposeReply,
  },
  {
    method: 'post',
    path: '/api/v1/plans/cancel-all',
    id: 'cancelAllPlans',
    summary: 'End every plan that runs or is to run',
    body: schemas.ActRequest,
    reply: schemas.CancelAllReply,
  },
  act('approve', 'Let exactly these moves run'),
  act('reject', 'Refuse the plan'),
  act('pause', 'Begin no further move'),
  act('resume', 'Go on'),
  act('cancel', 'End the run; every partition stays whole'),
  {
    method: 'get',
    path: '/api/v1/events',
    id: 'watchState',
    summary: 'Server-sent events `state`, at most four a second',
    reply: schemas.StateEvent,
    replyType: 'text/event-stream',
  },
];

type Json = Record<string, unknown>;

const components = (io: 'input' | 'output'): Json => {
  const registry = z.registry<{ id: string }>();
  for (const schema of Object.values(schemas)) {
    const meta = schema instanceof z.ZodType ? z.globalRegistry.get(schema) : undefined;
    if (schema instanceof z.ZodType && meta?.id) registry.add(schema, { ...meta, id: meta.id });
  }
  const { schemas: printed } = z.toJSONSchema(registry, {
    io,
    target: 'draft-2020-12',
    uri: (id) => `#/components/schemas/${id}`,
  });
  return Object.fromEntries(
    Object.entries(printed).map(([id, { $id: _id, $schema: _schema, id: _ownId, ...schema }]) => [id, schema]),
  );
};

const ref = (schema: z.ZodType): Json => ({ $ref: `#/components/schemas/${z.globalRegistry.get(schema)?.id ?? ''}` });

const pathParameters = (path: string): Json[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));

const queryParameters = (query: z.ZodObject | undefined): Json[] => {
  if (!query) return [];
  const { properties = {} } = z.toJSONSchema(query, { io: 'output' });
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', required: false, schema }));
};

const operation = (route: Route): Json => ({
  operationId: route.id,
  summary: route.summary,
  parameters: [...pathParameters(route.path), ...queryParameters(route.query)],
  ...(route.body && { requestBody: { required: true, content: { 'application/json': { schema: ref(route.body) } } } }),
  responses: {
    [String(route.status ?? 200)]: {
      description: 'Done',
      content: { [route.replyType ?? 'application/json']: { schema: ref(route.reply) } },
    },
    default: {
      description: 'Refused or failed',
      content: { 'application/problem+json': { schema: ref(schemas.Problem) } },
    },
  },
});

let document: Json | undefined;

/** OpenAPI 3.1, printed from the same schemas that check requests. */
export const openApiDocument = (): Json => {
  if (document) return document;
  const paths: Record<string, Json> = {};
  for (const route of ROUTES) (paths[route.path] ??= {})[route.method] = operation(route);
  document = {
    openapi: '3.1.1',
    info: { title: 'Cadastre', version: '1', license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    paths,
    components: { schemas: components('input') },
  };
  return document;
};
