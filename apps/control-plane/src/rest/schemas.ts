import { CHECK_VERDICTS, LIMITS, RANGE_HASHES, RING_HASHES, SLOT_HASHES, WHY_VERDICTS } from '@cadastre/core';
import { z } from 'zod';

/** The one source of what REST takes and gives: requests are checked against these, OpenAPI is printed from them. */
const name = z.string().min(1).max(63);
const actor = z
  .string()
  .trim()
  .max(128)
  .default('')
  .meta({ description: 'Who acts; kept in the audit log. Needed where access is open, else it is who signed in.' });
const reason = z.string().max(LIMITS.reasonCharsMax).optional().meta({ description: 'Why; kept in the audit log.' });
const count = z.int().min(0);
const id = z.string();

export const Generation = z
  .strictObject({ incarnation: count, number: count })
  .meta({ id: 'Generation', description: 'Version of a keyspace map: totally ordered, never goes back.' });

const version = z.int().min(1).optional().meta({ description: 'Rises by one with each change of the partitioning.' });
const partitions = z.int().min(1).max(LIMITS.partitionsMax);
const encoding = z.enum(['utf8', 'base64']).default('utf8').meta({ description: 'Of the bytes in this object.' });
const spread = z.int().min(1).max(LIMITS.partitionsMax).optional();

const compound = z
  .union([
    z.strictObject({ separator: z.string().min(1), encoding }),
    z.strictObject({ lengthPrefixBytes: z.union([z.literal(1), z.literal(2), z.literal(4)]) }),
  ])
  .optional()
  .meta({ description: 'Where the first component of a key ends; only that is hashed.' });

const plainSchemes = [
  z.strictObject({
    kind: z.literal('hash-slots'),
    slots: partitions,
    hash: z.enum(SLOT_HASHES).default('murmur3'),
    hashTags: z
      .boolean()
      .default(false)
      .meta({ description: 'Hash only what stands between the first { and the next }.' }),
    compound,
    routingSlots: partitions.optional(),
    routingPartitionSize: partitions.optional(),
    bucket: z.string().min(1).optional(),
    bucketType: z.string().min(1).optional(),
    version,
  }),
  z.strictObject({
    kind: z.literal('hash-range'),
    hash: z.enum(RANGE_HASHES),
    partitions,
    splitPoints: z
      .array(z.string())
      .max(LIMITS.partitionsMax)
      .optional()
      .meta({ description: 'Decimal tokens, ascending, one fewer than partitions; equal ranges without them.' }),
    compound,
    version,
  }),
  z.strictObject({
    kind: z.literal('range'),
    splitPoints: z.array(z.string()).max(LIMITS.partitionsMax),
    encoding,
    version,
  }),
  z.strictObject({
    kind: z.literal('ring'),
    hash: z.enum(RING_HASHES),
    nodes: z.array(z.strictObject({ node: z.string().min(1), tokens: z.array(z.string()).min(1) })).min(1),
    compound,
    version,
  }),
] as const;

const place = {
  partition: z
    .int()
    .min(0)
    .max(LIMITS.partitionsMax - 1),
  spread,
};

const DirectoryEntry = z.discriminatedUnion('match', [
  z.strictObject({ match: z.literal('key'), key: z.string().min(1), partition: place.partition }),
  z.strictObject({ match: z.literal('prefix'), prefix: z.string().min(1), ...place }),
  z.strictObject({ match: z.literal('geography'), label: z.string().min(1), ...place }),
]);

export const Scheme = z
  .discriminatedUnion('kind', [
    ...plainSchemes,
    z.strictObject({
      kind: z.literal('directory'),
      entries: z.array(DirectoryEntry).max(LIMITS.partitionsMax),
      encoding,
      partitions,
      separator: z.string().min(1).optional(),
      fallback: z.discriminatedUnion('kind', plainSchemes),
      version,
    }),
  ])
  .meta({ id: 'Scheme', description: 'How a key becomes a partition.' });

export const SpreadConstraint = z
  .strictObject({ label: z.string().min(1).max(127), maxPerDomain: z.int().min(1), hard: z.boolean() })
  .meta({ id: 'SpreadConstraint', description: 'At most so many replicas of a partition share a value of the label.' });

/** Read by the one reader of policies in libs/core, which names the path of what is wrong. */
export const Policy = z.record(z.string(), z.unknown()).meta({
  id: 'Policy',
  description:
    'replicationFactor, minInSync, spread, required, forbidden, leaderPreferences, watermarks, balance, copysets, residency, tenants, pins, ranges; see docs/planning.md.',
});

export const KeyspaceSpec = z
  .strictObject({
    name,
    scheme: Scheme,
    replicationFactor: z.int().min(1).max(LIMITS.replicationFactorMax),
    minInSync: z.int().min(1).max(LIMITS.replicationFactorMax),
    spread: z.array(SpreadConstraint).max(16).default([]),
    policy: Policy.optional(),
  })
  .meta({ id: 'KeyspaceSpec' });

export const Keyspace = z
  .strictObject({
    spec: KeyspaceSpec,
    generation: Generation,
    partitions: count,
    underReplicated: count,
    withoutLeader: count,
    moving: count,
  })
  .meta({ id: 'Keyspace' });

export const Replica = z
  .strictObject({
    node: name,
    role: z.enum(['leader', 'follower', 'learner']),
    state: z.enum(['initializing', 'available', 'leaving']),
    inSync: z.boolean(),
  })
  .meta({ id: 'Replica' });

export const Partition = z
  .strictObject({ partition: count, epoch: count, replicas: z.array(Replica) })
  .meta({ id: 'Partition' });

export const PartitionPage = z
  .strictObject({
    keyspace: name,
    generation: Generation,
    partitions: z.array(Partition),
    next: count.optional().meta({ description: 'Where to go on when there is more.' }),
  })
  .meta({ id: 'PartitionPage' });

export const Node = z
  .strictObject({
    id: name,
    address: z.string(),
    labels: z.record(z.string(), z.string()),
    weight: z.number(),
    state: z.enum(['up', 'draining', 'drained', 'down']),
    incarnation: z.string(),
    replicas: count,
    leaders: count,
    bytes: count,
    records: count,
    capacity: z.record(z.string(), z.number()).meta({ description: 'By dimension; not limited where not named.' }),
    allowedActions: z.array(z.string()),
  })
  .meta({ id: 'Node' });

export const Move = z
  .strictObject({
    index: count,
    step: count,
    keyspace: name,
    partition: count,
    kind: z.enum(['replica', 'leader', 'add', 'remove']),
    from: z.string(),
    to: z.string(),
    leaderAfter: z.string(),
    baseEpoch: count,
    reason: z.string(),
    bytes: count,
    phase: z.string(),
    note: z.string(),
    bytesDone: count,
    phaseSinceMs: count,
  })
  .meta({ id: 'Move' });

export const NodeChange = z
  .strictObject({ node: name, replicasBefore: count, replicasAfter: count, leadersBefore: count, leadersAfter: count })
  .meta({ id: 'NodeChange' });

export const Score = z
  .strictObject({ name: z.string(), before: z.number(), after: z.number() })
  .meta({ id: 'Score', description: 'A figure that the plan changes; lower is better.' });

export const Cost = z
  .strictObject({
    replicaMoves: count,
    leaderTransfers: count,
    bytes: count,
    lowerBoundMoves: count.meta({ description: 'No plan that reaches the same balance moves fewer replicas.' }),
    boundBecause: z.string(),
    lowerBoundBytes: count,
    because: z.array(z.string()).meta({ description: 'Which nodes and domains must shed or take how much.' }),
    ratio: z.number().meta({ description: 'Moves over their lower bound.' }),
    imbalanceBefore: z.number().meta({ description: 'Largest deviation of a node from its share: 0.05 is 5 %.' }),
    imbalanceAfter: z.number(),
    violationsBefore: count,
    violationsAfter: count,
    scores: z.array(Score),
    estimateLowMs: z.number(),
    estimateMs: z.number(),
    estimateHighMs: z.number(),
  })
  .meta({ id: 'Cost' });

const loss = z.strictObject({ domain: z.string(), partitions: count });

export const DomainRisk = z
  .strictObject({
    label: z.string(),
    unavailable: loss,
    dataLoss: loss,
    domainsUnavailable: count,
    domainsDataLoss: count,
  })
  .meta({ id: 'DomainRisk', description: 'What the loss of one node, rack, zone, ... would stop or lose at most.' });

export const RehearsalPoint = z
  .strictObject({
    step: count,
    unavailable: count.meta({ description: 'Partitions, with nothing more lost.' }),
    dataLoss: count,
    risks: z.array(DomainRisk),
  })
  .meta({ id: 'RehearsalPoint' });

export const Rehearsal = z
  .strictObject({
    before: RehearsalPoint,
    during: z.array(RehearsalPoint).meta({ description: 'Steps after which the figures differ.' }),
    after: RehearsalPoint,
    steps: count,
    verdict: z.enum(['lowers', 'keeps', 'raises']),
    raisedOnTheWay: z.boolean(),
    summary: z.string(),
  })
  .meta({ id: 'Rehearsal', description: 'Of the moves that are left, on the map as it is.' });

export const Plan = z
  .strictObject({
    id,
    state: z.string(),
    digest: z.string().meta({ description: 'SHA-256 of what would run; approve with it.' }),
    base: z.array(z.strictObject({ keyspace: name, generation: Generation })),
    proposer: z.string(),
    reason: z.string(),
    createdMs: count,
    expiresMs: count,
    moves: z.array(Move).meta({ description: 'Left out of lists.' }),
    movesTotal: count,
    nodes: z.array(NodeChange),
    cost: Cost,
    movesDone: count,
    movesFailed: count,
    allowedActions: z.array(z.string()),
    events: z.array(z.strictObject({ atMs: count, actor: z.string(), what: z.string() })),
    note: z.string(),
    rehearsal: Rehearsal.nullable().meta({ description: 'Only of one open plan that is read by its id.' }),
  })
  .meta({ id: 'Plan' });

export const Status = z
  .strictObject({
    clusterId: z.string(),
    replica: z.string(),
    active: z.string(),
    activeAddress: z.string(),
    term: count,
    etcdVersion: z.string(),
    nodesUp: count,
    nodesTotal: count,
    keyspaces: z.array(Keyspace),
    watchers: count,
    openPlan: z.string(),
    health: z.string().meta({ description: 'One sentence, the worst thing first.' }),
  })
  .meta({ id: 'Status' });

export const StateEvent = z
  .strictObject({
    status: Status,
    nodes: z.array(Node),
    plan: Plan.nullable().meta({
      description: 'The open plan, or else the latest; at most 500 moves, running ones first.',
    }),
  })
  .meta({ id: 'StateEvent' });

export const CreateKeyspaceRequest = KeyspaceSpec.extend({ actor, reason }).meta({ id: 'CreateKeyspaceRequest' });
export const DrainRequest = z
  .strictObject({ actor, reason, undo: z.boolean().default(false) })
  .meta({ id: 'DrainRequest' });
const settings = {
  repair: z
    .enum(['auto', 'propose', 'off'])
    .meta({ description: 'What becomes of a copy that is lost for longer than the grace.' }),
  repairGraceMs: count,
  nodeBytesPerSecond: count.meta({ description: 'Of copies out of one node and into one; 0 for no limit.' }),
  clusterBytesPerSecond: count.meta({ description: 'Of all copies together; 0 for no limit.' }),
  quarantineMs: count.meta({ description: 'A copy that was moved away is kept so long before it is purged.' }),
};
export const UnfreezeReply = z
  .strictObject({ nodes: z.array(name).meta({ description: 'Whose loss was accepted.' }) })
  .meta({ id: 'UnfreezeReply' });
export const Settings = z.strictObject(settings).meta({ id: 'Settings' });
export const SettingsRequest = z
  .strictObject(settings)
  .partial()
  .extend({ actor, reason })
  .meta({ id: 'SettingsRequest', description: 'Sets what is given, leaves the rest; takes effect at once.' });
export const ProposeRequest = z
  .strictObject({ actor, reason, keyspaces: z.array(name).max(1_000).default([]).meta({ description: 'None: all.' }) })
  .meta({ id: 'ProposeRequest' });
export const ProposeReply = z
  .strictObject({
    plan: Plan.nullable(),
    nothingBecause: z.string().meta({ description: 'Why there is no plan.' }),
    scores: z.array(Score),
  })
  .meta({ id: 'ProposeReply' });
export const ActRequest = z.strictObject({ actor, reason }).meta({ id: 'ActRequest' });
export const ApproveRequest = z
  .strictObject({
    actor,
    reason,
    digest: z.string().regex(/^[0-9a-f]{64}$/, 'must be the 64 hex digits that the plan shows'),
  })
  .meta({ id: 'ApproveRequest' });
export const PolicyRequest = z.strictObject({ actor, reason, policy: Policy }).meta({ id: 'PolicyRequest' });
export const PolicyReply = z
  .strictObject({
    keyspace: z.string().meta({ description: 'Empty: of the cluster.' }),
    policy: Policy,
    replicationFactor: count,
    minInSync: count,
    spread: z.array(SpreadConstraint),
  })
  .meta({ id: 'PolicyReply' });
export const Why = z
  .strictObject({
    keyspace: name,
    partition: count,
    node: z.string(),
    role: z.enum(['leader', 'follower', 'learner', 'none']),
    verdict: z.enum(WHY_VERDICTS),
    rule: z.string().meta({ description: 'The constraint or goal that decided, or plan.' }),
    value: z.string(),
    limit: z.string(),
    because: z.string(),
    checks: z.array(
      z.strictObject({
        rule: z.string(),
        verdict: z.enum(CHECK_VERDICTS),
        value: z.string(),
        limit: z.string(),
        text: z.string(),
      }),
    ),
  })
  .meta({ id: 'Why' });
export const PartitionParam = z.object({
  partition: z.coerce
    .number()
    .int()
    .min(0)
    .max(LIMITS.partitionsMax - 1),
});
export const PageQuery = z.strictObject({
  from: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
});

export const KeyspaceList = z.strictObject({ keyspaces: z.array(Keyspace) }).meta({ id: 'KeyspaceList' });
export const NodeList = z.strictObject({ nodes: z.array(Node) }).meta({ id: 'NodeList' });
export const PlanList = z.strictObject({ plans: z.array(Plan) }).meta({ id: 'PlanList' });

export const Problem = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    detail: z.string(),
    field: z.string().optional(),
    limit: z.string().optional(),
    remedy: z.string().optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457, with what to do next.' });

export type KeyspaceJson = z.output<typeof Keyspace>;
export type NodeJson = z.output<typeof Node>;
export type PlanJson = z.output<typeof Plan>;
export type StatusJson = z.output<typeof Status>;
export type StateJson = z.output<typeof StateEvent>;
export type PartitionPageJson = z.output<typeof PartitionPage>;
export type ProblemJson = z.output<typeof Problem>;
