/** An exponentially weighted mean over time, whatever the distance of its samples: half of what was is forgotten after each half-life. */
export interface Smoothed {
  readonly value: number;
  readonly atMs: number;
}

export const smoothed = (before: Smoothed | undefined, sample: number, atMs: number, halfLifeMs: number): Smoothed => {
  if (!before || !Number.isFinite(before.value)) return { value: sample, atMs };
  const kept = 2 ** (-Math.max(0, atMs - before.atMs) / halfLifeMs);
  return { value: before.value * kept + sample * (1 - kept), atMs };
};
