import type { PlanLimits } from './plan.js';

/** A move as the limits see it; -1 for none. */
export interface Scheduled {
  readonly to: number;
  /** Whose limit of outgoing moves is used. */
  readonly sender: number;
  /** Moves of one partition never share a step and keep their order. */
  readonly partition: number;
  /** The node that has room again when the move is done. */
  readonly from: number;
  /** What the copy takes of each thing that is limited, in the order of `Room.limits`. */
  readonly sizes: readonly number[];
}

/** Domains that have limits of their own, by node; -1 for a node that is in none. */
export interface DomainLimits {
  readonly rack: Int32Array;
  readonly zone: Int32Array;
}

/** Head-room: what each node holds of limited things when the plan begins, and may hold at most. */
export interface Room {
  readonly used: readonly Float64Array[];
  readonly most: readonly Float64Array[];
}

class Step {
  total = 0;
  private readonly counts = new Map<number, number>();

  constructor(
    private readonly limits: PlanLimits,
    private readonly domains: DomainLimits,
  ) {}

  /** The limits of a move, each with a key of its own; a rack or zone that it enters and leaves counts once. */
  private keysOf({ to, sender }: Scheduled): [number, number][] {
    const { perNodeIn, perNodeOut, perRack, perZone } = this.limits;
    const keys: [number, number][] = [];
    if (to >= 0) keys.push([to * 4, perNodeIn]);
    if (sender >= 0) keys.push([sender * 4 + 1, perNodeOut]);
    const add = (of: Int32Array, kind: number, limit: number | undefined): void => {
      if (limit === undefined) return;
      for (const domain of new Set([to >= 0 ? of[to]! : -1, sender >= 0 ? of[sender]! : -1]))
        if (domain >= 0) keys.push([domain * 4 + kind, limit]);
    };
    add(this.domains.rack, 2, perRack);
    add(this.domains.zone, 3, perZone);
    return keys;
  }

  hasRoom(move: Scheduled): boolean {
    return (
      this.total < Math.max(1, this.limits.cluster) &&
      this.keysOf(move).every(([key, limit]) => (this.counts.get(key) ?? 0) < Math.max(1, limit))
    );
  }

  take(move: Scheduled): void {
    this.total += 1;
    for (const [key] of this.keysOf(move)) this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }
}

/**
 * The first step with room for each move, in the order given (most urgent first). Steps count from `first`. A limit below 1 is
 * taken for 1, since nothing would ever run.
 */
export const assignSteps = (
  moves: readonly Scheduled[],
  limits: PlanLimits,
  domains: DomainLimits,
  first: number,
): Int32Array => {
  const steps: Step[] = [];
  const last = new Map<number, number>();
  // Steps before these are full for the node, whatever else a move needs.
  const openIn = new Map<number, number>();
  let open = 0;
  return Int32Array.from(moves, (move) => {
    const from = Math.max(open, (last.get(move.partition) ?? -1) + 1, openIn.get(move.to) ?? 0);
    let at = from;
    while (steps[at] && !steps[at]!.hasRoom(move)) at += 1;
    while (steps.length <= at) steps.push(new Step(limits, domains));
    steps[at]!.take(move);
    last.set(move.partition, at);
    while (steps[open] && steps[open]!.total >= Math.max(1, limits.cluster)) open += 1;
    const into = { ...move, sender: -1 };
    let next = Math.max(open, openIn.get(move.to) ?? 0);
    while (steps[next] && !steps[next]!.hasRoom(into)) next += 1;
    openIn.set(move.to, next);
    return first + at;
  });
};

/**
 * As above, with head-room: a copy arrives only where it fits beside all that is still there, what leaves makes room from the next
 * step on. 0 for moves that never fit.
 */
export const assignStepsWithin = (
  moves: readonly Scheduled[],
  limits: PlanLimits,
  domains: DomainLimits,
  first: number,
  room: Room,
): Int32Array => {
  const result = new Int32Array(moves.length);
  const used = room.used.map((column) => column.slice());
  let pending = moves.map((_, i) => i);
  for (let at = 0; pending.length > 0; at += 1) {
    const step = new Step(limits, domains);
    const touched = new Set<number>();
    const taken: number[] = [];
    const waiting: number[] = [];
    for (const i of pending) {
      const move = moves[i]!;
      const fits =
        move.to < 0 || used.every((column, d) => column[move.to]! + (move.sizes[d] ?? 0) <= room.most[d]![move.to]!);
      if (!fits || touched.has(move.partition) || !step.hasRoom(move)) {
        waiting.push(i);
        touched.add(move.partition);
        continue;
      }
      step.take(move);
      touched.add(move.partition);
      taken.push(i);
      result[i] = first + at;
      if (move.to >= 0) used.forEach((column, d) => (column[move.to]! += move.sizes[d] ?? 0));
    }
    if (taken.length === 0) break;
    for (const i of taken) {
      const { from, sizes } = moves[i]!;
      if (from >= 0) used.forEach((column, d) => (column[from]! -= sizes[d] ?? 0));
    }
    pending = waiting;
  }
  return result;
};
