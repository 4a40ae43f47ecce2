import { hashWords } from './hash-words.js';

/** FIPS 46-3: the eight substitution boxes, four rows of sixteen hexadecimal digits each. */
const BOXES = [
  'e4d12fb83a6c5907 0f74e2d1a6cb9538 41e8d62bfc973a50 fc8249175b3ea06d',
  'f18e6b34972dc05a 3d47f28ec01a69b5 0e7ba4d158c6932f d8a13f42b67c05e9',
  'a09e63f51dc7b428 d709346a285ecbf1 d6498f30b12c5ae7 1ad069874fe3b52c',
  '7de3069a1285bc4f d8b56f03472c1ae9 a690cb7df13e5284 3f06a1d8945bc72e',
  '2c417ab6853fd0e9 eb2c47d150fa3986 421bad78f9c5630e b8c71e2d6f09a453',
  'c1af92680d34e75b af427c9561de0b38 9ef528c3704a1db6 432c95fabe17608d',
  '4b2ef08d3c975a61 d0b7491ae35c2f86 14bdc37eaf680592 6bd814a7950fe23c',
  'd2846fb1a93e50c7 1fd8a374c56b0e92 7b419ce206adf358 21e74a8dfc90356b',
].map((rows) => rows.split(' '));

/** FIPS 46-3, permutation P: which bit, counted from 1 at the top, comes to each place. */
const PERMUTATION = [
  16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
];

const permute = (word: number): number =>
  PERMUTATION.reduce((moved, bit, place) => moved | (((word >>> (32 - bit)) & 1) << (31 - place)), 0);

/** For each box and each six bits that enter it, what comes out, already permuted. */
const SUBSTITUTED = Int32Array.from({ length: 8 * 64 }, (_, i) => {
  const box = i >> 6;
  const row = ((i >> 4) & 2) | (i & 1);
  const digit = Number.parseInt(BOXES[box]![row]![(i >> 1) & 15]!, 16);
  return permute(digit << (28 - 4 * box));
});

/** The round function under a subkey of zeros. Box i reads the six bits that begin at bit 4i - 1, around the word's end. */
const roundOf = (word: number): number => {
  let result = SUBSTITUTED[((word << 31) | (word >>> 1)) >>> 26]!;
  for (let box = 1; box < 8; box += 1) {
    const turn = 4 * box - 1;
    result |= SUBSTITUTED[(box << 6) | (((word << turn) | (word >>> (32 - turn))) >>> 26)]!;
  }
  return result;
};

/** The initial permutation as exchanges of bits between the words, by (distance, mask, from left to right?); backwards, the final one. */
const EXCHANGES = [
  [4, 0x0f0f0f0f, true],
  [16, 0x0000ffff, true],
  [2, 0x33333333, false],
  [8, 0x00ff00ff, false],
  [1, 0x55555555, true],
] as const;

const halves = new Int32Array(2);

const exchange = (step: number): void => {
  const [distance, mask, leftToRight] = EXCHANGES[step]!;
  const from = leftToRight ? 0 : 1;
  const moved = ((halves[from]! >>> distance) ^ halves[1 - from]!) & mask;
  halves[1 - from]! ^= moved;
  halves[from]! ^= moved << distance;
};

/**
 * DES of one block under the key of zeros, in the first 2 of `hashWords`. With that key the sixteen subkeys are all zero, so there is
 * no key schedule, encrypting twice gives the block back, and triple DES is the same function. Source: FIPS 46-3.
 */
export const desNullKey = (hi: number, lo: number): void => {
  halves[0] = hi;
  halves[1] = lo;
  for (let step = 0; step < 5; step += 1) exchange(step);
  for (let round = 0; round < 16; round += 1) {
    const right: number = halves[1]!;
    halves[1] = halves[0]! ^ roundOf(right);
    halves[0] = right;
  }
  const left = halves[1]!;
  halves[1] = halves[0]!;
  halves[0] = left;
  for (let step = 4; step >= 0; step -= 1) exchange(step);
  hashWords[0] = halves[0]!;
  hashWords[1] = halves[1]!;
};
