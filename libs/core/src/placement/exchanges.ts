import type { Board } from './board.js';
import { NOWHERE } from './board.js';
import type { Aims } from './shares.js';

/** One copy out of balance outweighs any number of moves that a bounded search sees. */
const OUT_OF_BALANCE = 2 ** 24;
/** Looks at a place for a copy, over a whole search. */
const LOOKS = 24_000_000;
/** Nodes of a table of exchanges. */
const MOST_NODES = 128;

/** What the search may touch, and what costs nothing. */
export interface Stock {
  /** Partitions whose copies may be exchanged. */
  readonly isOpen: (p: number) => boolean;
  /** Nodes that have a copy beside those that the board kept: it may stay after all, in place of another. */
  readonly others: ReadonlyMap<number, readonly number[]>;
}

export interface Exchanged {
  /** Partitions, ascending. */
  readonly changed: readonly number[];
  /** No cycle of exchanges lowers the cost: where all labels nest and all partitions are open, no placement is cheaper. */
  readonly isCheapest: boolean;
}

/** A copy of `p` goes from one node to another. */
interface Exchange {
  readonly p: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Makes a placement the cheapest of all with balanced counts: fewest copies where there was none before. For each partition the sets
 * that nested constraints allow are the bases of a matroid, so placements are a flow from partitions through domains to nodes, and a flow
 * is cheapest when no cycle of exchanges lowers its cost (Klein, 1967). Cycles are found by Bellman and Ford's method over a table of the
 * cheapest exchange between each two nodes. Bounded: where a table would be too large nothing is done.
 */
export const exchange = (board: Board, aims: Aims, stock: Stock): Exchanged => {
  const { nodes } = board;
  const look = board.now.length * nodes + nodes ** 3;
  if (nodes > MOST_NODES) return { changed: [], isCheapest: false };
  const table = new Table(board, aims, stock);
  const changed = new Set<number>();
  let isCheapest = false;
  for (let rounds = Math.floor(LOOKS / look); rounds > 0; rounds -= 1) {
    table.fill();
    const cycle = table.negativeCycle();
    if (!cycle) {
      isCheapest = table.isWhole;
      break;
    }
    if (apply(board, cycle)) for (const { p } of cycle) changed.add(p);
    else for (const each of cycle) table.ban(each);
  }
  return { changed: [...changed].sort((a, b) => a - b), isCheapest };
};

const apply = (board: Board, cycle: readonly Exchange[]): boolean => {
  const done: Exchange[] = [];
  let waiting = [...cycle];
  while (waiting.length > 0) {
    const next = waiting.find(({ p, from, to }) => {
      const slot = board.slotOf(p, from);
      return slot >= 0 && board.canHold(p, to, slot);
    });
    if (!next) break;
    board.move(next.p, board.slotOf(next.p, next.from), next.to);
    done.push(next);
    waiting = waiting.filter((each) => each !== next);
  }
  if (waiting.length === 0) return true;
  for (const { p, from, to } of done.reverse()) board.move(p, board.slotOf(p, to), from);
  return false;
};

/** The cheapest exchange from each node to each other; the last index stands for room below a node's ceiling and above its floor. */
class Table {
  private readonly size: number;
  private readonly cost: Float64Array;
  private readonly item: Int32Array;
  private readonly banned = new Set<string>();

  constructor(
    private readonly board: Board,
    private readonly aims: Aims,
    private readonly stock: Stock,
  ) {
    this.size = board.nodes + 1;
    this.cost = new Float64Array(this.size * this.size);
    this.item = new Int32Array(this.size * this.size);
  }

  /** Exchanges that do not go together are left out from now on. */
  ban({ p, from, to }: Exchange): void {
    this.banned.add(`${p}/${from}/${to}`);
  }

  /** No exchange is left out. */
  get isWhole(): boolean {
    return this.banned.size === 0;
  }

  fill(): void {
    const { board, size, cost, item } = this;
    const { count, nodes } = board;
    const { lo, hi } = this.aims;
    cost.fill(Infinity);
    item.fill(NOWHERE);
    for (let p = 0; p < board.partitions; p += 1)
      if (this.stock.isOpen(p)) for (let slot = 0; slot < board.size[p]!; slot += 1) this.offer(p, slot);
    for (let n = 0; n < nodes; n += 1) {
      const sheds = count[n]! > hi[n]! ? -OUT_OF_BALANCE : count[n]! > lo[n]! ? 0 : OUT_OF_BALANCE;
      const takes = count[n]! < lo[n]! ? -OUT_OF_BALANCE : count[n]! < hi[n]! ? 0 : OUT_OF_BALANCE;
      cost[nodes * size + n] = sheds;
      cost[n * size + nodes] = takes;
    }
  }

  private offer(p: number, slot: number): void {
    const { board, cost, item, size } = this;
    const from = board.now[p * board.stride + slot]!;
    const own = this.costAt(p, from);
    if (own === 0 && board.still[p] === 1) return;
    for (let to = 0; to < board.nodes; to += 1) {
      const more = this.costAt(p, to) - own;
      if (more >= cost[from * size + to]! || to === from || !board.canHold(p, to, slot)) continue;
      if (this.banned.size > 0 && this.banned.has(`${p}/${from}/${to}`)) continue;
      cost[from * size + to] = more;
      item[from * size + to] = p;
    }
  }

  /** 1 where a copy would have to be built. */
  private costAt(p: number, node: number): 0 | 1 {
    const { was, stride } = this.board;
    for (let k = p * stride; k < (p + 1) * stride; k += 1) if (was[k] === node) return 0;
    return this.stock.others.get(p)?.includes(node) ? 0 : 1;
  }

  /** Exchanges that lower the cost together, and leave every count where it may be. */
  negativeCycle(): Exchange[] | undefined {
    const { size, cost } = this;
    const distance = new Float64Array(size);
    const parent = new Int32Array(size).fill(NOWHERE);
    let last = NOWHERE;
    for (let round = 0; round <= size; round += 1) {
      last = NOWHERE;
      for (let u = 0; u < size; u += 1)
        for (let v = 0; v < size; v += 1) {
          const through = distance[u]! + cost[u * size + v]!;
          if (through >= distance[v]!) continue;
          distance[v] = through;
          parent[v] = u;
          last = v;
        }
      if (last < 0) return undefined;
    }
    for (let i = 0; i < size; i += 1) last = parent[last]!;
    const nodes = [last];
    for (let node = parent[last]!; node !== last; node = parent[node]!) nodes.push(node);
    return this.shorten(nodes.reverse()).flatMap((each) => (each.p < 0 ? [] : [each]));
  }

  /** Two exchanges of one partition in a cycle can mostly be crossed, which leaves two cycles: one of them lowers the cost alone. */
  private shorten(nodes: readonly number[]): Exchange[] {
    const { size, item } = this;
    let cycle = nodes.map((from, i): Exchange => {
      const to = nodes[(i + 1) % nodes.length]!;
      return { p: item[from * size + to]!, from, to };
    });
    for (;;) {
      const shorter = this.crossed(cycle);
      if (!shorter) return cycle;
      cycle = shorter;
    }
  }

  private crossed(cycle: readonly Exchange[]): Exchange[] | undefined {
    for (let i = 0; i < cycle.length; i += 1)
      for (let j = i + 1; j < cycle.length; j += 1) {
        const [a, b] = [cycle[i]!, cycle[j]!];
        if (a.p < 0 || a.p !== b.p) continue;
        const inner = [...cycle.slice(i + 1, j), { p: a.p, from: b.from, to: a.to }];
        const outer = [...cycle.slice(j + 1), ...cycle.slice(0, i), { p: a.p, from: a.from, to: b.to }];
        for (const part of [inner, outer]) if (this.isValid(part.at(-1)!) && this.sum(part) < 0) return part;
      }
    return undefined;
  }

  private isValid({ p, from, to }: Exchange): boolean {
    return from !== to && this.board.canHold(p, to, this.board.slotOf(p, from));
  }

  private sum(part: readonly Exchange[]): number {
    const { size, cost } = this;
    return part.reduce(
      (sum, { p, from, to }) => sum + (p < 0 ? cost[from * size + to]! : this.costAt(p, to) - this.costAt(p, from)),
      0,
    );
  }
}
