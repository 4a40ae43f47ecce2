import { CHECK_VERDICTS, LIMITS, RANGE_HASHES, RING_HASHES, SLOT_HASHES, WHY_VERDICTS } from '@cadastre/core';
import { z } from 'zod';
import { HEAT_LIMITS } from '../load/heat.js';
import { METRICS } from '../load/log-scale.js';
import { REQUESTED_MOVES_MAX } from '../operations/requested-moves.js';

/** The one source of what REST takes and gives: requests are checked against these, OpenAPI is printed from them. */
const name = z.string().min(1).max(63);
const actor = z
  .string()
  .trim()
  .max(LIMITS.actorCharsMax)
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
    safeToDelete: z.boolean().meta({ description: 'Drained: no map names it any more.' }),
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
    bytesPerSecond: count.meta({ description: 'Of late.' }),
    condition: z
      .enum(['', 'pending', 'moving', 'throttled', 'waiting', 'stalled'])
      .meta({ description: 'stalled: no byte for long, and not for the throttle. Empty once it has ended.' }),
    because: z.string().meta({ description: 'Of the condition.' }),
    phases: z.array(z.strictObject({ phase: z.string(), sinceMs: count })),
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

const moment = count.meta({ description: 'Milliseconds since 1970.' });

export const PlanWindow = z
  .strictObject({
    name: z.string(),
    zone: z.string(),
    open: z.boolean(),
    opensMs: moment,
    closesMs: moment,
    fits: z.enum(['yes', 'perhaps', 'no']),
    because: z.string(),
  })
  .meta({ id: 'PlanWindow', description: 'When moves may begin, and whether what is left fits, by its estimate.' });

export const PlanProgress = z
  .strictObject({
    condition: z.enum(['waiting', 'moving', 'throttled', 'stalled', 'paused', 'frozen', 'ended']),
    because: z.string(),
    bytesDone: count,
    bytesTotal: count,
    bytesPerSecond: count.meta({ description: 'Of late.' }),
    etaLowMs: count.meta({ description: 'From now.' }),
    etaHighMs: count.meta({ description: 'From now; 0 where it is not known.' }),
    movesRunning: count,
    movesPending: count,
  })
  .meta({ id: 'PlanProgress' });

export const PlanApproval = z
  .strictObject({ actor: z.string(), atMs: moment, reason: z.string() })
  .meta({ id: 'PlanApproval' });

export const BreakGlass = z
  .strictObject({ actor: z.string(), reason: z.string(), atMs: moment, expiresMs: moment })
  .meta({ id: 'BreakGlass', description: 'Approved past the rules by an administrator; begins before it expires.' });

export const LatencyFigure = z
  .strictObject({ answers: count, p50Ms: z.number().min(0), p99Ms: z.number().min(0) })
  .meta({ id: 'LatencyFigure' });

export const RunLatency = z
  .strictObject({
    before: LatencyFigure.meta({ description: 'Of the one to two minutes before it began.' }),
    during: LatencyFigure,
    after: LatencyFigure.nullable().meta({ description: 'Of the minute after it ended; null until then.' }),
    stepMs: count,
    points: z
      .array(z.strictObject({ atMs: moment, figure: LatencyFigure }))
      .meta({ description: 'While it ran, at most 120, of steps in which something was answered.' }),
  })
  .meta({
    id: 'RunLatency',
    description: 'How long nodes took to answer clients about the partitions of a run; p50 and p99 to within 19 %.',
  });

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
    approvals: z.array(PlanApproval),
    approvalsNeeded: count,
    approvalsBecause: z.array(z.string()).meta({ description: 'The rules that ask for so many.' }),
    approvedByPolicy: z.string().meta({ description: 'The rule by which nobody was asked; else empty.' }),
    breakGlass: BreakGlass.nullable(),
    risk: z.strictObject({
      moves: count,
      bytes: count,
      crossesZone: z.boolean(),
      lowersRedundancy: z.boolean().meta({ description: 'At some step more would be lost or stop than before.' }),
    }),
    window: PlanWindow.nullable().meta({ description: 'Null: plans may run at any time.' }),
    progress: PlanProgress.nullable().meta({ description: 'Null before it is approved.' }),
    refusedActions: z
      .array(z.strictObject({ action: z.string(), because: z.string() }))
      .meta({ description: 'Legal in this state, but not for who asks.' }),
    askedBy: z.array(z.string()).meta({ description: 'Of an open automatic proposal: whose drains it carries out.' }),
    undoOf: z.string().meta({ description: 'The plan whose way back this is; else empty.' }),
    staleBecause: z
      .array(z.string())
      .meta({ description: 'Of a proposal read by its id: what has changed since it was made.' }),
    startedMs: moment,
    endedMs: moment,
    latency: RunLatency.nullable().meta({
      description: 'Of a plan read by its id; null before it begins, and where nobody measured.',
    }),
  })
  .meta({ id: 'Plan' });

export const Freeze = z
  .strictObject({
    by: z.enum(['person', 'automation']),
    actor: z.string(),
    because: z.string(),
    sinceMs: moment,
  })
  .meta({
    id: 'Freeze',
    description: 'No move begins and nothing is repaired; failover goes on unless by automation.',
  });

export const Warning = z
  .strictObject({
    id: z.string().meta({ description: 'The same while it lasts.' }),
    level: z.string().meta({ description: 'critical or warning' }),
    what: z.string(),
    remedy: z.string(),
  })
  .meta({ id: 'Warning', description: 'What an operator should do something about.' });

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
    freezes: z.array(Freeze),
    window: PlanWindow.nullable().meta({ description: 'Null: plans may run at any time.' }),
    openPlans: z.array(z.string()).meta({ description: 'Newest first.' }),
    warnings: z.array(Warning).meta({ description: 'The worst first.' }),
    convergence: z
      .array(
        z.strictObject({
          keyspace: name,
          watchers: count,
          converged: count.meta({ description: 'That have reported the newest generation.' }),
          lagReports: count,
          lagP99Ms: z
            .number()
            .min(0)
            .meta({ description: 'From a change at this replica to its having been applied.' }),
        }),
      )
      .meta({ description: 'Those who watch at this replica.' }),
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
export const DropKeyspaceRequest = z
  .strictObject({ actor, reason, confirm: name.meta({ description: 'The name once more: its data goes for ever.' }) })
  .meta({ id: 'DropKeyspaceRequest' });
export const DropKeyspaceReply = z
  .strictObject({ keyspace: name, partitions: count })
  .meta({ id: 'DropKeyspaceReply' });
const freezeBy = z.enum(['person', 'automation']);
export const UnfreezeRequest = z
  .strictObject({ actor, reason, by: freezeBy.optional().meta({ description: 'Needed where there are two.' }) })
  .meta({ id: 'UnfreezeRequest' });
export const UnfreezeReply = z
  .strictObject({ nodes: z.array(name).meta({ description: 'Whose loss was accepted.' }), by: freezeBy })
  .meta({ id: 'UnfreezeReply' });
export const FreezeReply = z.strictObject({ freezes: z.array(Freeze) }).meta({ id: 'FreezeReply' });
const ownVersion = z.string().meta({ description: 'Also the ETag; give it as If-Match to change nothing unseen.' });
export const Settings = z.strictObject({ ...settings, version: ownVersion }).meta({ id: 'Settings' });
export const SettingsRequest = z
  .strictObject(settings)
  .partial()
  .extend({ actor, reason })
  .meta({ id: 'SettingsRequest', description: 'Sets what is given, leaves the rest; takes effect at once.' });
export const RequestedMove = z
  .strictObject({
    keyspace: name,
    partition: z.int().min(0),
    from: z.string().max(256).default('').meta({ description: 'The node whose copy moves; may be empty for leader.' }),
    to: name,
    kind: z.enum(['replica', 'leader']).default('replica'),
  })
  .meta({ id: 'RequestedMove' });
export const ProposeRequest = z
  .strictObject({
    actor,
    reason,
    keyspaces: z.array(name).max(1_000).default([]).meta({ description: 'None: those of the moves, or all.' }),
    moves: z
      .array(RequestedMove)
      .max(REQUESTED_MOVES_MAX)
      .default([])
      .meta({ description: 'By hand; refused where one of them breaks a hard constraint.' }),
  })
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
    breakGlass: z
      .boolean()
      .default(false)
      .meta({ description: 'Past the rules, for administrators; needs a reason, and stands out in the audit log.' }),
    breakGlassMs: z.int().min(1_000).max(3_600_000).default(3_600_000),
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
    version: ownVersion,
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
const approvals = z.int().min(1).max(10);
export const ApprovalPolicy = z
  .strictObject({
    fourEyes: z.boolean().default(false).meta({ description: 'Who proposed may not approve.' }),
    reasonRequired: z.boolean().default(false),
    approvals: approvals.default(1).meta({ description: 'Of different people, unless a rule asks for more.' }),
    rules: z
      .array(
        z.strictObject({
          name,
          approvals,
          movesOver: count.optional(),
          bytesOver: count.optional(),
          crossesZone: z.boolean().default(false),
          lowersRedundancy: z.boolean().default(false),
        }),
      )
      .max(32)
      .default([])
      .meta({ description: 'Each asks for at least so many when any condition that it gives holds.' }),
    automatic: z
      .array(
        z.strictObject({
          name,
          kinds: z.array(z.enum(['replica', 'leader', 'add', 'remove'])).min(1),
          movesMax: z.int().min(1),
          bytesMax: count,
          crossesZone: z.boolean().default(false).meta({ description: 'Also such.' }),
          keyspaces: z.array(name).max(1_000).default([]).meta({ description: 'None: all.' }),
        }),
      )
      .max(32)
      .default([])
      .meta({ description: 'Approved beforehand; never what lowers redundancy. None: every plan waits for a person.' }),
    windows: z
      .array(
        z.strictObject({
          name,
          zone: z.string().min(1).max(64).meta({ description: 'IANA, such as Europe/Berlin.' }),
          days: z
            .array(z.enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']))
            .max(7)
            .default([]),
          from: z.string().meta({ description: 'HH:MM' }),
          to: z.string().meta({ description: 'HH:MM, on the next day if not after from.' }),
        }),
      )
      .max(32)
      .default([])
      .meta({ description: 'When moves may begin. None: at any time.' }),
  })
  .meta({ id: 'ApprovalPolicy' });
export const ApprovalPolicyRequest = z
  .strictObject({ actor, reason, policy: ApprovalPolicy })
  .meta({ id: 'ApprovalPolicyRequest' });
export const ApprovalPolicyReply = z
  .strictObject({ policy: ApprovalPolicy, version: ownVersion })
  .meta({ id: 'ApprovalPolicyReply' });

export const Report = z
  .strictObject({
    plan: Plan,
    final: z.boolean().meta({ description: 'The run has ended: this never changes any more.' }),
    sha256: z.string().meta({ description: 'Of all the rest, but for the latency after the run.' }),
    plannedMs: count,
    actualMs: count,
    plannedBytes: count,
    actualBytes: count,
    pausedMs: count,
    outcome: z.string().meta({ description: 'One sentence.' }),
  })
  .meta({ id: 'Report' });

export const Drain = z
  .strictObject({
    node: name,
    state: z.enum([
      'not-draining',
      'needs-plan',
      'waits-for-approval',
      'waits-for-window',
      'draining',
      'blocked',
      'drained',
    ]),
    safeToDelete: z.boolean(),
    blockers: z.array(z.string()).meta({ description: 'Why not all copies can leave.' }),
    warnings: z.array(z.string()),
    replicasLeft: count,
    replicasTotal: count.meta({ description: 'When the drain began.' }),
    leadersLeft: count,
    bytesLeft: count,
    plan: z.string(),
    etaLowMs: count,
    etaHighMs: count,
    allowedActions: z.array(z.string()),
    because: z.string(),
  })
  .meta({ id: 'Drain' });

export const AuditEntry = z
  .strictObject({
    number: count,
    atMs: moment,
    actor: z.string(),
    verb: z.string(),
    subject: z.string(),
    reason: z.string(),
    before: z.string(),
    after: z.string(),
    generation: z.array(z.strictObject({ keyspace: name, generation: Generation })),
    previousHash: z.string(),
    hash: z.string().meta({ description: 'SHA-256 of the stored bytes.' }),
  })
  .meta({ id: 'AuditEntry' });
export const AuditPage = z
  .strictObject({
    entries: z.array(AuditEntry).meta({ description: 'Newest first.' }),
    next: count.optional().meta({ description: 'Give as `before` to go on.' }),
  })
  .meta({ id: 'AuditPage' });
export const AuditQuery = z.strictObject({
  before: z.coerce.number().int().min(0).default(0).meta({ description: 'Entries of smaller numbers; 0: the newest.' }),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  subject: z.string().max(256).default('').meta({ description: 'Begins with, such as plan/p1234.' }),
  actor: z.string().max(LIMITS.actorCharsMax).default(''),
});
export const AuditCheckpoint = z
  .strictObject({ number: count, hash: z.string().max(64), atMs: count.default(0), clusterId: z.string().default('') })
  .meta({ id: 'AuditCheckpoint' });
export const VerifyAuditRequest = z
  .strictObject({ checkpoints: z.array(AuditCheckpoint).max(10_000).default([]) })
  .meta({ id: 'VerifyAuditRequest' });
export const AuditVerdict = z
  .strictObject({
    intact: z.boolean(),
    first: count,
    last: count,
    entries: count,
    faults: z.array(
      z.strictObject({
        kind: z.enum(['edited', 'missing', 'reordered', 'cut', 'unreadable']),
        number: count,
        detail: z.string(),
      }),
    ),
    head: AuditCheckpoint,
    checkpoints: count.meta({ description: 'That were compared.' }),
  })
  .meta({ id: 'AuditVerdict' });

export const PageQuery = z.strictObject({
  from: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
});

export const LocateQuery = z.strictObject({
  key: z.string().max(LIMITS.keyBytesMax),
  encoding: z.enum(['utf8', 'base64']).default('utf8'),
});
export const Located = z
  .strictObject({
    keyspace: name,
    scheme: z.string().meta({ description: 'How a key becomes a partition, in words.' }),
    keyHex: z.string(),
    token: z.string(),
    partition: count,
    ranges: z.array(z.string()).meta({ description: 'What the partition holds; the first 20.' }),
    generation: Generation,
    replicas: z.array(Replica),
  })
  .meta({ id: 'Located' });

const rate = z.number().min(0);
export const HeatQuery = z.strictObject({
  metric: z.enum(METRICS).default('reads'),
  fromMs: z.coerce.number().int().min(0).default(0).meta({ description: '0: windowMs before the end.' }),
  toMs: z.coerce.number().int().min(0).default(0).meta({ description: '0: now.' }),
  windowMs: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .meta({ description: 'Where fromMs is left out; 0: ten minutes.' }),
  firstPartition: z.coerce.number().int().min(0).default(0),
  partitions: z.coerce.number().int().min(0).default(0).meta({ description: 'From the first on; 0: all.' }),
  timeBins: z.coerce.number().int().min(2).max(HEAT_LIMITS.timeBins).default(64),
  buckets: z.coerce.number().int().min(1).max(HEAT_LIMITS.buckets).default(128),
  hottest: z.coerce.number().int().min(1).max(HEAT_LIMITS.hottest).default(10),
});
export const HotPartition = z
  .strictObject({
    partition: count,
    leader: z.string(),
    readsPerSecond: rate.meta({ description: 'On average over the window.' }),
    writesPerSecond: rate,
    bytes: count.meta({ description: 'Of one copy, at the end of the window.' }),
    p99Ms: rate.nullable().meta({ description: 'The highest of a step; null where nothing was answered.' }),
  })
  .meta({ id: 'HotPartition' });
export const Heat = z
  .strictObject({
    keyspace: name,
    metric: z.enum(METRICS),
    fromMs: moment,
    stepMs: count,
    steps: count,
    firstPartition: count,
    partitionsPerBucket: count,
    buckets: count,
    partitions: count.meta({ description: 'Of the keyspace.' }),
    values: z.array(rate.nullable()).meta({
      description:
        'Bucket after bucket, each with its steps: its hottest partition at the busiest moment of the step. Reads or writes a second, bytes, milliseconds; to within 7 %; null where nobody measured.',
    }),
    hottest: z.array(HotPartition).meta({ description: 'Of the window, by the metric.' }),
    sinceMs: moment.meta({ description: 'From when on the replica that answers measures; it keeps six hours.' }),
    mean: rate.meta({ description: 'Of all partitions that were asked for, over the window; of p99 their highest.' }),
    measuredTogether: count.meta({ description: 'Above 1: so many neighbours are measured as one.' }),
  })
  .meta({ id: 'Heat', description: 'The load of the partitions of a keyspace over time.' });

export const KeyspaceList = z.strictObject({ keyspaces: z.array(Keyspace) }).meta({ id: 'KeyspaceList' });
const next = count.optional().meta({ description: 'Where to go on when there is more.' });
export const NodeList = z.strictObject({ nodes: z.array(Node), next }).meta({ id: 'NodeList' });
export const PlanList = z.strictObject({ plans: z.array(Plan), next }).meta({ id: 'PlanList' });
export const CancelAllReply = z.strictObject({ plans: z.array(Plan) }).meta({ id: 'CancelAllReply' });

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
    changes: z.array(z.string()).optional().meta({ description: 'With PLAN_STALE: what has changed.' }),
    proposeAgain: z
      .strictObject({
        method: z.literal('POST'),
        path: z.string(),
        body: z.strictObject({ keyspaces: z.array(name), reason: z.string() }),
      })
      .optional()
      .meta({ description: 'With PLAN_STALE and PLAN_CHANGED: the one request that gives a new plan.' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457, with what to do next.' });

export type KeyspaceJson = z.output<typeof Keyspace>;
export type NodeJson = z.output<typeof Node>;
export type PlanJson = z.output<typeof Plan>;
export type StatusJson = z.output<typeof Status>;
export type StateJson = z.output<typeof StateEvent>;
export type PartitionPageJson = z.output<typeof PartitionPage>;
export type HeatJson = z.output<typeof Heat>;
export type DrainJson = z.output<typeof Drain>;
export type ReportJson = z.output<typeof Report>;
export type AuditEntryJson = z.output<typeof AuditEntry>;
export type ApprovalPolicyJson = z.output<typeof ApprovalPolicy>;
export type ProblemJson = z.output<typeof Problem>;
