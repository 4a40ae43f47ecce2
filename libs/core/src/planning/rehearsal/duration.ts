import type { PlanMove } from '../plan.js';

/** What a copy may take of a node's network and disk while it moves. */
export interface Throttle {
  /** Into one node and out of one node, each. */
  readonly bytesPerSecondPerNode: number;
  /** Beside its bytes each move takes at least and at most this: session, checksum, catching up, cutover, acknowledgements. */
  readonly moveOverheadMs: { readonly least: number; readonly most: number };
}

/** A gigabit link half used, and what a move of an empty partition takes on a quiet and on a busy cluster. */
export const DEFAULT_THROTTLE: Throttle = {
  bytesPerSecondPerNode: 64 * 1024 * 1024,
  moveOverheadMs: { least: 300, most: 3_000 },
};

/** Writes that arrive meanwhile are copied too, and a busy node gives less than its throttle allows. */
const SLOWEST_SHARE = 0.5;

export interface DurationEstimate {
  /** Every link always busy, no step waits for its slowest move. */
  readonly lowMs: number;
  /** Steps one after the other at the throttle. */
  readonly likelyMs: number;
  /** The same at half the throttle, each move with its most overhead. */
  readonly highMs: number;
  readonly bytes: number;
  readonly steps: number;
  /** The node that bounds the plan: most bytes through its busier direction. Empty without bytes. */
  readonly busiest: { readonly node: string; readonly bytes: number };
  readonly bytesPerSecondPerNode: number;
  /** Copies of partitions whose size is not known: they count with their overhead alone. */
  readonly unknownSizes: number;
}

/** @param senderOf who sends the copy; by default the source, and the leader where there is none */
export const estimateDuration = (
  moves: readonly PlanMove[],
  throttle: Throttle = DEFAULT_THROTTLE,
  senderOf: (move: PlanMove) => string = (m) => m.from || m.leaderAfter,
): DurationEstimate => {
  const { bytesPerSecondPerNode: rate, moveOverheadMs: overhead } = throttle;
  const whole = new Links();
  let likelyMs = 0;
  let highMs = 0;
  let steps = 0;
  let unknownSizes = 0;
  for (let i = 0; i < moves.length;) {
    const { step } = moves[i]!;
    const links = new Links();
    for (; i < moves.length && moves[i]!.step === step; i += 1) {
      const move = moves[i]!;
      if (move.kind === 'leader' || move.kind === 'remove') continue;
      if (move.bytes === 0) unknownSizes += 1;
      links.add(senderOf(move), move.to, move.bytes);
      whole.add(senderOf(move), move.to, move.bytes);
    }
    const copyMs = (links.busiest().bytes / rate) * 1_000;
    likelyMs += copyMs + (overhead.least + overhead.most) / 2;
    highMs += copyMs / SLOWEST_SHARE + overhead.most;
    steps += 1;
  }
  const busiest = whole.busiest();
  const lowMs = Math.max((busiest.bytes / rate) * 1_000, steps * overhead.least);
  return {
    lowMs: Math.round(lowMs),
    likelyMs: Math.round(likelyMs),
    highMs: Math.round(highMs),
    bytes: whole.bytes,
    steps,
    busiest,
    bytesPerSecondPerNode: rate,
    unknownSizes,
  };
};

/** Bytes through each node's two directions. */
class Links {
  bytes = 0;
  private readonly into = new Map<string, number>();
  private readonly outOf = new Map<string, number>();

  add(from: string, to: string, bytes: number): void {
    this.bytes += bytes;
    this.into.set(to, (this.into.get(to) ?? 0) + bytes);
    if (from !== '') this.outOf.set(from, (this.outOf.get(from) ?? 0) + bytes);
  }

  busiest(): { node: string; bytes: number } {
    let busiest = { node: '', bytes: 0 };
    for (const link of [this.into, this.outOf])
      for (const [node, bytes] of link) if (bytes > busiest.bytes) busiest = { node, bytes };
    return busiest;
  }
}
