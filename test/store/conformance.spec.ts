import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CadastreError } from '@cadastre/core';
import { seededRandom, systemClock, systemRandom, type Random } from '@cadastre/runtime';
import type { Compare, LeaseId, Op, Store } from '@cadastre/store';
import { compare, EtcdStore, MemoryDatabase, MemoryStore, op } from '@cadastre/store';
import { startEtcd, type EtcdCluster } from '@cadastre/testkit';

const STEPS = 600;
const KEYS = ['a', 'a/1', 'a/2', 'b', 'b/1', 'c\u00e9', 'z'];

/** What both stores are asked, with the leases of each by number. */
interface Step {
  readonly what: string;
  run(store: Store, leases: LeaseId[]): Promise<unknown>;
}

/** Lease numbers are each store's own: they are shown by their place in the list. */
const shown = (value: unknown, leases: readonly LeaseId[]): unknown =>
  JSON.parse(
    JSON.stringify(value, (name, item: unknown) => {
      if (name === 'leaseId') return item === 0n ? 'none' : `lease ${leases.indexOf(item as LeaseId)}`;
      return typeof item === 'bigint' ? `${item}n` : item;
    }) ?? 'null',
  );

const draw = (random: Random, last: bigint): Step => {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const bytes = (): Buffer => Buffer.from(String(Math.floor(random() * 4)));
  const revision = (): bigint => BigInt(Math.max(0, Number(last) - Math.floor(random() * 6)));
  const aCompare = (): Compare => {
    const operator = pick(['=', '!=', '<', '>'] as const);
    const key = pick(KEYS);
    const dice = Math.floor(random() * 5);
    if (dice === 0) return compare.absent(key);
    if (dice === 1) return compare.modRevision(key, revision(), operator);
    if (dice === 2) return compare.createRevision(key, revision(), operator);
    if (dice === 3) return compare.version(key, BigInt(Math.floor(random() * 3)), operator);
    return compare.value(key, bytes(), operator);
  };
  // One key is written at most once in a transaction: etcd refuses more, and so does the check before it.
  const ops = (keys: readonly string[]): Op[] =>
    keys.map((key) => (random() < 0.6 ? op.put(key, bytes()) : random() < 0.6 ? op.delete(key) : op.get(key)));
  const some = (): string[] => KEYS.filter(() => random() < 0.3);
  const dice = random();
  if (dice < 0.55) {
    const txn = { compare: random() < 0.7 ? [aCompare()] : [], success: ops(some()), failure: ops(some()) };
    return { what: 'txn', run: (store) => store.txn(txn) };
  }
  if (dice < 0.65) {
    const [key, prefix] = [pick(KEYS), pick(['a', 'a/', '', 'y'])];
    return {
      what: `range ${prefix}`,
      run: async (store) => [await store.get(key), await store.range(prefix, { limit: 3 })],
    };
  }
  if (dice < 0.75) {
    const at = revision();
    return { what: `range at ${at}`, run: (store) => store.range('a', { revision: at > 0n ? at : 1n }) };
  }
  if (dice < 0.8)
    return {
      what: 'grant',
      run: async (store, leases) => void leases.push((await store.grantLease(600_000)).id),
    };
  const [index, key] = [random(), pick(KEYS)];
  const lease = (leases: readonly LeaseId[]): LeaseId => leases[Math.floor(index * leases.length)] ?? 0x7fffn;
  if (dice < 0.92)
    return {
      what: 'put under a lease',
      run: (store, leases) => store.txn({ compare: [], success: [op.put(key, Buffer.from('l'), lease(leases))] }),
    };
  if (dice < 0.96) return { what: 'revoke', run: (store, leases) => store.revokeLease(lease(leases)) };
  if (dice < 0.98) return { what: 'keep alive', run: (store, leases) => store.keepAliveOnce(lease(leases)) };
  const at = revision();
  return { what: `compact ${at}`, run: (store) => store.compact(at) };
};

describe('the model of etcd that simulations run on', () => {
  let cluster: EtcdCluster;
  beforeAll(async () => {
    cluster = await startEtcd();
  });
  afterAll(() => cluster.stop());

  it('answers as etcd does', async () => {
    // Plan: the same random operations to a fresh etcd and a fresh model, one after the other; every answer and every refusal is the same.
    const seed = Math.floor(systemRandom() * 1e9);
    const random = seededRandom(seed);
    const database = new MemoryDatabase(systemClock);
    const model = { store: new MemoryStore({ database }) as Store, leases: [] as LeaseId[] };
    const real = { store: new EtcdStore({ endpoints: cluster.endpoints }) as Store, leases: [] as LeaseId[] };
    const ask = async (step: Step, { store, leases }: typeof model): Promise<unknown> => {
      try {
        return shown(await step.run(store, leases), leases);
      } catch (error) {
        return { refused: CadastreError.from(error).code };
      }
    };
    for (let i = 0; i < STEPS; i += 1) {
      const step = draw(random, database.revision);
      const expected = await ask(step, real);
      expect([seed, i, step.what, await ask(step, model)]).toEqual([seed, i, step.what, expected]);
    }
    real.store.close();
    model.store.close();
    database.close();
  }, 120_000);
});
