import { compareBytes } from '../bytes.js';
import { invalid } from '../errors.js';
import { LIMITS } from '../limits.js';
import { checkScheme, checkWhole } from './check-scheme.js';
import { compareTokens } from './partition-table.js';
import type { Partitioner } from './partitioner.js';
import { createPartitioner } from './partitioner.js';
import type { HashRangeScheme, RangeScheme } from './scheme.js';
import type { Token } from './token.js';
import { formatToken } from './token.js';

/** A key that stands for its neighbours: by the bytes stored, the requests served, or alike when no weight is given. */
export interface SampledKey {
  readonly key: Uint8Array;
  /** At least 0; 1 unless given. */
  readonly weight?: number;
}

interface WeightedToken {
  readonly token: Token;
  readonly weight: number;
}

/** Each token once, ascending, with the weight of all its keys. @throws CadastreError INVALID_ARGUMENT for a weight below 0 */
const weighTokens = (partitioner: Partitioner, sample: readonly SampledKey[]): WeightedToken[] => {
  sample.forEach(({ weight = 1 }, i) => {
    if (!Number.isFinite(weight) || weight < 0)
      throw invalid(`sample[${i}].weight`, `${weight} is no weight`, 'give bytes or requests', 'at least 0');
  });
  const tokens = sample
    .map(({ key, weight = 1 }) => ({ token: partitioner.token(key), weight }))
    .sort((a, b) => compareTokens(a.token, b.token));
  const merged: { token: Token; weight: number }[] = [];
  for (const each of tokens) {
    const last = merged.at(-1);
    if (last && compareTokens(last.token, each.token) === 0) last.weight += each.weight;
    else merged.push({ ...each });
  }
  return merged;
};

/** The token that begins the upper half of the partition's sample; undefined when it has fewer than two tokens. */
export const medianToken = (
  partitioner: Partitioner,
  partition: number,
  sample: readonly SampledKey[],
): Token | undefined => {
  const tokens = weighTokens(
    partitioner,
    sample.filter(({ key }) => partitioner.partitionOf(key) === partition),
  );
  return cut(tokens, 2)[0];
};

/** Tokens where parts 1, 2, ... of about equal weight begin, ascending; fewer than asked for when tokens are few. */
const cut = (tokens: readonly WeightedToken[], parts: number): Token[] => {
  const total = tokens.reduce((sum, t) => sum + t.weight, 0);
  const cuts: Token[] = [];
  let below = 0;
  let from = 1;
  for (let part = 1; part < parts; part += 1) {
    const aim = (total * part) / parts;
    while (from < tokens.length && isNearer(below + tokens[from - 1]!.weight, tokens[from]!.weight, aim)) {
      below += tokens[from - 1]!.weight;
      from += 1;
    }
    if (from >= tokens.length) break;
    cuts.push(tokens[from]!.token);
    below += tokens[from - 1]!.weight;
    from += 1;
  }
  return cuts;
};

/** True when the weight below the cut comes nearer to its aim with one more token. */
const isNearer = (below: number, next: number, aim: number): boolean =>
  Math.abs(below + next - aim) < Math.abs(below - aim);

/**
 * The scheme with partitions of about equal weight by a sample, made before there is data. Fewer than asked for when the sample has
 * fewer tokens.
 * @throws CadastreError INVALID_ARGUMENT when the sample is empty or the count is not one
 */
export const preSplitFromSample = <S extends HashRangeScheme | RangeScheme>(
  scheme: S,
  sample: readonly SampledKey[],
  partitions: number,
): S => {
  checkWhole('partitions', partitions, 1, LIMITS.partitionsMax);
  if (sample.length === 0) throw invalid('sample', 'is empty', 'give keys as they will come', 'at least 1 key');
  const whole =
    scheme.kind === 'range' ? { ...scheme, splitPoints: [] } : { ...scheme, partitions: 1, splitPoints: [] };
  const cuts = cut(weighTokens(createPartitioner(whole), sample), partitions);
  return withPoints(scheme, cuts);
};

/**
 * The scheme with partitions that begin at the given points, in any order.
 * @throws CadastreError INVALID_ARGUMENT naming a point that is there twice or is none
 */
export const preSplitAt = <S extends HashRangeScheme | RangeScheme>(scheme: S, points: readonly Token[]): S => {
  const isBytes = scheme.kind === 'range';
  points.forEach((point, i) => {
    if (point instanceof Uint8Array !== isBytes)
      throw invalid(`points[${i}]`, 'is of the wrong kind', isBytes ? 'give bytes' : 'give whole numbers');
  });
  const sorted = [...points].sort((a, b) =>
    typeof a === 'bigint' ? (a < (b as bigint) ? -1 : 1) : compareBytes(a, b as Uint8Array),
  );
  return withPoints(scheme, sorted);
};

const withPoints = <S extends HashRangeScheme | RangeScheme>(scheme: S, points: readonly Token[]): S =>
  checkScheme(
    scheme.kind === 'range'
      ? { ...scheme, splitPoints: points as Uint8Array[] }
      : { ...scheme, partitions: points.length + 1, splitPoints: points.map(formatToken) },
  );
