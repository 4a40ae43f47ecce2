import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Election } from '../election.js';
import type { ElectionOptions, Leader, Mandate } from '../election.js';
import { compare, op } from '../ops.js';
import { settle } from '../settle.js';
import type { Lease, LeaseLoss, Op, Store } from '../store.js';
import { MAX_TXN_BYTES, MAX_TXN_OPS } from '../txn-limits.js';
import { bytes, text, until, WatchRecorder } from './watch-recorder.js';

export interface StoreHarness {
  /** A new client of the one register under test. */
  connect(): Store;
  close(): Promise<void>;
}

/** What every store promises. The memory store of the simulation and the etcd store pass the same suite. */
export function describeStoreContract(implementation: string, start: () => Promise<StoreHarness>): void {
  describe(`${implementation}: store contract`, () => {
    let harness: StoreHarness;
    let store: Store;
    let other: Store;
    let tests = 0;
    jest.setTimeout(15_000);
    const fresh = () => `t${(tests += 1)}/`;

    beforeAll(async () => {
      harness = await start();
      store = harness.connect();
      other = harness.connect();
    }, 60_000);

    afterAll(async () => {
      store?.close();
      other?.close();
      await harness?.close();
    });

    const put = async (key: string, value = 'v'): Promise<bigint> =>
      (await store.txn({ compare: [], success: [op.put(key, bytes(value))] })).revision;

    describe('transactions', () => {
      it('reads back what it wrote, with its revisions', async () => {
        // Put a key twice, and follow createRevision, modRevision and version.
        const prefix = fresh();
        const first = await put(`${prefix}a`, '1');
        const second = await put(`${prefix}a`, '2');
        const kv = await store.get(`${prefix}a`);
        expect({ ...kv, value: text(kv?.value) }).toEqual({
          key: `${prefix}a`,
          value: '2',
          version: 2n,
          createRevision: first,
          modRevision: second,
          leaseId: 0n,
        });
        expect(second > first).toBe(true);
        expect(await store.get(`${prefix}absent`)).toBeUndefined();
      });

      it('takes every compare, and runs the branch that fits', async () => {
        // One key at a known revision; each target and operator once true and once false.
        const key = `${fresh()}k`;
        const revision = await put(key, 'm');
        const cases = [
          [compare.modRevision(key, revision), true],
          [compare.modRevision(key, revision, '!='), false],
          [compare.modRevision(key, revision - 1n, '>'), true],
          [compare.createRevision(key, revision, '<'), false],
          [compare.createRevision(key, revision + 1n, '<'), true],
          [compare.version(key, 1n), true],
          [compare.version(key, 1n, '>'), false],
          [compare.lease(key, 0n), true],
          [compare.value(key, bytes('m')), true],
          [compare.value(key, bytes('l'), '>'), true],
          [compare.value(key, bytes('m'), '!='), false],
          [compare.exists(key), true],
          [compare.absent(key), false],
          [compare.absent(`${key}2`), true],
          [compare.version(`${key}2`, 0n), true],
          [compare.value(`${key}2`, bytes('x'), '!='), false],
        ] as const;
        for (const [item, holds] of cases) {
          const outcome = await store.txn({ compare: [item], success: [], failure: [op.get(key)] });
          expect([item, outcome.kind]).toEqual([item, holds ? 'committed' : 'conflict']);
          expect(outcome.results).toHaveLength(holds ? 0 : 1);
        }
      });

      it('writes all or nothing, and the loser of a compare-and-set writes nothing', async () => {
        // Two clients race on one revision with two keys each: exactly one pair of values is there afterwards.
        const prefix = fresh();
        const revision = await put(`${prefix}a`, '0');
        const attempt = (by: Store, mark: string) =>
          by.txn({
            compare: [compare.modRevision(`${prefix}a`, revision)],
            success: [op.put(`${prefix}a`, bytes(mark)), op.put(`${prefix}b`, bytes(mark))],
            failure: [op.getPrefix(prefix)],
          });
        const outcomes = await Promise.all([attempt(store, 'x'), attempt(other, 'y')]);
        expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['committed', 'conflict']);
        const winner = outcomes[0].kind === 'committed' ? 'x' : 'y';
        const { kvs } = await store.range(prefix);
        expect(kvs.map((kv) => text(kv.value))).toEqual([winner, winner]);
        expect(new Set(kvs.map((kv) => kv.modRevision)).size).toBe(1);
      });

      it('runs its ops in order, and deletes keys and prefixes', async () => {
        // One transaction that puts, reads its own put, and deletes two others; results come one per op.
        const prefix = fresh();
        await put(`${prefix}x/1`);
        await put(`${prefix}x/2`);
        const { results } = await store.txn({
          compare: [],
          success: [
            op.put(`${prefix}a`, bytes('n')),
            op.get(`${prefix}a`),
            op.deletePrefix(`${prefix}x/`),
            op.delete(`${prefix}none`),
          ],
        });
        expect(
          results.map((result) => (result.kind === 'get' ? result.kvs.map((kv) => text(kv.value)) : result)),
        ).toEqual([{ kind: 'put' }, ['n'], { kind: 'delete', deleted: 2 }, { kind: 'delete', deleted: 0 }]);
        expect((await store.range(prefix)).kvs.map((kv) => kv.key)).toEqual([`${prefix}a`]);
      });

      it('counts no revision for a transaction that changes nothing', async () => {
        // Read, then run an empty transaction and a delete of nothing: the revision stands.
        const prefix = fresh();
        const revision = await put(`${prefix}a`);
        const outcome = await store.txn({ compare: [], success: [op.delete(`${prefix}none`)] });
        expect(outcome).toEqual({ kind: 'committed', revision, results: [{ kind: 'delete', deleted: 0 }] });
      });

      it('refuses what is over the limits before it is sent, and takes what is at them', async () => {
        // At 128 puts and near 1.5 MiB it commits; one more, or a key twice, is INVALID_ARGUMENT and writes nothing.
        const prefix = fresh();
        const puts = (count: number): Op[] =>
          Array.from({ length: count }, (_, index) => op.put(`${prefix}n${index}`, bytes('v')));
        expect((await store.txn({ compare: [], success: puts(MAX_TXN_OPS) })).kind).toBe('committed');
        const large = (size: number) => ({ compare: [], success: [op.put(`${prefix}large`, new Uint8Array(size))] });
        expect((await store.txn(large(MAX_TXN_BYTES - 1024))).kind).toBe('committed');
        const before = (await store.range(prefix)).revision;
        const refused = [
          { compare: [], success: puts(MAX_TXN_OPS + 1) },
          large(MAX_TXN_BYTES),
          { compare: [], success: [...puts(1), ...puts(1)] },
          { compare: [], success: [...puts(1), op.deletePrefix(prefix)] },
          { compare: [], success: [op.put('', bytes('v'))] },
        ];
        for (const txn of refused) await expect(store.txn(txn)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
        expect((await store.range(prefix)).revision).toBe(before);
      });
    });

    describe('ranges', () => {
      it('gives a prefix in byte order, and nothing beside it', async () => {
        // Keys around the prefix and beyond ASCII; expect the order of their UTF-8 bytes.
        const prefix = fresh();
        const keys = ['a', 'b', 'b/c', 'z', 'é', '～', '😀'];
        for (const key of [...keys].reverse()) await put(prefix + key);
        await put(`${prefix.slice(0, -1)}0`);
        expect((await store.range(prefix)).kvs.map((kv) => kv.key.slice(prefix.length))).toEqual(keys);
        const second = await store.range(prefix, { limit: 2, after: `${prefix}${keys[0]!}` });
        expect(second.kvs.map((kv) => kv.key.slice(prefix.length))).toEqual(keys.slice(1, 3));
        const limited = await store.range(prefix, { limit: 2, keysOnly: true });
        expect(limited.kvs.map((kv) => [kv.key.slice(prefix.length), kv.value.length])).toEqual([
          ['a', 0],
          ['b', 0],
        ]);
      });

      it('reads the past until it is compacted', async () => {
        // Read at an old revision, compact, read again: `isCompacted`.
        const prefix = fresh();
        const first = await put(`${prefix}a`, 'old');
        const second = await put(`${prefix}a`, 'new');
        await put(`${prefix}b`);
        const past = await store.range(prefix, { revision: first });
        expect(past.kvs.map((kv) => text(kv.value))).toEqual(['old']);
        expect(past.revision).toBe(first);
        await store.compact(second);
        await expect(store.range(prefix, { revision: first })).rejects.toMatchObject({
          code: 'FAILED_PRECONDITION',
          info: { kind: 'compacted' },
        });
        expect((await store.range(prefix, { revision: second })).kvs.map((kv) => text(kv.value))).toEqual(['new']);
      });
    });

    describe('watches', () => {
      it('delivers every revision once, whole and in order', async () => {
        // 60 transactions of three keys in two prefixes: one batch each, with both of our keys in it.
        const prefix = fresh();
        const { revision } = await store.range(prefix);
        const seen = new WatchRecorder(other, prefix, revision + 1n);
        const revisions: bigint[] = [];
        for (let index = 0; index < 60; index += 1) {
          const success = [
            op.put(`${prefix}a`, bytes(`${index}`)),
            op.put(`${prefix}b${index}`, bytes('v')),
            op.put(`${fresh()}z`, bytes('v')),
          ];
          revisions.push((await store.txn({ compare: [], success })).revision);
        }
        await until('60 batches', () => seen.batches.length >= 60);
        expect(seen.revisions).toEqual(revisions);
        expect(seen.batches.every((batch) => batch.events.length === 2)).toBe(true);
        expect(seen.events.filter(({ kv }) => kv.key === `${prefix}a`).map(({ kv }) => text(kv.value))).toEqual(
          revisions.map((_, index) => `${index}`),
        );
        seen.watch.close();
      });

      it('begins with the whole state when no revision is given, and tells puts from deletes', async () => {
        // One key before, then change and delete it: a resync of reason start, then a put with the value and a delete without.
        const prefix = fresh();
        await put(`${prefix}a`, '1');
        const seen = new WatchRecorder(store, prefix);
        await until('the start', () => seen.resyncs.length === 1);
        expect(seen.resyncs[0]).toMatchObject({ reason: 'start', deleted: [] });
        await put(`${prefix}a`, '2');
        const gone = (await store.txn({ compare: [], success: [op.delete(`${prefix}a`)] })).revision;
        await until('two events', () => seen.events.length === 2);
        expect(seen.events.map((event) => [event.type, text(event.kv.value)])).toEqual([
          ['put', '2'],
          ['delete', ''],
        ]);
        expect(seen.events[1]?.kv).toMatchObject({ key: `${prefix}a`, modRevision: gone, version: 0n });
        expect(seen.state.size).toBe(0);
        seen.watch.close();
      });

      it('resumes at any revision of the past', async () => {
        // Write ten, then watch from the fourth on: seven batches.
        const prefix = fresh();
        const revisions: bigint[] = [];
        for (let index = 0; index < 10; index += 1) revisions.push(await put(`${prefix}${index}`));
        const seen = new WatchRecorder(store, prefix, revisions[3] as bigint);
        await until('seven batches', () => seen.batches.length >= 7);
        expect(seen.revisions).toEqual(revisions.slice(3));
        seen.watch.close();
      });

      it('delivers the whole state when the past it needs has been compacted', async () => {
        // Change, delete and add keys, compact beyond the watch's start, and expect one resync and then new events.
        const prefix = fresh();
        const first = await put(`${prefix}a`);
        await put(`${prefix}b`);
        await store.txn({ compare: [], success: [op.delete(`${prefix}a`)] });
        await store.compact(await put(`${prefix}c`));
        const seen = new WatchRecorder(store, prefix, first);
        await until('the resync', () => seen.resyncs.length === 1);
        expect(seen.resyncs[0]?.reason).toBe('compacted');
        expect([...seen.state.keys()]).toEqual([`${prefix}b`, `${prefix}c`]);
        await put(`${prefix}d`);
        await until('the next event', () => seen.batches.length === 1);
        expect(seen.events.map(({ kv }) => kv.key)).toEqual([`${prefix}d`]);
        expect(seen.errors).toEqual([]);
        seen.watch.close();
      });

      it('reports progress beyond its last event while idle', async () => {
        // Write elsewhere; the idle watch has to name a revision at least as new.
        const prefix = fresh();
        const seen = new WatchRecorder(store, prefix);
        await until('the start', () => seen.resyncs.length === 1);
        const elsewhere = await put(`${fresh()}a`);
        await until('progress', () => (seen.progress.at(-1) ?? 0n) >= elsewhere);
        expect(seen.batches).toEqual([]);
        seen.watch.close();
      });

      it('ends with a typed error when a callback throws, and calls nothing after close', async () => {
        // One consumer that throws; one that closes at its first batch and must not see the second.
        const prefix = fresh();
        const { revision } = await store.range(prefix);
        const errors: Error[] = [];
        let closedSaw = 0;
        store.watch(prefix, {
          fromRevision: revision + 1n,
          onResync: () => undefined,
          onError: (error) => void errors.push(error),
          onBatch: () => {
            throw new Error('consumer broke');
          },
        });
        const closing = store.watch(prefix, {
          fromRevision: revision + 1n,
          onResync: () => undefined,
          onError: (error) => void errors.push(error),
          onBatch: () => {
            closedSaw += 1;
            closing.close();
          },
        });
        const witness = new WatchRecorder(store, prefix, revision + 1n);
        await put(`${prefix}a`);
        await put(`${prefix}b`);
        await until('the witness saw both', () => witness.batches.length === 2 && errors.length === 1);
        expect(errors).toMatchObject([{ code: 'INTERNAL' }]);
        expect(closedSaw).toBe(1);
        witness.watch.close();
      });
    });

    describe('leases', () => {
      it('keeps keys while kept alive, beyond the TTL', async () => {
        // A lease of 2 s with a key is watched for 3 s: it is alive, and so is the key.
        const key = `${fresh()}k`;
        const lease = await store.grantLease(2_000);
        await store.txn({ compare: [], success: [op.put(key, bytes('v'), lease.id)] });
        const since = performance.now();
        await until('3 s', () => performance.now() - since > 3_000);
        expect(lease.isAlive()).toBe(true);
        expect(await store.get(key)).toMatchObject({ leaseId: lease.id });
        await lease.revoke();
      });

      it('takes its keys along when revoked, in one revision', async () => {
        // Two keys on one lease: one batch with two deletes; the lease is lost at once; revoking again is no error.
        const prefix = fresh();
        const lease = await store.grantLease(10_000);
        const losses: LeaseLoss[] = [];
        lease.onLost((reason) => losses.push(reason));
        const { revision } = await store.txn({
          compare: [],
          success: [op.put(`${prefix}a`, bytes('v'), lease.id), op.put(`${prefix}b`, bytes('v'), lease.id)],
        });
        const seen = new WatchRecorder(store, prefix, revision + 1n);
        await lease.revoke();
        expect(losses).toEqual(['revoked']);
        expect(lease.isAlive()).toBe(false);
        await until('the deletes', () => seen.events.length === 2);
        expect(seen.batches).toHaveLength(1);
        await store.revokeLease(lease.id);
        expect(await store.keepAliveOnce(lease.id)).toBe('gone');
        await expect(store.adoptLease(lease.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
        await expect(
          store.txn({ compare: [], success: [op.put(`${prefix}c`, bytes('v'), lease.id)] }),
        ).rejects.toMatchObject({ code: 'NOT_FOUND' });
        seen.watch.close();
      });

      it('is told that it is gone when someone else revokes it', async () => {
        // Revoke through another client; the holder learns it at its next keepalive.
        const lease = await store.grantLease(2_000);
        const losses: LeaseLoss[] = [];
        lease.onLost((reason) => losses.push(reason));
        await other.revokeLease(lease.id);
        await until('the loss', () => losses.length === 1);
        expect(losses).toEqual(['gone']);
      });

      it('moves between clients: released by one, adopted by another', async () => {
        // Release a lease of 2 s, adopt it elsewhere: it lives on for 3 s; released again, it ends by its TTL.
        const key = `${fresh()}k`;
        const lease = await store.grantLease(2_000);
        await store.txn({ compare: [], success: [op.put(key, bytes('v'), lease.id)] });
        const adopted: Lease = await other.adoptLease(lease.id);
        lease.release();
        expect(adopted.ttlMs).toBe(lease.ttlMs);
        const since = performance.now();
        await until('3 s', () => performance.now() - since > 3_000);
        expect(adopted.isAlive()).toBe(true);
        expect(await store.get(key)).toBeDefined();
        adopted.release();
        await until('the key is gone', async () => (await store.get(key)) === undefined);
      });
    });

    describe('election', () => {
      interface Candidate {
        readonly election: Election;
        readonly elected: Mandate[];
        readonly deposed: string[];
        readonly leaders: (Leader | undefined)[];
      }
      const candidate = (by: Store, prefix: string, name: string, more: Partial<ElectionOptions> = {}): Candidate => {
        const elected: Mandate[] = [];
        const deposed: string[] = [];
        const leaders: (Leader | undefined)[] = [];
        const election = new Election({
          store: by,
          prefix,
          value: bytes(name),
          ttlMs: 2_000,
          onElected: (mandate) => void elected.push(mandate),
          onDeposed: (reason) => void deposed.push(reason),
          onLeader: (leader) => void leaders.push(leader),
          ...more,
        });
        return { election, elected, deposed, leaders };
      };
      const keysOf = async (prefix: string) => (await store.range(`${prefix}/`)).kvs.map((kv) => text(kv.value));

      it('elects one after the other, with rising terms and a fence that ends with the term', async () => {
        // A leads, B waits; A's fence holds; A resigns: B leads with a higher term, and A's fence holds no more.
        const prefix = `${fresh()}election`;
        const a = candidate(store, prefix, 'a');
        const b = candidate(other, prefix, 'b');
        a.election.campaign();
        await until('a leads', () => a.elected.length === 1);
        b.election.campaign();
        await until('b waits', async () => (await keysOf(prefix)).length === 2);
        const fence = (a.elected[0] as Mandate).fence;
        expect((await store.txn({ compare: [fence], success: [op.put(`${prefix}x`, bytes('a'))] })).kind).toBe(
          'committed',
        );
        expect(b.elected).toEqual([]);
        await a.election.resign();
        expect(a.deposed).toEqual(['resigned']);
        await until('b leads', () => b.elected.length === 1);
        expect((b.elected[0] as Mandate).term > (a.elected[0] as Mandate).term).toBe(true);
        expect((await store.txn({ compare: [fence], success: [op.put(`${prefix}x`, bytes('late'))] })).kind).toBe(
          'conflict',
        );
        await until(
          'everyone knows',
          () => text(b.leaders.at(-1)?.value) === 'b' && text(a.leaders.at(-1)?.value) === 'b',
        );
        expect(a.election.mandate).toBeUndefined();
        await Promise.all([a.election.close(), b.election.close()]);
      });

      it('never announces a candidate whose lease is gone, or who resigned while waiting', async () => {
        // The zombie election: A leads, B and D wait; B's lease is revoked, D resigns, C stands; A resigns. Nobody but the oldest
        // living candidate announces itself, and one key of a leader is in the store.
        const prefix = `${fresh()}election`;
        const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((value) =>
          candidate(value === 'a' ? store : other, prefix, value),
        ) as [Candidate, Candidate, Candidate, Candidate];
        a.election.campaign();
        await until('a leads', () => a.elected.length === 1);
        b.election.campaign();
        await until('b waits', async () => (await keysOf(prefix)).length === 2);
        d.election.campaign();
        await until('d waits', async () => (await keysOf(prefix)).length === 3);
        const waiting = (await store.range(`${prefix}/`)).kvs.find((kv) => text(kv.value) === 'b');
        await store.revokeLease(waiting?.leaseId ?? 0n);
        await d.election.resign();
        c.election.campaign();
        await until('c waits', async () => (await keysOf(prefix)).includes('c'));
        await a.election.resign();
        await until('someone leads', () => b.elected.length + c.elected.length > 0);
        const { kvs } = await store.range(`${prefix}/`);
        const oldest = [...kvs].sort((x, y) => Number(x.createRevision - y.createRevision))[0];
        const announced = [...b.elected, ...c.elected, ...d.elected];
        expect(announced.map((mandate) => mandate.key)).toEqual([oldest?.key]);
        expect(announced[0]?.term).toBe(oldest?.createRevision);
        expect(announced[0]?.key).not.toBe(waiting?.key);
        await Promise.all([a, b, c, d].map(({ election }) => election.close()));
      });

      it('stands again by itself when its key or its lease is taken away', async () => {
        // Delete the leader's key, later revoke its lease: each time it is deposed with the reason, and elected in a new term.
        const prefix = `${fresh()}election`;
        const a = candidate(store, prefix, 'a');
        a.election.campaign();
        await until('the first term', () => a.elected.length === 1);
        await other.txn({ compare: [], success: [op.delete((a.elected[0] as Mandate).key)] });
        await until('the second term', () => a.elected.length === 2);
        await other.revokeLease((await store.get((a.elected[1] as Mandate).key))?.leaseId ?? 0n);
        await until('the third term', () => a.elected.length === 3);
        expect(a.deposed).toHaveLength(2);
        expect(a.deposed[0]).toBe('key-deleted');
        const terms = a.elected.map((mandate) => mandate.term);
        expect(terms).toEqual([...terms].sort((x, y) => Number(x - y)));
        await a.election.close();
        expect(a.deposed[2]).toBe('closed');
        expect(await keysOf(prefix)).toEqual([]);
      });
    });

    describe('settle', () => {
      it('passes on what is known at once', async () => {
        // A commit and a conflict with nothing lost.
        const key = `${fresh()}k`;
        const txn = { compare: [compare.absent(key)], success: [op.put(key, bytes('mine'))] };
        const proof = { key, matches: () => true };
        expect((await settle(store, txn, proof)).kind).toBe('committed');
        expect((await settle(store, txn, proof)).kind).toBe('conflict');
      });
    });
  });
}
