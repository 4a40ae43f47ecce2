/** The least of 1, 2, 5, 10, 20, 50, ... that is not below `least`: names on an axis then count in steps that people know. */
export const roundStep = (least: number): number => {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return [1, 2, 5].map((n) => n * power).find((step) => step >= least) ?? 10 * power;
};

const SECONDS = [10, 20, 30, 60, 120, 300, 600, 900, 1_800, 3_600];

/** The same for times, in milliseconds: whole parts of a minute or an hour. */
export const roundTime = (leastMs: number): number =>
  (SECONDS.find((seconds) => seconds * 1_000 >= leastMs) ?? Math.ceil(leastMs / 3_600_000) * 3_600) * 1_000;
