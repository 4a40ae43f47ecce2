import {
  invalid,
  joinFixed,
  joinRing,
  movePartitions,
  type PartitioningChange,
  type PartitionTable,
  partitionTable,
} from '@cadastre/core';

/** The data that moves when one node joins, by the way that partitions change. */
export interface JoinRow {
  readonly partitioning: 'fixed' | 'dynamic' | 'proportional';
  readonly movedGb: number;
  /** What was assumed, and the arithmetic. */
  readonly because: string;
}

export interface JoinSetting {
  readonly dataGb: number;
  readonly nodes: number;
  /** At which a dynamic range splits. */
  readonly splitGb: number;
}

/** Of the example that is always shown: a fourth node joins three with 100 GB each. */
export const JOIN_EXAMPLE: JoinSetting = { dataGb: 300, nodes: 3, splitGb: 100 };

const SLOTS_A_NODE = 400;
const VNODES = 256;
const JOINING = 'joining';

/**
 * Three ways to take a node in (terms of Kleppmann, Designing Data-Intensive Applications, chapter 6), with data spread evenly over
 * the tokens. Each figure is the exact share that the change of partitioning reports, times the data; for 300 GB on 3 nodes:
 * - fixed: many small partitions, only whole ones move; the new node takes its even share of them: 300 / 4 = 75 GB.
 * - dynamic: ranges of the split size that move whole. At 100 GB there are 3, one a node, none above the size at which it splits.
 *   A fair share of 75 GB is 0.75 ranges; the nearest whole number is 1: 100 GB. (The node that gave it is empty until a range
 *   splits. With smaller ranges the figure nears that of fixed: ranges of 10 GB give 8 of 30, 80 GB.)
 * - proportional: every node has V ranges, so each holds 300 / (3 V) GB. The new node splits V different ones and takes one half of
 *   each: V * 300 / (3 V) / 2 = 50 GB, whatever V is. It holds less than its fair share of 75 GB; nodes whose ranges were not split
 *   keep more.
 */
export const joinRows = (setting: JoinSetting): JoinRow[] => [fixed(setting), dynamic(setting), proportional(setting)];

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `n${i + 1}`);

const movedGb = ({ moved }: PartitioningChange, dataGb: number): number => moved.share * dataGb;

const dealt = (partitions: number, nodes: number): string[] => {
  const all = names(nodes);
  return Array.from({ length: partitions }, (_, p) => all[p % nodes]!);
};

const fixed = ({ dataGb, nodes }: JoinSetting): JoinRow => {
  // As many as every node, and the nodes with the new one, can share evenly.
  const slots = SLOTS_A_NODE * nodes * (nodes + 1);
  const table = partitionTable({ kind: 'hash-slots', hash: 'murmur3', hashTags: false, slots }, dealt(slots, nodes));
  return {
    partitioning: 'fixed',
    movedGb: movedGb(joinFixed(table, JOINING), dataGb),
    because: `many partitions, moved whole: an even share, ${dataGb} GB / ${nodes + 1} nodes`,
  };
};

const dynamic = ({ dataGb, nodes, splitGb }: JoinSetting): JoinRow => {
  const ranges = Math.max(1, Math.ceil(dataGb / splitGb));
  const table: PartitionTable = partitionTable(
    { kind: 'hash-range', hash: 'murmur3', partitions: ranges },
    dealt(ranges, nodes),
  );
  const fair = dataGb / (nodes + 1);
  const whole = Math.min(ranges, Math.max(1, Math.round((fair * ranges) / dataGb)));
  const moves = Array.from({ length: whole }, (_, partition) => ({ partition, to: JOINING }));
  return {
    partitioning: 'dynamic',
    movedGb: movedGb(movePartitions(table, moves), dataGb),
    because:
      `${ranges} ranges of ${tidy(dataGb / ranges)} GB (they split above ${tidy(splitGb)} GB), moved whole: ` +
      `the fair share of ${tidy(fair)} GB is nearest to ${whole} of them`,
  };
};

const proportional = ({ dataGb, nodes }: JoinSetting): JoinRow => {
  const table = partitionTable({ kind: 'ring', hash: 'murmur3', nodes: evenRing(nodes) });
  return {
    partitioning: 'proportional',
    movedGb: movedGb(joinRing(table, JOINING, VNODES), dataGb),
    because:
      `${VNODES} equal ranges a node: the new node halves ${VNODES} of ${VNODES * nodes} and takes one half of each, ` +
      `${dataGb} GB / ${nodes} / 2`,
  };
};

/** `VNODES` tokens a node at equal distances, dealt in turn. */
const evenRing = (nodes: number) => {
  const total = BigInt(VNODES * nodes);
  const tokens = Array.from({ length: VNODES * nodes }, (_, i) =>
    ((2n ** 32n * BigInt(i + 1)) / total - 1n).toString(),
  );
  return names(nodes).map((node, n) => ({ node, tokens: tokens.filter((_, i) => i % nodes === n) }));
};

export const tidy = (value: number): string => `${Math.round(value * 10) / 10}`;

/** @throws CadastreError INVALID_ARGUMENT naming the flag */
export const checkGb = (field: string, text: string): number => {
  const value = Number(text);
  if (!/^[0-9]+(\.[0-9]+)?$/.test(text) || !(value > 0) || value > 1e9)
    throw invalid(field, `"${text}" is no amount of data`, 'give GB above 0, such as 300', '0 to 1,000,000,000');
  return value;
};
