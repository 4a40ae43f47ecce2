import { CadastreError, invalid } from '../errors.js';
import { checkScheme, checkWhole } from './check-scheme.js';
import { spaceOf } from './hash-functions.js';
import type { PartitioningChange, PartitionTable } from './partition-table.js';
import { changeBetween, nextVersion, partitionTable } from './partition-table.js';
import type { RingEntry } from './ring.js';
import { ringEntries } from './ring.js';
import type { RingNode, RingScheme } from './scheme.js';
import { seededRandom } from './seeded-random.js';
import { hexOf, sizeOf } from './token.js';

/** Proportional partitioning: each node brings its own tokens, so the number of partitions grows with the nodes. */

const ringOf = (table: PartitionTable): RingScheme => {
  if (table.scheme.kind === 'ring') return table.scheme;
  throw invalid(
    'scheme.kind',
    `${table.scheme.kind} is no ring`,
    'nodes join and leave a ring; elsewhere partitions move',
  );
};

const changeTo = (table: PartitionTable, nodes: readonly RingNode[]): PartitioningChange =>
  changeBetween(table, partitionTable(checkScheme({ ...nextVersion(ringOf(table)), nodes })));

const refuseKnown = (scheme: RingScheme, node: string): void => {
  if (node === '') throw invalid('node', 'is empty', 'give the name of the node');
  if (scheme.nodes.some((n) => n.node === node))
    throw invalid('node', `${node} is in the ring already`, 'choose another name');
};

/**
 * A joining node picks `vnodes` different ranges of the others at random and takes the lower half of each.
 * @param seed with the node's name it decides which ranges
 * @throws CadastreError INVALID_ARGUMENT when there are fewer ranges than vnodes, FAILED_PRECONDITION when too few can be halved
 */
export const joinRing = (table: PartitionTable, node: string, vnodes: number, seed = ''): PartitioningChange => {
  const scheme = ringOf(table);
  refuseKnown(scheme, node);
  const entries = ringEntries(scheme);
  checkWhole('vnodes', vnodes, 1, entries.length, `the ring has ${entries.length} ranges to split; use fewer vnodes`);
  const middles = entries.flatMap((_, i) => middleOf(scheme, entries, i) ?? []);
  if (middles.length < vnodes)
    throw new CadastreError(
      'FAILED_PRECONDITION',
      `vnodes: ${middles.length} ranges hold more than one token, ${vnodes} are to be split`,
      {
        field: 'vnodes',
        limit: `${middles.length}`,
        remedy: 'use fewer vnodes',
      },
    );
  return changeTo(table, [...scheme.nodes, { node, tokens: pick(middles, vnodes, `${seed}\u0000${node}`) }]);
};

/** A joining node brings tokens of its own choice (drawn with `drawTokens`, or of `NODE:vnodeI`) and takes what lies before each. */
export const joinRingAt = (table: PartitionTable, joining: RingNode): PartitioningChange => {
  refuseKnown(ringOf(table), joining.node);
  return changeTo(table, [...ringOf(table).nodes, joining]);
};

/** A leaving node's ranges merge each into the next one clockwise. */
export const leaveRing = (table: PartitionTable, node: string): PartitioningChange => {
  const { nodes } = ringOf(table);
  const left = nodes.filter((n) => n.node !== node);
  if (left.length === nodes.length) throw invalid('node', `${node} is not in the ring`, 'name one of its nodes');
  if (left.length === 0) throw invalid('node', `${node} is the last node`, 'let another node join first');
  return changeTo(table, left);
};

const pick = (from: readonly string[], count: number, seed: string): string[] => {
  const random = seededRandom(seed);
  const pool = [...from];
  for (let i = 0; i < count; i += 1) {
    const j = i + random.below(pool.length - i);
    [pool[i], pool[j]] = [pool[j]!, pool[i]!];
  }
  return pool.slice(0, count);
};

/** The token in the middle of (previous, token i]; undefined when there is none between. */
const middleOf = (scheme: RingScheme, entries: readonly RingEntry[], i: number): string | undefined => {
  const before = entries[(i + entries.length - 1) % entries.length]!.token;
  const { token } = entries[i]!;
  return scheme.hash === 'bytes'
    ? middleBytes(i === 0 ? new Uint8Array() : (before as Uint8Array), token as Uint8Array)
    : middleNumber(spaceOf(scheme.hash), before as bigint, token as bigint);
};

const middleNumber = (space: ReturnType<typeof spaceOf>, before: bigint, token: bigint): string | undefined => {
  const size = sizeOf(space);
  const width = token > before ? token - before : token - before + size;
  if (width < 2n) return undefined;
  return (space.min + ((before - space.min + width / 2n) % size)).toString();
};

/** Halfway between two byte strings read as fractions; one byte longer than the longer, without zeros at its end. */
const middleBytes = (before: Uint8Array, token: Uint8Array): string | undefined => {
  const length = Math.max(before.length, token.length) + 1;
  const valueOf = (bytes: Uint8Array): bigint =>
    bytes.reduce((value, byte) => value * 256n + BigInt(byte), 0n) * 256n ** BigInt(length - bytes.length);
  const [low, high] = [valueOf(before), valueOf(token)];
  if (high - low < 2n) return undefined;
  const middle = (low + high) / 2n;
  const bytes = Uint8Array.from({ length }, (_, i) => Number((middle >> BigInt(8 * (length - 1 - i))) & 255n));
  return hexOf(bytes).replace(/(00)+$/, '');
};
