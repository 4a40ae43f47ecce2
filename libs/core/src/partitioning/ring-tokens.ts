import { invalid } from '../errors.js';
import { LIMITS } from '../limits.js';
import { checkWhole } from './check-scheme.js';
import { spaceOf } from './hash-functions.js';
import { md5First32 } from './hashes/index.js';
import type { RingHash, RingNode } from './scheme.js';
import { seededRandom } from './seeded-random.js';
import { hexOf, sizeOf } from './token.js';

/** Bytes of a random token where keys are their own tokens, as many as Cassandra's ByteOrderedPartitioner draws. */
const RANDOM_TOKEN_BYTES = 16;

/** @throws CadastreError INVALID_ARGUMENT when names or counts cannot make a ring of `hash` */
export const checkRingSize = (hash: RingHash, nodes: readonly string[], vnodes: number): void => {
  if (nodes.length === 0) throw invalid('nodes', 'is empty', 'name at least one node', 'at least 1');
  nodes.forEach((node, i) => {
    if (typeof node !== 'string' || node === '') throw invalid(`nodes[${i}]`, 'is empty', 'give the name of the node');
    if (nodes.indexOf(node) !== i) throw invalid(`nodes[${i}]`, `${node} is there twice`, 'name each node once');
  });
  checkWhole('vnodes', vnodes, 1, LIMITS.partitionsMax, 'give how many tokens each node has; 16 to 256 are usual');
  const total = vnodes * nodes.length;
  const tokens = hash === 'bytes' ? BigInt(LIMITS.partitionsMax) : sizeOf(spaceOf(hash));
  if (total > LIMITS.partitionsMax || BigInt(total) > tokens)
    throw invalid(
      'vnodes',
      `${vnodes} on each of ${nodes.length} nodes are more than the ring holds`,
      'give fewer vnodes',
      `${LIMITS.partitionsMax} tokens`,
    );
};

/**
 * `vnodes` random tokens for each node, from seed and name alone: the same node has the same tokens whoever its neighbours are.
 * A token that is taken is drawn again.
 */
export const seededTokens = (hash: RingHash, nodes: readonly string[], vnodes: number, seed = ''): RingNode[] => {
  checkRingSize(hash, nodes, vnodes);
  const taken = new Set<string>();
  return nodes.map((node) => ({ node, tokens: drawTokens(hash, node, vnodes, seed, taken) }));
};

export const drawTokens = (
  hash: RingHash,
  node: string,
  vnodes: number,
  seed: string,
  taken: Set<string>,
): string[] => {
  const random = seededRandom(`${seed}\u0000${node}`);
  const draw = (): string => {
    if (hash === 'bytes') return hexOf(Uint8Array.from({ length: RANDOM_TOKEN_BYTES }, () => random.below(256)));
    const space = spaceOf(hash);
    return (space.min + random.bigBelow(sizeOf(space))).toString();
  };
  return Array.from({ length: vnodes }, () => {
    let token = draw();
    while (taken.has(token)) token = draw();
    taken.add(token);
    return token;
  });
};

/**
 * Positions of the classic MD5 ring: the first 32 bits of MD5 of `NODE:vnodeI`, I from 0. Two names may meet at one position; the
 * node that was named first keeps it, and the other has one vnode fewer.
 */
export const md5RingTokens = (nodes: readonly string[], vnodes: number): RingNode[] => {
  checkRingSize('md5-32', nodes, vnodes);
  const taken = new Set<number>();
  const text = new TextEncoder();
  return nodes.map((node) => {
    const tokens: string[] = [];
    for (let i = 0; i < vnodes; i += 1) {
      const name = text.encode(`${node}:vnode${i}`);
      const position = md5First32(name, 0, name.length);
      if (taken.has(position)) continue;
      taken.add(position);
      tokens.push(position.toString());
    }
    return { node, tokens };
  });
};
