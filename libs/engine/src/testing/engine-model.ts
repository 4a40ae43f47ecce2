import { createHash } from 'node:crypto';
import { expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { systemRandom } from '@cadastre/runtime';
import type { Op, StorageEngine } from '../engine.js';
import type { EngineHarness } from './engine-contract.js';

const ID = { keyspace: 'model', partition: 7 };
const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');

/** The definition of the digest, in the dullest way. */
const digestOfModel = (model: ReadonlyMap<string, string>): string => {
  let sum = 0n;
  for (const [key, value] of model) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(key.length / 2);
    const hash = createHash('sha256')
      .update(length)
      .update(Buffer.from(key, 'hex'))
      .update(Buffer.from(value, 'hex'))
      .digest();
    sum += BigInt(`0x${hash.subarray(0, 16).toString('hex')}`);
  }
  return (sum % (1n << 128n)).toString(16).padStart(32, '0');
};

const key = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 2, max: 3 }) },
  {
    weight: 1,
    arbitrary: fc
      .uint8Array({ minLength: 1, maxLength: 96, max: 1 })
      .map((tail) => Buffer.concat([Buffer.alloc(4000, 1), tail])),
  },
);
const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('put' as const), key, value: fc.uint8Array({ maxLength: 8 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('write' as const), ops: fc.array(op, { maxLength: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('scan' as const),
      start: key,
      end: key,
      reverse: fc.boolean(),
      limit: fc.integer({ min: 1, max: 5 }),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const play = (model: Map<string, string>, ops: readonly Op[]): void => {
  for (const each of ops) each.kind === 'put' ? model.set(hex(each.key), hex(each.value)) : model.delete(hex(each.key));
};

const sorted = (model: ReadonlyMap<string, string>): [string, string][] =>
  [...model].sort(([a], [b]) => (a < b ? -1 : 1));

const checkScan = (
  engine: StorageEngine,
  model: ReadonlyMap<string, string>,
  at: Extract<Step, { do: 'scan' }>,
): void => {
  const [low, high] = [hex(at.start), hex(at.end)];
  const inside = sorted(model).filter(([name]) => name >= low && name < high);
  if (at.reverse) inside.reverse();
  const seen = engine.scan(ID, { start: at.start, end: at.end, reverse: at.reverse, limit: at.limit, maxBytes: 1e6 });
  expect(seen.entries.map(([k, v]) => [hex(k), hex(v)])).toEqual(inside.slice(0, at.limit));
  expect(seen.next !== undefined).toBe(inside.length > at.limit);
};

/** Random histories against a Map; `seed` is printed by fast-check when a run fails. */
export const itMatchesTheModel = (makeHarness: () => Promise<EngineHarness>, numRuns: number): void => {
  const seed = Math.floor(systemRandom() * 1_000_000_007);
  it(`behaves as a Map under random histories (seed ${seed})`, async () => {
    // Plan: writes, flushes, reopenings and scans in random order; after each step reads, counts and digests equal the model's.
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const harness = await makeHarness();
        let engine = harness.create();
        const model = new Map<string, string>();
        await engine.open();
        await engine.create(ID);
        try {
          for (const at of steps) engine = await take(at, engine, harness, model);
          await engine.flush();
          expect(await engine.recomputeDigest(ID)).toMatchObject({ count: model.size, digest: digestOfModel(model) });
        } finally {
          await engine.close();
          await harness.dispose();
        }
      }),
      { numRuns, seed },
    );
  }, 60_000);
};

const take = async (
  at: Step,
  engine: StorageEngine,
  harness: EngineHarness,
  model: Map<string, string>,
): Promise<StorageEngine> => {
  if (at.do === 'scan') checkScan(engine, model, at);
  if (at.do === 'flush') await engine.flush();
  if (at.do === 'reopen') {
    await engine.close();
    const next = harness.again();
    await next.open();
    return next;
  }
  if (at.do === 'write') {
    const seq = (engine.meta(ID)?.lastSeq ?? 0) + 1;
    void engine.append(ID, [{ epoch: 1, seq, requestId: '', ops: at.ops }]);
    void engine.apply(ID, seq);
    play(model, at.ops);
    for (const each of at.ops)
      expect(engine.get(ID, each.key)?.length).toBe(
        model.has(hex(each.key)) ? (model.get(hex(each.key)) ?? '').length / 2 : undefined,
      );
  }
  expect(engine.digestAt(ID)).toMatchObject({ count: model.size, digest: digestOfModel(model) });
  expect(engine.scan(ID, { limit: 1e6, maxBytes: 1e9 }).entries.map(([k, v]) => [hex(k), hex(v)])).toEqual(
    sorted(model),
  );
  expect(engine.sizeBytes(ID)).toBe(sorted(model).reduce((sum, [k, v]) => sum + (k.length + v.length) / 2, 0));
  return engine;
};
