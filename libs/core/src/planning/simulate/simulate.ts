import { compareStrings } from '../../bytes.js';
import { CadastreError } from '../../errors.js';
import { printable } from '../../limits.js';
import { Field } from '../../fields.js';
import type { KeyspaceSpec, SpreadConstraint } from '../../map/records.js';
import { leaderOf, votersOf } from '../../map/records.js';
import type { PlannerNode } from '../../placement/domains.js';
import { placeKeyspace } from '../../placement/place.js';
import { checkSatisfiable } from '../../placement/satisfiable.js';
import { checkPolicySatisfiable } from '../../policy/check-satisfiable.js';
import { checkPolicy } from '../../policy/check-policy.js';
import { readPolicy } from '../../policy/read-policy.js';
import type { Policy } from '../../policy/policy.js';
import { why } from '../explain/why.js';
import { canonicalPlanBytes } from '../canonical.js';
import type { PlanDraft, PlanInput, PlanKeyspace, PlanOptions, PlanScore, Proposal } from '../plan.js';
import { proposePlan } from '../propose.js';
import type { Throttle } from '../rehearsal/duration.js';
import { DEFAULT_THROTTLE, estimateDuration } from '../rehearsal/duration.js';
import { rehearse } from '../rehearsal/rehearse.js';
import type { StandingKeyspace } from './cluster.js';
import { afterFailover, afterMoves, plannerNodesOf, recordsOf } from './cluster.js';
import type { SimulatedInput, SimulatedKeyspace } from './input.js';
import { readSimulatedInput } from './input.js';
import type { ScenarioResult, SimulatedMove, SimulationResult } from './result.js';
import { countViolations } from './violations.js';

export interface SimulateOptions {
  readonly plan?: PlanOptions;
  readonly throttle?: Throttle;
  /** Of the canonical bytes, as the register has it: SHA-256 in hexadecimal. */
  readonly digestOf: (bytes: Uint8Array) => string;
  /** For `solveMs` alone; nothing is decided by it. */
  readonly nowMs: () => number;
  /** Both are under the digest. */
  readonly proposer?: string;
  readonly reason?: string;
}

/**
 * Plans for a cluster given as a document, without one: the planner, order, proof and rehearsal of the live system. A list of sets of
 * nodes gives one result each, where each plan has run before the next begins.
 * @throws CadastreError INVALID_ARGUMENT naming the path; UNSATISFIABLE where the policy cannot be met even with every node up
 */
export const simulate = (document: unknown, options: SimulateOptions): SimulationResult | ScenarioResult => {
  const input = readSimulatedInput(document);
  const clusterPolicy = input.policy.isThere ? readPolicy(input.policy) : undefined;
  const world: Simulation = { options, clusterPolicy };
  let { keyspaces, built } = begin(input, world);
  let nodes: readonly PlannerNode[] = [];
  const results = input.nodeSets.map((set) => {
    nodes = withLeavers(plannerNodesOf(set), nodes, keyspaces);
    const { result, next } = runPlan(world, nodes, keyspaces, built);
    keyspaces = next;
    built = 0;
    return result;
  });
  return input.isScenario ? { results, total: totalOf(results) } : results[0]!;
};

/** Which pair is asked about; a partition by its id in the document. */
export interface Question {
  readonly keyspace: string;
  readonly partition: string;
  readonly node: string;
}

/**
 * Why a partition of the document is on a node, or is not, or will be; of a scenario its first set of nodes.
 * @throws CadastreError as `simulate` does, and NOT_FOUND for what the document does not have
 */
export const explainDocument = (document: unknown, question: Question, plan: PlanOptions = {}) => {
  const input = readSimulatedInput(document);
  const clusterPolicy = input.policy.isThere ? readPolicy(input.policy) : undefined;
  const nodes = plannerNodesOf(input.nodeSets[0]!);
  const options: SimulateOptions = { plan, digestOf: () => '', nowMs: () => 0 };
  const { keyspaces } = begin(input, { options, clusterPolicy });
  const given = keyspaces.find((k) => k.spec.name === question.keyspace)?.given;
  const row = given ? given.partitions.findIndex((p) => String(p.id) === question.partition) : 0;
  if (row < 0)
    throw new CadastreError('NOT_FOUND', `${question.keyspace} has no partition "${printable(question.partition)}"`, {
      field: 'partition',
      remedy: 'use an id of the document',
    });
  const world: PlanInput = {
    ...plan,
    keyspaces: keyspaces.map(planKeyspaceOf),
    nodes,
    ...(clusterPolicy && { clusterPolicy }),
  };
  return { ...why(world, question.keyspace, row, question.node), partition: given!.partitions[row]!.id };
};

interface Simulation {
  readonly options: SimulateOptions;
  readonly clusterPolicy: Policy | undefined;
}

/** A node that a later set leaves out while it holds copies is leaving: it drains, unless it was lost before. */
const withLeavers = (
  set: readonly PlannerNode[],
  before: readonly PlannerNode[],
  keyspaces: readonly StandingKeyspace[],
): PlannerNode[] => {
  const named = new Set(set.map((n) => n.entry.id));
  const gone = before.filter((n) => !named.has(n.entry.id));
  if (gone.length === 0) return [...set];
  const holding = new Set(keyspaces.flatMap((k) => k.replicas).flat());
  const leavers = gone.filter((n) => holding.has(n.entry.id));
  return [...set, ...leavers.map((n) => ({ ...n, state: n.state === 'down' ? n.state : ('draining' as const) }))];
};

/** Keyspaces as they stand before the first plan. */
const begin = (input: SimulatedInput, world: Simulation): { keyspaces: StandingKeyspace[]; built: number } => {
  const nodes = plannerNodesOf(input.nodeSets[0]!);
  let built = 0;
  const keyspaces = input.keyspaces.map((given, i): StandingKeyspace => {
    const spec = specOf(given);
    try {
      if (given.partitions.length > 0) checkAll(spec, given, given.isBuilt ? nodes : nodes.map(asUp), world);
      if (!given.isBuilt) return { given, spec, replicas: given.partitions.map((p) => p.replicas) };
      const records = placeKeyspace(spec, nodes, world.clusterPolicy);
      built += records.length * spec.replicationFactor;
      const replicas = records.map((r) => leaderFirst(votersOf(r), leaderOf(r)));
      return { given, spec, replicas };
    } catch (error) {
      throw within(`keyspaces[${i}]`, error);
    }
  });
  return { keyspaces, built };
};

const checkAll = (
  spec: KeyspaceSpec,
  given: SimulatedKeyspace,
  nodes: readonly PlannerNode[],
  world: Simulation,
): void => {
  checkPolicySatisfiable(spec, given.partitions.length, nodes, world.clusterPolicy);
  checkSatisfiable(spec, nodes, world.clusterPolicy);
};

/** What cannot be met with every node up can never be met. */
const asUp = (node: PlannerNode): PlannerNode => ({ ...node, state: 'up' });

const leaderFirst = (nodes: readonly string[], leader: string | undefined): string[] =>
  leader === undefined ? [...nodes] : [leader, ...nodes.filter((n) => n !== leader)];

const within = (path: string, error: unknown): unknown => {
  if (!(error instanceof CadastreError)) return error;
  const { code, message, field, limit, remedy } = error;
  return new CadastreError(code, message, {
    field: field === undefined ? path : field.startsWith(path) ? field : `${path}.${field}`,
    ...(limit !== undefined && { limit }),
    ...(remedy !== undefined && { remedy }),
    cause: error,
  });
};

const specOf = (given: SimulatedKeyspace): KeyspaceSpec => {
  const policy = given.policy.isThere ? readPolicy(given.policy) : undefined;
  if (policy) checkPolicy(policy, given.partitions.length, given.policy.path);
  return {
    name: given.name,
    scheme: { kind: 'hash-slots', slots: Math.max(1, given.partitions.length), hash: 'murmur3', hashTags: false },
    replicationFactor: given.replicationFactor,
    minInSync: given.minInSync,
    spread: Object.entries(given.maxPerDomain)
      .sort(([a], [b]) => compareStrings(a, b))
      .map(([label, maxPerDomain]): SpreadConstraint => ({ label, maxPerDomain, hard: true })),
    ...(policy && { policy }),
  };
};

const planKeyspaceOf = (keyspace: StandingKeyspace): PlanKeyspace => {
  const { partitions, generation } = keyspace.given;
  const isSized = partitions.some((p) => p.bytes > 0);
  const isLoaded = partitions.some((p) => Object.keys(p.load).length > 0);
  return {
    spec: keyspace.spec,
    generation,
    records: recordsOf(keyspace),
    ...(isSized && { bytesOf: (row: number) => partitions[row]!.bytes }),
    ...(isLoaded && { loadsOf: (row: number) => partitions[row]!.load }),
  };
};

interface Run {
  readonly result: SimulationResult;
  readonly next: StandingKeyspace[];
}

const runPlan = (
  { options, clusterPolicy }: Simulation,
  nodes: readonly PlannerNode[],
  keyspaces: readonly StandingKeyspace[],
  built: number,
): Run => {
  const input: PlanInput = {
    ...options.plan,
    keyspaces: keyspaces.map(planKeyspaceOf),
    nodes,
    ...(clusterPolicy && { clusterPolicy }),
  };
  const began = options.nowMs();
  const proposal = proposePlan(input);
  const solveMs = options.nowMs() - began;
  const draft = proposal.kind === 'plan' ? proposal.plan : undefined;
  const moves = draft?.moves ?? [];
  const states = new Map(nodes.map((n) => [n.entry.id, n.state]));
  const settled = keyspaces.map((k) =>
    afterFailover(afterMoves(k, moves), (node) => (states.get(node) ?? 'down') !== 'down'),
  );
  const next = settled.map((s) => s.keyspace);
  const violations = (of: readonly StandingKeyspace[]): number =>
    of.reduce((sum, k) => sum + countViolations(k.spec, nodes, k.replicas, clusterPolicy), 0);
  const result: SimulationResult = {
    ...figuresOf(proposal),
    failovers: settled.reduce((sum, s) => sum + s.failovers, 0),
    violationsBefore: violations(keyspaces),
    violationsAfter: violations(next),
    steps: stepsOf(draft, keyspaces),
    estimate: estimateDuration(moves, options.throttle ?? DEFAULT_THROTTLE),
    rehearsal: rehearse({ keyspaces: input.keyspaces, nodes, moves }),
    built,
    solveMs: Math.round(solveMs * 1_000) / 1_000,
    digest: draft ? digestOf(draft, options) : '',
    assignment: next.map(({ given, replicas }) => ({
      name: given.name,
      partitions: given.partitions.map((p, row) => ({ id: p.id, replicas: replicas[row]! })),
    })),
  };
  return { result, next };
};

const digestOf = (
  draft: PlanDraft,
  { digestOf: digest, proposer = 'simulate', reason = '' }: SimulateOptions,
): string => digest(canonicalPlanBytes({ ...draft, proposer, reason }));

type Figures = Pick<
  SimulationResult,
  | 'moves'
  | 'leaderTransfers'
  | 'bytesMoved'
  | 'lowerBound'
  | 'ratio'
  | 'imbalanceBefore'
  | 'imbalanceAfter'
  | 'scores'
  | 'nothingBecause'
  | 'notes'
>;

const figuresOf = (proposal: Proposal): Figures => {
  if (proposal.kind === 'nothing') {
    const imbalance = worstOf(proposal.scores);
    return {
      moves: 0,
      leaderTransfers: 0,
      bytesMoved: 0,
      lowerBound: { moves: 0, bytes: 0, because: [proposal.because] },
      ratio: 1,
      imbalanceBefore: imbalance,
      imbalanceAfter: imbalance,
      scores: proposal.scores,
      nothingBecause: proposal.because,
      notes: [],
    };
  }
  const { cost } = proposal.plan;
  return {
    moves: cost.replicaMoves,
    leaderTransfers: cost.leaderTransfers,
    bytesMoved: cost.bytes,
    lowerBound: {
      moves: cost.lowerBoundMoves,
      bytes: cost.lowerBoundBytes,
      because: cost.because.length > 0 ? cost.because : [cost.boundBecause],
    },
    ratio: cost.ratio,
    imbalanceBefore: cost.imbalanceBefore,
    imbalanceAfter: cost.imbalanceAfter,
    scores: cost.scores,
    nothingBecause: '',
    notes: proposal.notes,
  };
};

/** Scores that are no deviation from a share. */
const NO_IMBALANCE = new Set(['partners', 'missing', 'violations']);

const worstOf = (scores: readonly PlanScore[]): number =>
  scores.filter((s) => !NO_IMBALANCE.has(s.name)).reduce((most, s) => Math.max(most, s.before), 0);

const stepsOf = (draft: PlanDraft | undefined, keyspaces: readonly StandingKeyspace[]): SimulatedMove[][] => {
  const given = new Map(keyspaces.map((k) => [k.spec.name, k.given]));
  const steps: SimulatedMove[][] = [];
  for (const { step, keyspace, partition, kind, from, to, leaderAfter, bytes, reason } of draft?.moves ?? []) {
    const { id } = given.get(keyspace)!.partitions[partition]!;
    (steps[step - 1] ??= []).push({ keyspace, partition: id, kind, from, to, leaderAfter, bytes, reason });
  }
  return Array.from(steps, (step) => step ?? []);
};

const totalOf = (results: readonly SimulationResult[]): ScenarioResult['total'] => {
  const sum = (value: (result: SimulationResult) => number): number => results.reduce((t, r) => t + value(r), 0);
  const moves = sum((r) => r.moves);
  const bound = sum((r) => r.lowerBound.moves);
  return {
    moves,
    leaderTransfers: sum((r) => r.leaderTransfers),
    bytesMoved: sum((r) => r.bytesMoved),
    lowerBoundMoves: bound,
    ratio: bound > 0 ? moves / bound : 1,
    violationsAfter: results.at(-1)!.violationsAfter,
    solveMs: sum((r) => r.solveMs),
  };
};

/** For a document that is at hand as text. @throws CadastreError INVALID_ARGUMENT */
export const parseDocument = (text: string, field: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new Field(undefined, field).bad(
      `cannot be read as JSON: ${(error as Error).message}`,
      'give one JSON document',
    );
  }
};
