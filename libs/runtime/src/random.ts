import { randomBytes } from 'node:crypto';

/** A source of numbers in [0, 1). Seeded in tests and in the simulation. */
export type Random = () => number;

export const systemRandom: Random = Math.random;

/** mulberry32: small, fast, good enough for jitter and for schedules; never for secrets. */
export const seededRandom = (seed: number): Random => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
};

/** Makes names that nobody else has: `bytes` random bytes (default 8) as lower-case hex. */
export type NewId = (bytes?: number) => string;

export const randomId: NewId = (bytes = 8): string => randomBytes(bytes).toString('hex');

/** The same names in every run of one seed. */
export const seededId =
  (random: Random): NewId =>
  (bytes = 8) =>
    Array.from({ length: bytes }, () =>
      Math.floor(random() * 256)
        .toString(16)
        .padStart(2, '0'),
    ).join('');
