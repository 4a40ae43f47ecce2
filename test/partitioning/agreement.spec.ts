import { existsSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { type KeyType, PRESET_NAMES } from '@cadastre/core';
import * as fc from 'fast-check';
import { compareOn, keyKindOf, SUBJECTS, type Subject } from './agree.js';

const CLI = path.resolve(import.meta.dirname, '../../apps/cli/bin/cadastre.mjs');
const KEYS = Number(process.env['CADASTRE_AGREEMENT_KEYS'] ?? 2_000);

const hex = (digits: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: digits, maxLength: digits });

/** Text of all planes, empty too; digits of every size; what is written `8-4-4-4-12`. */
const TEXTS: Record<KeyType | 'ascii', fc.Arbitrary<string>> = {
  ascii: fc.string({ unit: 'grapheme-ascii', maxLength: 70 }),
  text: fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 70 }),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc
      .tuple(fc.constantFrom('tenant!', 'a/2!b!', '{tag}', 'x{', '}{}'), fc.string({ maxLength: 20 }))
      .map((both) => both.join('')),
    fc.string({ minLength: 900, maxLength: 1000 }),
  ),
  int32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map(String),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  uuid: hex(32).map((h) => `${h.slice(0, 8)}-${h.slice(8, 12)}-${h.slice(12, 16)}-${h.slice(16, 20)}-${h.slice(20)}`),
  objectid: hex(24),
};

// Plan: for every preset, thousands of keys drawn by fast-check (text beyond the BMP, empty, long, integers, UUIDs) are placed by the
// client's map as decoded from a snapshot, by the agent's after a delta, and by the command line as a process; all three must agree.
describe('client, agent and command line agree on every key', () => {
  const seed = Number(process.env['CADASTRE_SEED'] ?? Math.trunc(Math.random() * 2 ** 31));

  beforeAll(() => {
    process.stdout.write(`agreement: CADASTRE_SEED=${seed} CADASTRE_AGREEMENT_KEYS=${KEYS} replay this run\n`);
    expect(existsSync(CLI)).toBe(true);
  });

  it('covers every preset', () => {
    expect(new Set(SUBJECTS.map((s) => s.preset))).toEqual(new Set(PRESET_NAMES));
  });

  it.each(SUBJECTS.map((s): [string, Subject] => [[s.preset, ...s.flags].join(' '), s]))(
    '%s',
    async (_, subject) => {
      const texts = fc.sample(TEXTS[keyKindOf(subject)], { numRuns: KEYS, seed });
      const { compared, disagreements } = await compareOn(CLI, subject, texts);
      expect(disagreements).toEqual([]);
      expect(compared).toBe(KEYS);
    },
    60_000 + KEYS,
  );
});
