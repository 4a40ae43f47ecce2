/** Repeatable random numbers, for tokens and splits that everyone must compute alike; not for secrets. */
export interface SeededRandom {
  /** 32 random bits, unsigned. */
  uint32(): number;
  /** A whole number from 0 to below - 1, `below` up to 2^32. */
  below(below: number): number;
  /** A number from 0n to below - 1n, uniform to within 2^-64. */
  bigBelow(below: bigint): bigint;
}

const fold = (seed: string): number => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < seed.length; i += 1) {
    hash = Math.imul(hash ^ seed.charCodeAt(i), 0x01000193);
    hash ^= hash >>> 15;
  }
  return hash;
};

/** Counter and finaliser (splitmix with the constants of murmur3's finaliser), twice keyed by the seed. */
export const seededRandom = (seed: string): SeededRandom => {
  const first = fold(seed);
  const second = fold(`${seed}\u0001`);
  let counter = 0;
  const uint32 = (): number => {
    counter = (counter + 0x9e3779b9) | 0;
    let h = Math.imul(counter ^ first ^ ((counter ^ first) >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ second ^ (h >>> 13), 0xc2b2ae35);
    return (h ^ (h >>> 16)) >>> 0;
  };
  const bigBelow = (below: bigint): bigint => {
    let value = 0n;
    for (let room = below << 64n; room > 0n; room >>= 32n) value = (value << 32n) | BigInt(uint32());
    return value % below;
  };
  return { uint32, below: (below) => Math.floor((uint32() / 2 ** 32) * below), bigBelow };
};
