import type { Pair } from '../engine.js';

/** The pair of that number, in key order. */
export const filledPair = (i: number): Pair => [Buffer.from(`key-${String(i).padStart(9, '0')}`), Buffer.alloc(200, i)];
