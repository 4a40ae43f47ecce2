import type { Board } from './board.js';
import type { Domains, Group } from './domains.js';
import { mix } from './mix.js';
import type { Aims } from './shares.js';
import { admits, fairShares, plainShares, wholeAims } from './shares.js';

/** @param copies of each partition, at most what the domains can hold */
export const replicaAims = (
  domains: Domains,
  partitions: number,
  copies: number,
  have: Int32Array,
  seed: number,
): Aims => {
  const bounds = {
    capOf: (group: Group): number => group.slots * partitions,
    leastOf: (group: Group): number => group.least * partitions,
  };
  const plain = plainShares(domains, partitions * copies);
  // A constraint that bends shares, and yet leaves room for each node's own share in whole copies, forces no node out of it.
  const share = admits(domains, plain, partitions * copies, bounds)
    ? plain
    : fairShares(domains, partitions * copies, bounds);
  return wholeAims(domains, share, partitions * copies, have, bounds, (node) => mix(seed, node, 2));
};

/** Shares of one class among nodes that hold others too. */
interface Part {
  readonly domains: Domains;
  readonly partitions: number;
  readonly copies: number;
}

/** Rounds until the shares of classes that overlap have settled: each takes the least filled of its nodes, given the others. */
const ROUNDS = 60;

/** Aims over all partitions of a board, whatever class they are of. */
export const boardAims = (board: Board, have: Int32Array, seed: number): Aims => {
  const partitions = new Int32Array(board.classes.length);
  for (let p = 0; p < board.partitions; p += 1) if (board.absent[p] === 0) partitions[board.classOf[p]!]! += 1;
  const parts = board.classes
    .map(({ domains, copies }, i): Part => ({ domains, copies, partitions: partitions[i]! }))
    .filter((part) => part.partitions > 0);
  const [only] = parts;
  if (!only) return replicaAims(board.classes[0]!.domains, 0, 0, have, seed);
  if (parts.length === 1) return replicaAims(only.domains, only.partitions, only.copies, have, seed);
  const share = sharedShares(parts, board.nodes);
  const total = parts.reduce((sum, p) => sum + p.partitions * p.copies, 0);
  return wholeAims(
    union(parts, board.nodes),
    share,
    total,
    have,
    { capOf: () => Infinity },
    (n) => mix(seed, n, 2),
    1e-3,
  );
};

const sharedShares = (parts: readonly Part[], nodes: number): Float64Array => {
  const sum = new Float64Array(nodes);
  const own: Float64Array[] = parts.map(() => new Float64Array(nodes));
  for (let round = 0; round < ROUNDS; round += 1) {
    let changed = 0;
    parts.forEach(({ domains, partitions, copies }, i) => {
      for (let n = 0; n < nodes; n += 1) sum[n]! -= own[i]![n]!;
      const share = fairShares(domains, partitions * copies, {
        capOf: (group) => group.slots * partitions,
        leastOf: (group) => group.least * partitions,
        base: sum,
      });
      for (let n = 0; n < nodes; n += 1) {
        changed = Math.max(changed, Math.abs(share[n]! - own[i]![n]!));
        sum[n]! += share[n]!;
      }
      own[i] = share;
    });
    if (changed < 1e-7) break;
  }
  return sum;
};

/** All nodes that some class may use, side by side. */
const union = (parts: readonly Part[], nodes: number): Domains => {
  const leaves = new Array<Group | undefined>(nodes);
  for (const { domains } of parts)
    domains.pathOf.forEach((path, node) => {
      if (path.length > 0) leaves[node] ??= path.at(-1)!;
    });
  const children = leaves.filter((leaf) => leaf !== undefined).map((leaf, id): Group => ({ ...leaf, id: id + 1 }));
  const root: Group = { id: 0, node: -1, constraint: -1, domain: -1, children, weight: 1, slots: Infinity, least: 0 };
  const pathOf: Group[][] = Array.from({ length: nodes }, () => []);
  for (const child of children) pathOf[child.node] = [root, child];
  return { size: nodes, constraints: [], root, groups: children.length + 1, pathOf };
};
