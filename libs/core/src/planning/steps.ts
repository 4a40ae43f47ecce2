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
  /** Belongs to a partition that has lost a copy. Those come first in every list. */
  readonly mends: boolean;
  /** The node whose copy is lost, and built again by this move; -1 for none. */
  readonly lost: number;
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

const keyOfRack = (domain: number): number => domain * 4 + 2;
const keyOfZone = (domain: number): number => domain * 4 + 3;

/**
 * Copies that are lost and not yet being built again while a step runs: a move that mends nothing counts them as moves under way, in the
 * cluster and in the rack and zone that lost them. So what is not urgent begins when enough has been mended.
 */
class Lost {
  private readonly mended = new Map<number, number[]>();
  private static readonly cluster = -1;

  constructor(private readonly domains: DomainLimits) {}

  /** Built again in the step at `position`. */
  add({ mends, to, lost }: Scheduled, position: number): void {
    if (!mends || to < 0) return;
    this.count(Lost.cluster, position);
    if (lost < 0) return;
    const rack = this.domains.rack[lost]!;
    const zone = this.domains.zone[lost]!;
    if (rack >= 0) this.count(keyOfRack(rack), position);
    if (zone >= 0) this.count(keyOfZone(zone), position);
  }

  /** All that mends has its step: from here on the lists say how many wait at each position. */
  seal(): void {
    for (const counts of this.mended.values())
      for (let i = counts.length - 2; i >= 0; i -= 1) counts[i] = (counts[i] ?? 0) + (counts[i + 1] ?? 0);
  }

  inCluster(position: number): number {
    return this.mended.get(Lost.cluster)?.[position + 1] ?? 0;
  }

  inDomain(key: number, position: number): number {
    return this.mended.get(key)?.[position + 1] ?? 0;
  }

  private count(key: number, position: number): void {
    let counts = this.mended.get(key);
    if (!counts) this.mended.set(key, (counts = []));
    while (counts.length <= position) counts.push(0);
    counts[position]! += 1;
  }
}

class Step {
  total = 0;
  private readonly counts = new Map<number, number>();

  constructor(
    private readonly limits: PlanLimits,
    private readonly domains: DomainLimits,
    private readonly position: number,
    private readonly lost: Lost,
  ) {}

  /** The limits of a move, each with a key of its own; a rack or zone that it enters and leaves counts once. */
  private keysOf({ to, sender }: Scheduled): [number, number][] {
    const { perNodeIn, perNodeOut, perRack, perZone } = this.limits;
    const keys: [number, number][] = [];
    if (to >= 0) keys.push([to * 4, perNodeIn]);
    if (sender >= 0) keys.push([sender * 4 + 1, perNodeOut]);
    const add = (of: Int32Array, keyOf: (domain: number) => number, limit: number | undefined): void => {
      if (limit === undefined) return;
      for (const domain of new Set([to >= 0 ? of[to]! : -1, sender >= 0 ? of[sender]! : -1]))
        if (domain >= 0) keys.push([keyOf(domain), limit]);
    };
    add(this.domains.rack, keyOfRack, perRack);
    add(this.domains.zone, keyOfZone, perZone);
    return keys;
  }

  hasRoom(move: Scheduled): boolean {
    const { lost, position } = this;
    const waits = move.mends ? 0 : lost.inCluster(position);
    return (
      this.total + waits < Math.max(1, this.limits.cluster) &&
      this.keysOf(move).every(
        ([key, limit]) =>
          (this.counts.get(key) ?? 0) + (move.mends ? 0 : lost.inDomain(key, position)) < Math.max(1, limit),
      )
    );
  }

  take(move: Scheduled): void {
    this.total += 1;
    for (const [key] of this.keysOf(move)) this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }
}

/**
 * The first step with room for each move, in the order given (most urgent first, those that mend before all others). Steps count from
 * `first`. A limit below 1 is taken for 1, since nothing would ever run. Beyond the last step nothing is lost any more, so each has one.
 */
export const assignSteps = (
  moves: readonly Scheduled[],
  limits: PlanLimits,
  domains: DomainLimits,
  first: number,
): Int32Array => {
  const steps: Step[] = [];
  const lost = new Lost(domains);
  let isMending = true;
  const last = new Map<number, number>();
  // Steps before these are full for the node, whatever else a move needs.
  const openIn = new Map<number, number>();
  let open = 0;
  return Int32Array.from(moves, (move) => {
    if (isMending && !move.mends) {
      isMending = false;
      lost.seal();
    }
    const from = Math.max(open, (last.get(move.partition) ?? -1) + 1, openIn.get(move.to) ?? 0);
    let at = from;
    while (steps[at] && !steps[at]!.hasRoom(move)) at += 1;
    while (steps.length <= at) steps.push(new Step(limits, domains, steps.length, lost));
    steps[at]!.take(move);
    lost.add(move, at);
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
  // What is mended may itself wait for room that another move makes: then nothing waits for it any longer.
  let counts = true;
  for (let at = 0; pending.length > 0; at += 1) {
    const lost = new Lost(domains);
    let isMending = true;
    const step = new Step(limits, domains, 0, lost);
    const touched = new Set<number>();
    const taken: number[] = [];
    const waiting: number[] = [];
    for (const i of pending) {
      const move = moves[i]!;
      if (isMending && !move.mends) {
        isMending = false;
        if (counts) for (const other of waiting) lost.add(moves[other]!, 1);
        lost.seal();
      }
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
    if (taken.length === 0) {
      if (!counts) break;
      counts = false;
      at -= 1;
      continue;
    }
    for (const i of taken) {
      const { from, sizes } = moves[i]!;
      if (from >= 0) used.forEach((column, d) => (column[from]! -= sizes[d] ?? 0));
    }
    pending = waiting;
  }
  return result;
};
