/** Seeded mixing in place of a random source: the same input gives the same plan on every controller. */
export const seedOf = (text: string): number => {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
};

/** A number in [0, 1) that depends on all three (finaliser of murmur3). */
export const mix = (seed: number, a: number, b: number): number => {
  let h = seed ^ Math.imul(a + 0x7f4a7c15, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35) ^ Math.imul(b + 0x165667b1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 0x1_0000_0000;
};

/** A seeded stream of whole numbers (xorshift, Marsaglia 2003). */
export class Dice {
  private state: number;

  constructor(seed: number) {
    this.state = (seed ^ 0x9e3779b9) | 0 || 1;
  }

  /** 0 to `count` - 1; `count` below 2^31. */
  below(count: number): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return (x >>> 0) % count;
  }
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Neighbours that are visited together: they share cache lines. */
const BLOCK = 64;

/** Visits 0 to count - 1, each once, blocks of neighbours far from one another and without a list: steps of about the golden section. */
export const eachMixed = (count: number, visit: (i: number, nth: number) => void): void => {
  const block = count > 64 * BLOCK ? BLOCK : 1;
  const blocks = Math.ceil(count / block);
  let step = Math.max(1, Math.floor(blocks * 0.6180339887));
  while (gcd(blocks, step) > 1) step += 1;
  let nth = 0;
  for (let n = 0, at = 0; n < blocks; n += 1, at = (at + step) % blocks)
    for (let i = at * block; i < Math.min(count, (at + 1) * block); i += 1) visit(i, nth++);
};
