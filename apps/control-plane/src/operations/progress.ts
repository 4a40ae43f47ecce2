import type { PlanMove } from '@cadastre/core';
import { isFinal } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import type { MonotonicMs } from '@cadastre/runtime';
import type { PlanView, RegisterState } from '@cadastre/store';
import { settingsOf } from '@cadastre/store';
import type { Observed } from '../controller/observed.js';
import { isConnected } from '../controller/world.js';

/** What of a move is known without its history. */
export interface MoveNow {
  readonly move: PlanMove;
  readonly phase: string;
  readonly note: string;
  readonly bytesDone: number;
}

interface Track {
  at: MonotonicMs;
  bytes: number;
  rate: number;
  /** When the bytes were last seen to grow, or the phase to change. */
  grewAt: MonotonicMs;
  phase: string;
}

export type Condition = '' | 'pending' | 'moving' | 'throttled' | 'waiting' | 'stalled';
export interface MoveCondition {
  readonly condition: Condition;
  readonly because: string;
  readonly bytesPerSecond: number;
}

const SAMPLE_MS = 1_000;
/** No byte for so long is a stall, unless the throttle explains it. */
export const STALL_MS = 30_000;
/** From this share of the limit on, the limit is what holds a copy up. */
const THROTTLED_SHARE = 0.8;
const COPYING = new Set(['preparing', 'transferring', 'catching-up']);
const ENDED = new Set(['done', 'failed', 'cancelled']);

/** Rates and stalls of the plans that run, from what the agents report. Soft: a new replica knows them a second later. */
export class Progress {
  private readonly plans = new Map<string, Map<number, Track>>();

  constructor(private readonly observed: Observed) {}

  /** Forgets plans that run no more, so that nothing grows. */
  keep(ids: ReadonlySet<string>): void {
    for (const id of this.plans.keys()) if (!ids.has(id)) this.plans.delete(id);
  }

  conditionsOf(state: RegisterState, plan: PlanView, moves: readonly MoveNow[], now: MonotonicMs): MoveCondition[] {
    if (isFinal(plan.head.state) || plan.head.state === 'proposed')
      return moves.map(() => ({ condition: '', because: '', bytesPerSecond: 0 }));
    const tracks = this.plans.get(plan.head.id) ?? new Map<number, Track>();
    this.plans.set(plan.head.id, tracks);
    for (const m of moves) this.sample(tracks, m, now);
    const into = new Map<string, number>();
    for (const { move } of moves) into.set(move.to, (into.get(move.to) ?? 0) + (tracks.get(move.index)?.rate ?? 0));
    const limit = limitOf(state, this.observed.fillingNodes);
    return moves.map((m) => this.conditionOf(state, m, tracks.get(m.move.index), into.get(m.move.to) ?? 0, limit, now));
  }

  private sample(tracks: Map<number, Track>, { move, phase, bytesDone }: MoveNow, now: MonotonicMs): void {
    if (!COPYING.has(phase)) return void tracks.delete(move.index);
    const known = tracks.get(move.index);
    if (!known) return void tracks.set(move.index, { at: now, bytes: bytesDone, rate: 0, grewAt: now, phase });
    if (bytesDone > known.bytes || phase !== known.phase) known.grewAt = now;
    known.phase = phase;
    if (now - known.at < SAMPLE_MS) return;
    known.rate = Math.max(0, ((bytesDone - known.bytes) / (now - known.at)) * 1_000);
    known.at = now;
    known.bytes = bytesDone;
  }

  private conditionOf(
    state: RegisterState,
    { move, phase, note }: MoveNow,
    track: Track | undefined,
    rateInto: number,
    limit: number,
    now: MonotonicMs,
  ): MoveCondition {
    const bytesPerSecond = Math.round(track?.rate ?? 0);
    if (ENDED.has(phase)) return { condition: '', because: '', bytesPerSecond: 0 };
    if (phase === 'pending') return { condition: 'pending', because: note, bytesPerSecond };
    const gone = [move.from, move.to].find((node) => node !== '' && !isConnected(state, node));
    const quietMs = track ? now - track.grewAt : 0;
    if (limit > 0 && phase === 'transferring' && gone === undefined && rateInto >= limit * THROTTLED_SHARE)
      return { condition: 'throttled', because: `by the limit of ${rateText(limit)} into ${move.to}`, bytesPerSecond };
    if (track && quietMs >= STALL_MS)
      return {
        condition: 'stalled',
        because: `no byte for ${Math.round(quietMs / 1_000)} s: ${causeOf(this.observed, move, gone, note, now)}`,
        bytesPerSecond,
      };
    if (phase === 'transferring' && gone === undefined) return { condition: 'moving', because: '', bytesPerSecond };
    return { condition: 'waiting', because: gone === undefined ? note : `${gone} is not connected`, bytesPerSecond };
  }
}

/** Who said so; and whether it stands still already. */
const pausedBecause = ({ head }: PlanView, moves: readonly MoveCondition[]): string => {
  const event = head.events.findLast((e) => e.what.startsWith('paused'));
  const flying = moves.filter((m) => m.condition !== '' && m.condition !== 'pending').length;
  const moving =
    flying === 0 ? 'nothing moves' : `${flying} under way ${flying === 1 ? 'goes' : 'go'} on to a safe point`;
  const why = event?.what.slice('paused'.length) ?? '';
  return `by ${event?.actor ?? 'somebody'}${why}; no move begins until it is resumed, ${moving}`;
};

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB'] as const;

/** `256 KiB/s`. */
export const rateText = (bytes: number): string => {
  const unit = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${Math.round((bytes / 1024 ** unit) * 10) / 10} ${UNITS[unit]}/s`;
};

const limitOf = (state: RegisterState, filling: number): number => {
  const { nodeBytesPerSecond: node, clusterBytesPerSecond: cluster } = settingsOf(state);
  const share = Math.floor(cluster / Math.max(1, filling));
  return node > 0 && share > 0 ? Math.min(node, share) : node || share;
};

const SILENT_MS = 10_000;

const causeOf = (
  observed: Observed,
  move: PlanMove,
  gone: string | undefined,
  note: string,
  now: MonotonicMs,
): string => {
  if (gone !== undefined) return `${gone} is not connected`;
  const silent = [move.from, move.to].find((node) => {
    const heardAt = node === '' ? now : observed.heardAt(node);
    return heardAt === undefined || now - heardAt > SILENT_MS;
  });
  if (silent !== undefined) return `${silent} has not reported for more than ${SILENT_MS / 1_000} s`;
  return note === '' ? `${move.to} reports no growth; see its log` : note;
};

export interface Totals {
  readonly bytesDone: number;
  readonly bytesTotal: number;
  readonly bytesPerSecond: number;
}

/** From the plan's own average and from what it does of late; from its estimate while nothing has moved. Milliseconds from now. */
export const etaOf = (
  { bytesDone, bytesTotal, bytesPerSecond }: Totals,
  ranMs: number,
  cost: { readonly estimateLowMs: number; readonly estimateHighMs: number },
  shareLeft: number,
): { readonly lowMs: number; readonly highMs: number } => {
  const average = ranMs > 0 ? (bytesDone / ranMs) * 1_000 : 0;
  const rates = [average, bytesPerSecond].filter((rate) => rate > 0);
  const left = bytesTotal - bytesDone;
  if (rates.length === 0 || left <= 0)
    return { lowMs: Math.round(cost.estimateLowMs * shareLeft), highMs: Math.round(cost.estimateHighMs * shareLeft) };
  const lowMs = (left / Math.max(...rates)) * 1_000;
  return { lowMs: Math.round(lowMs), highMs: Math.round((left / Math.min(...rates)) * 1_250) };
};

/** The worst of its moves, unless something holds the plan as a whole. */
export const planCondition = (
  plan: PlanView,
  moves: readonly MoveCondition[],
  held: { readonly frozen: string | undefined; readonly window: string | undefined },
): Pick<Wire.PlanProgress, 'condition' | 'because'> => {
  const { state } = plan.head;
  if (isFinal(state)) return { condition: 'ended', because: plan.head.note };
  if (state === 'paused') return { condition: 'paused', because: pausedBecause(plan, moves) };
  if (held.frozen !== undefined) return { condition: 'frozen', because: held.frozen };
  const stalled = moves.find((m) => m.condition === 'stalled');
  if (stalled) return stalled;
  const throttled = moves.find((m) => m.condition === 'throttled');
  if (throttled) return throttled;
  if (moves.some((m) => m.condition === 'moving')) return { condition: 'moving', because: '' };
  if (held.window !== undefined) return { condition: 'waiting', because: held.window };
  const waiting = moves.find((m) => m.condition === 'waiting' && m.because !== '');
  return { condition: 'waiting', because: waiting?.because ?? (state === 'approved' ? 'it is about to begin' : '') };
};
