import { votersOf } from '../map/records.js';
import { NOWHERE } from '../placement/board.js';
import type { Solution } from './keyspace-plan.js';
import type { MoveKind } from './plan.js';
import type { Cause, Leaver } from './world.js';
import { violations } from './world.js';

/** Why a move is there; also the order in which moves begin. */
export const MOVE_CAUSES = ['down', 'short', 'spread', 'draining', 'balance', 'leaders'] as const;
export type MoveCause = (typeof MOVE_CAUSES)[number];

/** A move without its place in the plan. `nth` counts the moves of one partition, which run one after the other. */
export interface Change {
  readonly kind: MoveKind;
  /** Position in the solution's parts. */
  readonly part: number;
  readonly nth: number;
  readonly from: string;
  readonly to: string;
  readonly leaderAfter: string;
  readonly cause: MoveCause;
}

interface Leaving {
  readonly node: string;
  readonly cause: Cause | 'balance';
}

interface Exchange {
  readonly from: string;
  readonly to: string;
  readonly cause: MoveCause;
}

/** The changes of one partition in an order in which no hard constraint is newly broken on the way. */
export const changesOf = (solution: Solution, part: number): Change[] => {
  const { parts, board, leader, world } = solution;
  const { record, leader: led } = parts[part]!;
  const final = leader[part]! >= 0 ? world.ids[leader[part]!]! : '';
  const exchanges = board.changed(part) ? exchangesOf(solution, part) : [];
  if (exchanges.length === 0)
    return final === '' || final === led
      ? []
      : [{ kind: 'leader', part, nth: 0, from: led ?? '', to: final, leaderAfter: final, cause: 'leaders' }];
  const canLead = new Set(record.replicas.filter((r) => r.inSync).map((r) => r.node));
  let now = led ?? '';
  return exchanges.map(({ from, to, cause }, nth) => {
    canLead.add(to);
    canLead.delete(from);
    if (nth === exchanges.length - 1 && final !== '') now = final;
    else if (from !== '' && from === now) now = canLead.has(final) ? final : to;
    return { kind: from === '' ? 'add' : 'replica', part, nth, from, to, leaderAfter: now, cause };
  });
};

const exchangesOf = (solution: Solution, part: number): Exchange[] => {
  const { board, world, parts } = solution;
  const { leavers, record } = parts[part]!;
  const voters = votersOf(record);
  const final = new Set(board.now[part]!.map((node) => world.ids[node]!));
  // A copy that had to leave may be let back when another one has made room: then it stays.
  const arriving = [...final].filter((node) => !voters.includes(node));
  const moved = board.was[part]!.flatMap((was, slot) =>
    was !== NOWHERE && was !== board.now[part]![slot] ? [world.ids[was]!] : [],
  );
  const leaving: Leaving[] = moved.filter((node) => !final.has(node)).map((node) => ({ node, cause: 'balance' }));
  const able = leavers.filter((l) => !final.has(l.node));
  const staying = stayers(able, able.length - (arriving.length - leaving.length), final, (nodes) =>
    violations(world, nodes),
  );
  const out = [...able.filter((l) => !staying.has(l.node)), ...leaving];
  const causes = new Map(out.map((l) => [l.node, l.cause]));
  const ordered = arrange(
    voters,
    out.map((l) => l.node),
    arriving,
    (nodes) => violations(world, nodes),
  );
  return ordered.map(({ from, to }) => ({ from, to, cause: from === '' ? 'short' : causes.get(from)! }));
};

/** Where not all can leave, those stay whose place no newcomer takes, the least urgent first. */
const stayers = (
  leavers: readonly Leaver[],
  count: number,
  final: ReadonlySet<string>,
  broken: (nodes: readonly string[]) => number,
): Set<string> => {
  const stay = new Set<string>();
  const least = [...leavers].reverse();
  for (const { node } of least) {
    const set = [...final, ...stay];
    if (stay.size < count && broken([...set, node]) <= broken(set)) stay.add(node);
  }
  for (const { node } of least) if (stay.size < count) stay.add(node);
  return stay;
};

type Pair = Pick<Exchange, 'from' | 'to'>;

/**
 * Pairs those that leave with those that arrive, and orders the pairs, so that the count of violations never rises; copies
 * without a source come last, when room has been made. A pairing exists for nested labels (exchange property of matroids); the
 * search is bounded by the replication factor, and falls back to plain order for labels that cut across each other.
 */
export const arrange = (
  voters: readonly string[],
  out: readonly string[],
  into: readonly string[],
  broken: (nodes: readonly string[]) => number,
): Pair[] => {
  const pairs: Pair[] = [];
  let budget = 20_000;
  const search = (now: readonly string[], leave: readonly string[], arrive: readonly string[]): boolean => {
    if (arrive.length === 0) return true;
    const before = broken(now);
    for (const from of leave.length > 0 ? leave : ['']) {
      for (const to of arrive) {
        if ((budget -= 1) < 0) return false;
        const next = [...now.filter((n) => n !== from), to];
        if (broken(next) > before) continue;
        pairs.push({ from, to });
        if (
          search(
            next,
            leave.filter((n) => n !== from),
            arrive.filter((n) => n !== to),
          )
        )
          return true;
        pairs.pop();
      }
    }
    return false;
  };
  if (search(voters, out, into)) return pairs;
  return into.map((to, i) => ({ from: out[i] ?? '', to }));
};
