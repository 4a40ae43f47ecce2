/** Two steps in each doubling: a figure read off the counts is at most half a step (19 %) away from the true one. */
const STEPS = 2;
/** Of the first bucket, which takes all that is faster. */
const FIRST_MS = 1 / 32;

/** Of the counts in a `ReplicaLoad`: 0.03 ms to 23 s, and what is slower in the last. */
export const LATENCY_BUCKETS = 40;

/** Which bucket counts an answer that took so long. */
export const latencyBucketOf = (ms: number): number => {
  if (!(ms > FIRST_MS)) return 0;
  return Math.min(LATENCY_BUCKETS - 1, Math.ceil(STEPS * Math.log2(ms / FIRST_MS)));
};

/** The slowest that the bucket is for, in milliseconds. */
export const latencyBucketMs = (bucket: number): number => FIRST_MS * 2 ** (bucket / STEPS);

/** Answers by how long they took. Never written by who reads it. */
export type LatencyCounts = ArrayLike<number>;

export const countOf = (counts: LatencyCounts): number => {
  let total = 0;
  for (let i = 0; i < counts.length; i += 1) total += counts[i]!;
  return total;
};

/** @param share 0 to 1 @returns milliseconds, evened out within a bucket; undefined where nothing was counted */
export const latencyQuantile = (counts: LatencyCounts, share: number): number | undefined => {
  const total = countOf(counts);
  if (total === 0) return undefined;
  const wanted = Math.max(1, share * total);
  let seen = 0;
  for (let i = 0; i < counts.length; i += 1) {
    const here = counts[i]!;
    if (here > 0 && seen + here >= wanted) return latencyBucketMs(i - 1 + (wanted - seen) / here);
    seen += here;
  }
  return latencyBucketMs(counts.length - 1);
};
