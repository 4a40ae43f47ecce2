/** How long writes of a partition take at present, as the node that leads it sees them. */
export interface WriteLatency {
  readonly recentMs: number;
  /** How long ago the last one was measured. */
  readonly ageMs: number;
}

export interface PaceState {
  /** Before the copy began. */
  readonly usualMs: number;
  /** Bytes a second; undefined while there is no reason to hold back. */
  readonly rate: number | undefined;
  readonly decidedAt: number;
}

export const PACE = {
  /** Writes may take so many times as long as usual, and so much longer, before the copy gives way. */
  slowdown: 3,
  slowdownMs: 10,
  decideEveryMs: 200,
  leastBytesPerSecond: 1024 * 1024,
  /** Above this holding back is over. */
  freeBytesPerSecond: 512 * 1024 * 1024,
  growth: 1.25,
  staleMs: 1_000,
} as const;

export const newPace = (usual: WriteLatency | undefined, now: number): PaceState => ({
  usualMs: usual && usual.ageMs <= PACE.staleMs ? usual.recentMs : 0,
  rate: undefined,
  decidedAt: now,
});

/**
 * A copy gives way to the clients of its own partition: halves while their writes take much longer than before it began, and grows
 * again while they do not. Every partition that is copied does so for itself.
 * @param sentPerSecond what the copy has reached lately, to halve from
 */
export const decidePace = (
  state: PaceState,
  latency: WriteLatency | undefined,
  sentPerSecond: number,
  now: number,
): PaceState => {
  if (now - state.decidedAt < PACE.decideEveryMs) return state;
  const decided = { ...state, decidedAt: now };
  const limitMs = Math.max(state.usualMs * PACE.slowdown, state.usualMs + PACE.slowdownMs);
  if (latency && latency.ageMs <= PACE.staleMs && latency.recentMs > limitMs)
    return { ...decided, rate: Math.max(PACE.leastBytesPerSecond, (state.rate ?? sentPerSecond) / 2) };
  if (state.rate === undefined) return decided;
  const rate = state.rate * PACE.growth;
  return { ...decided, rate: rate > PACE.freeBytesPerSecond ? undefined : rate };
};
