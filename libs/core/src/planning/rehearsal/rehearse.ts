import type { KeyspaceSpec, PartitionRecord } from '../../map/records.js';
import type { PlannerNode } from '../../placement/domains.js';
import type { ClusterModel, KeyspaceColumns } from '../model.js';
import { DOWN } from '../model.js';
import type { PlanMove } from '../plan.js';
import { failureDomains } from './failure-domains.js';
import type { AlreadyLost, CopyTable, DomainRisk } from './risk-board.js';
import { RiskBoard } from './risk-board.js';

/** What a moment of the plan would lose. `step` is 0 before the plan, then the step that has just ended. */
export interface RehearsalPoint {
  readonly step: number;
  readonly already: AlreadyLost;
  /** Single nodes first, then the labels from wide to narrow. */
  readonly risks: readonly DomainRisk[];
}

export const REHEARSAL_VERDICTS = ['lowers', 'keeps', 'raises'] as const;
/** Of the risk at the end, compared with that before. */
export type RehearsalVerdict = (typeof REHEARSAL_VERDICTS)[number];

export interface Rehearsal {
  readonly before: RehearsalPoint;
  /** After each step whose figures differ from those of the step before. */
  readonly during: readonly RehearsalPoint[];
  readonly after: RehearsalPoint;
  readonly steps: number;
  readonly verdict: RehearsalVerdict;
  /** Some step ends with more at risk than before the plan. */
  readonly raisedOnTheWay: boolean;
  /** One sentence for an operator. */
  readonly summary: string;
}

export interface RehearsalKeyspace {
  readonly spec: Pick<KeyspaceSpec, 'name' | 'minInSync' | 'replicationFactor' | 'spread'>;
  readonly records: readonly PartitionRecord[];
}

export interface RehearsalInput {
  readonly keyspaces: readonly RehearsalKeyspace[];
  readonly nodes: readonly PlannerNode[];
  /** In the order of their steps. */
  readonly moves: readonly PlanMove[];
}

/**
 * Tries the loss of every node, rack, zone (and any other label that groups nodes) before the plan and after each of its steps.
 * Moments within a step are no worse: a move adds its copy before it takes one away, so each partition then holds at least what it
 * holds before or after. Costs one pass over the map, then some additions a move.
 */
export const rehearse = (input: RehearsalInput): Rehearsal => {
  const index = new Map(input.nodes.map((n, i) => [n.entry.id, i]));
  const alive = input.nodes.map((n) => n.state !== 'down');
  const liveIndex = (node: string): number => {
    const at = index.get(node) ?? -1;
    return at >= 0 && alive[at]! ? at : -1;
  };
  const spread = input.keyspaces.flatMap((k) => k.spec.spread.map((s) => s.label));
  const kinds = failureDomains(
    input.nodes.map((n) => n.entry),
    spread,
  );
  const tables = input.keyspaces.map((k) => copyTableOf(k, liveIndex));
  const tableOf = new Map(tables.map((t, i) => [t.keyspace, i]));
  const board = new RiskBoard(kinds, tables);
  return play(board, input.moves, (move) => {
    if (move.kind === 'leader') return;
    board.move(tableOf.get(move.keyspace)!, move.partition, liveIndex(move.from), liveIndex(move.to));
  });
};

/**
 * The same over the planner's columns, without an object for each partition.
 * @param moves of a plan of this model, in the order of their steps
 */
export const rehearseModel = (model: ClusterModel, moves: readonly PlanMove[]): Rehearsal => {
  const { nodes } = model;
  const index = new Map(nodes.ids.map((id, i) => [id, i]));
  const liveIndex = (node: string): number => {
    const at = index.get(node) ?? -1;
    return at >= 0 && nodes.state[at] !== DOWN ? at : -1;
  };
  const spread = model.keyspaces.flatMap((k) => k.source.spread.map((s) => s.label));
  const kinds = failureDomains(
    nodes.ids.map((id, i) => ({ id, labels: nodes.labels[i]! })),
    spread,
  );
  const tables = model.keyspaces.map((k) => tableOfColumns(k, nodes.state));
  const tableOf = new Map(tables.map((t, i) => [t.keyspace, i]));
  const board = new RiskBoard(kinds, tables);
  return play(board, moves, (move) => {
    if (move.kind === 'leader') return;
    board.move(tableOf.get(move.keyspace)!, move.partition, liveIndex(move.from), liveIndex(move.to));
  });
};

const tableOfColumns = (columns: KeyspaceColumns, state: Uint8Array): CopyTable => {
  const stride = columns.stride + 1;
  const copies = new Int32Array(columns.partitions * stride).fill(-1);
  for (let row = 0; row < columns.partitions; row += 1) {
    let at = row * stride;
    for (let cell = row * columns.stride; cell < (row + 1) * columns.stride; cell += 1) {
      const node = columns.inSync[cell] === 1 ? columns.replicas[cell]! : -1;
      if (node >= 0 && state[node] !== DOWN) copies[at++] = node;
    }
  }
  const isIndexed = columns.ids.every((id, row) => id === row);
  const rows = isIndexed ? undefined : new Map(Array.from(columns.ids, (id, row) => [id, row]));
  const { name: keyspace, source } = columns;
  const rowOf = (partition: number): number => rows?.get(partition) ?? partition;
  return { keyspace, minInSync: source.minInSync, stride, copies, rowOf };
};

const play = (board: RiskBoard, moves: readonly PlanMove[], apply: (move: PlanMove) => void): Rehearsal => {
  const pointAt = (step: number): RehearsalPoint => ({ step, already: board.already, risks: board.risks() });
  const before = pointAt(0);
  const during: RehearsalPoint[] = [];
  let now = before;
  let steps = 0;
  for (let i = 0; i < moves.length; i += 1) {
    const { step } = moves[i]!;
    apply(moves[i]!);
    if (moves[i + 1]?.step === step) continue;
    steps = step;
    const next = pointAt(step);
    if (!isSame(now, next)) during.push(next);
    now = next;
  }
  return conclude(before, during, { ...now, step: steps }, steps);
};

const conclude = (
  before: RehearsalPoint,
  during: readonly RehearsalPoint[],
  after: RehearsalPoint,
  steps: number,
): Rehearsal => {
  const change = compareRisk(after, before);
  const raised = during.filter((point) => compareRisk(point, before) > 0);
  const verdict = change < 0 ? 'lowers' : change > 0 ? 'raises' : 'keeps';
  const raisedOnTheWay = raised.length > 0;
  const summary = `${sentenceOf(before, after, verdict)}${raisedOnTheWay ? `; step ${raised[0]!.step} ends with more at risk than before the plan` : '; no step raises it on the way'}`;
  return { before, during, after, steps, verdict, raisedOnTheWay, summary };
};

/** Data loss weighs more than a stop, and what is lost already more than what might be. */
const figuresOf = ({ already, risks }: RehearsalPoint): number[] => [
  already.dataLoss,
  already.unavailable,
  Math.max(0, ...risks.map((r) => r.dataLoss.partitions)),
  ...risks.map((r) => r.sumDataLoss),
  Math.max(0, ...risks.map((r) => r.unavailable.partitions)),
  ...risks.map((r) => r.sumUnavailable),
];

const compareRisk = (a: RehearsalPoint, b: RehearsalPoint): number => {
  const [fa, fb] = [figuresOf(a), figuresOf(b)];
  const at = fa.findIndex((x, i) => x !== fb[i]);
  return at < 0 ? 0 : fa[at]! - fb[at]!;
};

const isSame = (a: RehearsalPoint, b: RehearsalPoint): boolean =>
  a.already.unavailable === b.already.unavailable &&
  a.already.dataLoss === b.already.dataLoss &&
  a.risks.every((risk, i) => isSameRisk(risk, b.risks[i]!));

const isSameRisk = (a: DomainRisk, b: DomainRisk): boolean =>
  a.sumUnavailable === b.sumUnavailable &&
  a.sumDataLoss === b.sumDataLoss &&
  a.domainsUnavailable === b.domainsUnavailable &&
  a.domainsDataLoss === b.domainsDataLoss &&
  a.unavailable.partitions === b.unavailable.partitions &&
  a.dataLoss.partitions === b.dataLoss.partitions &&
  a.unavailable.domain === b.unavailable.domain &&
  a.dataLoss.domain === b.dataLoss.domain;

const sentenceOf = (before: RehearsalPoint, after: RehearsalPoint, verdict: RehearsalVerdict): string => {
  const worst = (point: RehearsalPoint): string => {
    const bad = point.risks.filter((r) => r.dataLoss.partitions > 0 || r.unavailable.partitions > 0);
    if (bad.length === 0) return 'the loss of any one domain stops and loses nothing';
    return bad
      .map(
        (r) =>
          `the loss of one ${r.label} stops up to ${r.unavailable.partitions} partitions and loses ${r.dataLoss.partitions === 0 ? 'none' : `up to ${r.dataLoss.partitions}`}`,
      )
      .join(', ');
  };
  if (verdict === 'keeps') return `the plan leaves the risk as it is: ${worst(after)}`;
  return `the plan ${verdict} the risk; before: ${worst(before)}; after: ${worst(after)}`;
};

const copyTableOf = ({ spec, records }: RehearsalKeyspace, liveIndex: (node: string) => number): CopyTable => {
  const widest = records.reduce((most, r) => Math.max(most, r.replicas.length), spec.replicationFactor);
  const stride = widest + 1;
  const copies = new Int32Array(records.length * stride).fill(-1);
  let isIndexed = true;
  for (let row = 0; row < records.length; row += 1) {
    const { partition, replicas } = records[row]!;
    if (partition !== row) isIndexed = false;
    let at = row * stride;
    for (const replica of replicas) {
      const node = replica.inSync ? liveIndex(replica.node) : -1;
      if (node >= 0) copies[at++] = node;
    }
  }
  const rows = isIndexed ? undefined : new Map(records.map((r, row) => [r.partition, row]));
  return {
    keyspace: spec.name,
    minInSync: spec.minInSync,
    stride,
    copies,
    rowOf: (partition) => rows?.get(partition) ?? partition,
  };
};
