import { Board } from '../placement/board.js';
import type { PlannerNode } from '../placement/domains.js';
import { balanceLeaders } from '../placement/leaders.js';
import { mixedOrder, seedOf } from '../placement/mix.js';
import { rebalance, replicaAims, settle } from '../placement/replicas.js';
import { mostCopies } from '../placement/satisfiable.js';
import type { Aims } from '../placement/shares.js';
import type { PlanKeyspace } from './plan.js';
import type { Part, World } from './world.js';
import { hasSource, partOf, worldOf } from './world.js';

/** Where everything of a keyspace should stand, before it is put into moves. Arrays run by position in `parts`. */
export interface Solution {
  readonly world: World;
  readonly parts: readonly Part[];
  readonly board: Board;
  /** Index of the leader, or -1 where planning leaves it alone. */
  readonly leader: Int32Array;
  readonly replicaAims: Aims;
  readonly leaderAims: Aims;
  /** Replicas and leaders by node index, before. */
  readonly replicasBefore: Int32Array;
  readonly leadersBefore: Int32Array;
  readonly lowerBound: number;
  /** Partitions that planning cannot help: no in-sync copy is on a node that runs. */
  readonly dead: number;
}

export const solveKeyspace = (keyspace: PlanKeyspace, nodes: readonly PlannerNode[]): Solution => {
  const { spec } = keyspace;
  const world = worldOf(spec, nodes);
  const records = [...keyspace.records].sort((a, b) => a.partition - b.partition);
  const parts = records.filter((r) => hasSource(world, r)).map((r) => partOf(world, r));
  const seed = seedOf(spec.name);
  const order = mixedOrder(parts.length, seed);
  const board = new Board(
    world.domains,
    parts.map((p) => p.kept),
    order,
  );
  const replicasBefore = board.count.slice();
  const leadersBefore = countLeaders(world, parts);
  const copies = Math.min(spec.replicationFactor, mostCopies(world.domains));
  const aims = replicaAims(world.domains, parts.length, copies, board.count, seed);
  const missing = Uint8Array.from(parts, (p) => Math.max(0, copies - p.kept.length));
  settle(board, aims, missing, order, seed, false);
  rebalance(board, aims, seed, leadersFirst(world, parts, leadersBefore));
  const leader = settledLeaders(world, parts, board);
  const leaderAims = balanceLeaders(
    world.domains,
    { candidates: candidatesOf(world, parts, board), leader },
    order,
    seed,
  );
  const lowerBound = boundOf(world, parts, copies, seed);
  return {
    world,
    parts,
    board,
    leader,
    replicaAims: aims,
    leaderAims,
    replicasBefore,
    leadersBefore,
    lowerBound,
    dead: records.length - parts.length,
  };
};

/**
 * Each replica that a node gains is one move, so the gains up to the nearest balanced counts are a lower bound, and so are the
 * copies that are missing. Copies that break the spread count as held: which of them leaves is free.
 */
const boundOf = (world: World, parts: readonly Part[], copies: number, seed: number): number => {
  const have = new Int32Array(world.ids.length);
  let missing = 0;
  for (const { kept, leavers } of parts) {
    missing += Math.max(0, copies - kept.length);
    for (const node of kept) have[node]! += 1;
    for (const { node, cause } of leavers) if (cause === 'spread') have[world.indexOf.get(node)!]! += 1;
  }
  const { want } = replicaAims(world.domains, parts.length, copies, have, seed);
  return Math.max(
    missing,
    want.reduce((sum, aim, n) => sum + Math.max(0, aim - have[n]!), 0),
  );
};

const countLeaders = (world: World, parts: readonly Part[]): Int32Array => {
  const count = new Int32Array(world.ids.length);
  for (const { leader } of parts) {
    const index = leader === undefined ? undefined : world.indexOf.get(leader);
    if (index !== undefined) count[index]! += 1;
  }
  return count;
};

/** A node sheds as many partitions that it leads as it leads too many, so that evening out the leaders costs nothing more. */
const leadersFirst = (world: World, parts: readonly Part[], leaders: Int32Array) => {
  const weight = world.domains.root.weight;
  return (node: number, partitions: readonly number[], surplus: number): readonly number[] => {
    const share = (parts.length * world.domains.pathOf[node]!.at(-1)!.weight) / weight;
    const tooMany = Math.min(surplus, Math.max(0, leaders[node]! - Math.ceil(share)));
    const led = partitions.filter((p) => parts[p]!.leader === world.ids[node]);
    const leading = new Set(led.slice(0, tooMany));
    const others = new Set(led.slice(tooMany));
    return [...leading, ...partitions.filter((p) => !leading.has(p) && !others.has(p)), ...others];
  };
};

/** Those in sync, and those that will be when their copy has been built. */
const candidatesOf = (world: World, parts: readonly Part[], board: Board): number[][] =>
  parts.map((part, p) => {
    if (!board.changed(p) && isLeftToFailover(world, part)) return [];
    const inSync = new Set(part.record.replicas.filter((r) => r.inSync).map((r) => r.node));
    return board.now[p]!.filter((node, slot) => board.was[p]![slot] !== node || inSync.has(world.ids[node]!)).sort(
      (a, b) => a - b,
    );
  });

/** A dead leader is replaced by failover, without a plan. */
const isLeftToFailover = (world: World, part: Part): boolean =>
  part.leader === undefined || world.stateOf(part.leader) === 'down';

const settledLeaders = (world: World, parts: readonly Part[], board: Board): Int32Array =>
  Int32Array.from(parts, (part, p) => {
    const index = part.leader === undefined ? undefined : world.indexOf.get(part.leader);
    return index !== undefined && board.now[p]!.includes(index) ? index : -1;
  });
