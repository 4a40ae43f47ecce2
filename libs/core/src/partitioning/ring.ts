import { compareBytes } from '../bytes.js';
import { hashFunction, spaceOf } from './hash-functions.js';
import { search, tokenOf } from './hash-range.js';
import { isEmptyRange, isOneHash, isOneKey, keyPartOf } from './key-part.js';
import type { Partitioner, TokenRange } from './partitioner.js';
import type { RingScheme } from './scheme.js';
import type { Token } from './token.js';
import { bytesOfHex } from './token.js';
import { tableBytes } from './token-table.js';

/** A ring's tokens in order, each with its node: token i ends partition i. */
export interface RingEntry<T extends Token = Token> {
  readonly token: T;
  readonly text: string;
  readonly node: string;
}

export const ringEntries = (scheme: RingScheme): RingEntry[] =>
  scheme.hash === 'bytes'
    ? sorted(scheme, (text) => bytesOfHex('scheme.nodes', text), compareBytes)
    : sorted(scheme, BigInt, (a, b) => (a < b ? -1 : a > b ? 1 : 0));

const sorted = <T extends Token>(scheme: RingScheme, parse: (text: string) => T, order: (a: T, b: T) => number) =>
  scheme.nodes
    .flatMap(({ node, tokens }) => tokens.map((text): RingEntry<T> => ({ token: parse(text), text, node })))
    .sort((a, b) => order(a.token, b.token));

/**
 * A token belongs to the first ring token that is not below it, clockwise. The search wants where each range begins: just after
 * the token before; what comes after the last token belongs to the first.
 */
export const compileRing = (scheme: RingScheme): Partitioner => {
  const entries = ringEntries(scheme);
  const partitions = entries.length;
  const isBytes = scheme.hash === 'bytes';
  const begins = isBytes
    ? entries.map((e) => justAfter(e.token as Uint8Array))
    : entries.map((e) => (e.token as bigint) + 1n);
  const part = keyPartOf(scheme);
  const segmentOf = isBytes ? tableBytes(begins as Uint8Array[]) : part.on(searchRing(scheme, begins as bigint[]));
  const partitionOf = (key: Uint8Array): number => {
    const segment = segmentOf(key);
    return segment === partitions ? 0 : segment;
  };
  return {
    scheme,
    partitions,
    token: scheme.hash === 'bytes' ? (key) => key : part.on(tokenOf(hashFunction(scheme.hash))),
    partitionOf,
    partitionsFor: (start, end) => {
      if (isEmptyRange(start, end)) return [];
      if (isOneKey(start, end) || (!isBytes && isOneHash(part, start, end))) return [partitionOf(start)];
      if (!isBytes) return Array.from({ length: partitions }, (_, i) => i);
      return segmentsFor(segmentOf, begins as Uint8Array[], start, end).map((s) => s % partitions);
    },
    ordered: false,
    rangesOf: (p) => rangesOf(scheme, begins, p),
    ownerOf: (p) => entries[p]?.node,
  };
};

const searchRing = (scheme: RingScheme, begins: readonly bigint[]) => {
  const hash = scheme.hash as Exclude<RingScheme['hash'], 'bytes'>;
  const { max } = spaceOf(hash);
  return search(hashFunction(hash), begins.at(-1)! > max ? begins.slice(0, -1) : begins);
};

const justAfter = (token: Uint8Array): Uint8Array => {
  const after = new Uint8Array(token.length + 1);
  after.set(token);
  return after;
};

/** Segments of an ordered ring that hold keys in [start, end); the last one is the first partition again. */
const segmentsFor = (
  segmentOf: (key: Uint8Array) => number,
  begins: readonly Uint8Array[],
  start: Uint8Array,
  end: Uint8Array | undefined,
): number[] => {
  const result: number[] = [segmentOf(start)];
  for (let s = result[0]! + 1; s <= begins.length; s += 1) {
    if (end && compareBytes(begins[s - 1]!, end) >= 0) break;
    if (s < begins.length || result[0] !== 0) result.push(s);
  }
  return result;
};

const rangesOf = (scheme: RingScheme, begins: readonly Token[], p: number): TokenRange[] => {
  if (p > 0) return [{ start: begins[p - 1], end: endOf(scheme, begins[p]!) }];
  const last = endOf(scheme, begins.at(-1)!);
  const head = { start: undefined, end: endOf(scheme, begins[0]!) };
  return last === undefined || head.end === undefined ? [head] : [head, { start: last, end: undefined }];
};

const endOf = (scheme: RingScheme, token: Token): Token | undefined =>
  scheme.hash !== 'bytes' && (token as bigint) > spaceOf(scheme.hash).max ? undefined : token;
