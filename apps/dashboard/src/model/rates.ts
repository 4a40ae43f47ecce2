import type { Move, Plan } from './api.types.js';

/** What the page saw of a run's bytes, for rate, remaining time and moves that stand still. */
const KEPT = 1_200;
const STEP_MS = 1_000;
const WINDOW_MS = 30_000;
const STALL_MS = 20_000;
const COPYING = 'transferring';

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

let planId = '';
let samples: Sample[] = [];
/** Moves drop out of the stream's short list when they are done: the most seen of each counts. */
let seen = new Map<number, { bytes: number; sinceMs: number }>();

export const doneBytes = (moves: readonly Move[]): number =>
  moves.reduce((sum, m) => sum + Math.min(m.bytesDone, m.bytes), 0);

export const noteRates = (plan: Plan | null, atMs: number): void => {
  if (!plan) return;
  if (plan.id !== planId) {
    planId = plan.id;
    samples = [];
    seen = new Map();
  }
  for (const move of plan.moves) {
    const before = seen.get(move.index);
    if (!before || before.bytes !== move.bytesDone) seen.set(move.index, { bytes: move.bytesDone, sinceMs: atMs });
  }
  if (!['executing', 'paused'].includes(plan.state)) return;
  const last = samples.at(-1);
  if (last && atMs - last.atMs < STEP_MS) return;
  const bytes = [...seen.values()].reduce((sum, s) => sum + s.bytes, 0);
  samples = [...samples.slice(1 - KEPT), { atMs, bytes }];
};

/** Bytes a second over the last half minute; undefined while nothing flows. */
export const rateOf = (id: string): number | undefined => {
  const last = samples.at(-1);
  if (id !== planId || !last) return undefined;
  const first = samples.find((s) => last.atMs - s.atMs <= WINDOW_MS)!;
  return last.bytes <= first.bytes ? undefined : ((last.bytes - first.bytes) * 1_000) / (last.atMs - first.atMs);
};

/** Columns for the chart: seconds since 1970, and bytes a second of each interval. */
export const rateColumns = (id: string): [number[], number[]] => {
  if (id !== planId) return [[], []];
  const rest = samples.slice(1);
  return [
    rest.map((s) => s.atMs / 1_000),
    rest.map((s, i) => (Math.max(0, s.bytes - samples[i]!.bytes) * 1_000) / (s.atMs - samples[i]!.atMs)),
  ];
};

/** The server's word where it has one. */
const isSaid = (move: Move): boolean => move.condition !== undefined && move.condition !== 'stalled';

/** For how long a move that should copy has copied nothing; undefined while it does, or says itself what it waits for. */
export const stalledMs = (id: string, move: Move, nowMs: number): number | undefined => {
  const at =
    id === planId && !isSaid(move) && move.phase === COPYING && !/throttle|wait/i.test(move.note)
      ? seen.get(move.index)
      : undefined;
  return at && nowMs - at.sinceMs >= STALL_MS ? nowMs - at.sinceMs : undefined;
};
