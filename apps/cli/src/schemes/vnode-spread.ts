import { md5RingTokens } from '@cadastre/core';

/** How evenly a ring's token space lies on its nodes, over many rings: that of any one ring is a matter of luck, by its names. */
export interface VnodeRow {
  readonly vnodes: number;
  readonly rings: number;
  /** Standard deviation of the nodes' shares over the mean share: of the ring in the middle, and of one in ten worse. */
  readonly median: number;
  readonly p90: number;
  /** sqrt((N - 1) / (N V + 1)), the root mean square for random tokens (shares are Dirichlet distributed). */
  readonly expected: number;
}

const VNODES = [1, 16, 64, 256];
const RINGS = 201;
const TOKENS = 2 ** 32;

export const vnodeRows = (nodes: number): VnodeRow[] =>
  VNODES.map((vnodes) => {
    const rings = Math.min(RINGS, Math.max(11, Math.floor(400_000 / (nodes * vnodes))));
    const found = Array.from({ length: rings }, (_, ring) => deviationOf(ring, nodes, vnodes)).sort((a, b) => a - b);
    const at = (share: number) => found[Math.floor(share * (rings - 1))]!;
    return { vnodes, rings, median: at(0.5), p90: at(0.9), expected: Math.sqrt((nodes - 1) / (nodes * vnodes + 1)) };
  });

/** By the tokens themselves, as if keys were without number. */
const deviationOf = (ring: number, nodes: number, vnodes: number): number => {
  const names = Array.from({ length: nodes }, (_, i) => `ring${ring}-node${i}`);
  const tokens = md5RingTokens(names, vnodes)
    .flatMap(({ tokens: all }, node) => all.map((token) => ({ token: Number(token), node })))
    .sort((a, b) => a.token - b.token);
  const held = new Float64Array(nodes);
  tokens.forEach(({ token, node }, i) => {
    held[node]! += i === 0 ? token + TOKENS - tokens.at(-1)!.token : token - tokens[i - 1]!.token;
  });
  const mean = TOKENS / nodes;
  return Math.sqrt(held.reduce((sum, h) => sum + (h - mean) ** 2, 0) / nodes) / mean;
};
