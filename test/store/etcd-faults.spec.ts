import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { compare, EtcdStore, isRegisterChanged, op, settle } from '@cadastre/store';
import type { EtcdStoreOptions, LeaseLoss } from '@cadastre/store';
import { startEtcd, TcpProxy } from '@cadastre/testkit';
import type { EtcdCluster } from '@cadastre/testkit';
import { bytes, text, until, WatchRecorder } from '../../libs/store/src/testing/watch-recorder.js';

jest.setTimeout(40_000);

describe('etcd store under network faults', () => {
  let etcd: EtcdCluster;
  let proxy: TcpProxy;
  /** Through the proxy. */
  let store: EtcdStore;
  /** Beside the proxy. */
  let direct: EtcdStore;
  let tests = 0;
  let prefix: string;
  const opened: EtcdStore[] = [];

  const open = (options: Partial<EtcdStoreOptions> = {}): EtcdStore => {
    const opening = new EtcdStore({
      endpoints: [proxy.endpoint],
      namespace: 'faults/',
      progressPeriodMs: 200,
      deadlineMs: 2_000,
      ...options,
    });
    opened.push(opening);
    return opening;
  };

  beforeAll(async () => {
    etcd = await startEtcd();
  });
  afterAll(() => etcd?.stop());

  beforeEach(async () => {
    prefix = `f${(tests += 1)}/`;
    proxy = await TcpProxy.start(etcd.members[0]?.port ?? 0);
    store = open();
    direct = open({ endpoints: etcd.endpoints });
  });
  afterEach(async () => {
    for (const each of opened.splice(0)) each.close();
    await proxy.stop();
  });

  const put = async (key: string, value = 'v'): Promise<bigint> =>
    (await direct.txn({ compare: [], success: [op.put(prefix + key, bytes(value))] })).revision;
  const puts = async (count: number): Promise<bigint[]> => {
    const revisions: bigint[] = [];
    for (let index = 0; index < count; index += 1) revisions.push(await put(`k${index}`, `${index}`));
    return revisions;
  };

  it('loses no event when the connection is cut again and again while it resumes', async () => {
    // Cut, 50 puts, then let each new connection carry a little more before it is cut again, so that cuts fall right after the
    // `created` answer too; when all is healed 50 of 50 arrive, once and in order.
    const { revision } = await direct.range(prefix);
    const seen = new WatchRecorder(store, prefix, revision + 1n);
    await until('the watch stands', () => seen.progress.length > 0);
    proxy.refuse();
    const revisions = await puts(50);
    let allowance = 20;
    const before = proxy.connections;
    proxy.intercept((direction, link, chunk) => {
      if (direction === 'up' || link.bytes.down + chunk.length <= allowance) return 'pass';
      allowance += 80;
      return 'cut';
    });
    proxy.heal();
    await until('9 cut connections', () => proxy.connections - before > 9, 30_000);
    proxy.intercept(undefined);
    await until('50 events', () => seen.events.length >= 50);
    expect(seen.revisions).toEqual(revisions);
    expect(seen.events.map(({ kv }) => text(kv.value))).toEqual(revisions.map((_, index) => `${index}`));
    expect(seen.errors).toEqual([]);
    expect(seen.resyncs).toEqual([]);
  });

  it('delivers 3,500 missed revisions once and in order although it is cut in the middle', async () => {
    // etcd sends a catch-up in batches of 1,000 revisions; cut after 30 kB of the first resume, and after 60 kB of the second.
    const { revision } = await direct.range(prefix);
    const seen = new WatchRecorder(store, prefix, revision + 1n);
    await until('the watch stands', () => seen.progress.length > 0);
    proxy.refuse();
    const revisions: bigint[] = [];
    while (revisions.length < 3_500)
      revisions.push(
        ...(await Promise.all(
          Array.from({ length: 50 }, (_, index) => put(`k${index}`, `${revisions.length + index}`)),
        )),
      );
    revisions.sort((a, b) => Number(a - b));
    const limits = [30_000, 60_000];
    let partly = 0;
    proxy.intercept((direction, link, chunk) => {
      const limit = limits[0];
      if (direction === 'up' || limit === undefined || link.bytes.down + chunk.length <= limit) return 'pass';
      limits.shift();
      partly = Math.max(partly, seen.batches.length);
      return 'cut';
    });
    proxy.heal();
    await until('3,500 batches', () => seen.batches.length >= 3_500, 30_000);
    expect(limits).toEqual([]);
    expect(partly).toBeGreaterThan(0);
    expect(partly).toBeLessThan(3_500);
    expect(seen.revisions).toEqual(revisions);
    expect(seen.errors).toEqual([]);
  });

  it('applies a put once when its answer is lost, says so, and settle finds it', async () => {
    // Swallow the answer of a put and cut: UNKNOWN_OUTCOME, version 1. The same with create-if-absent through settle: committed.
    await store.get(`${prefix}warm`);
    proxy.blackhole('down');
    const lost = store.txn({ compare: [], success: [op.put(`${prefix}k`, bytes('v'))] });
    const failed = expect(lost).rejects.toMatchObject({ code: 'UNKNOWN_OUTCOME' });
    await until('it is applied', async () => (await direct.get(`${prefix}k`)) !== undefined);
    proxy.cut();
    await failed;
    proxy.heal();
    const { kvs } = await direct.range(prefix);
    expect(kvs.map((kv) => kv.version)).toEqual([1n]);

    await store.get(`${prefix}warm`);
    proxy.blackhole('down');
    const key = `${prefix}created`;
    const settled = settle(
      store,
      { compare: [compare.absent(key)], success: [op.put(key, bytes('op-1'))] },
      { key, matches: (kv) => text(kv.value) === 'op-1' },
    );
    await until('it is applied', async () => (await direct.get(key)) !== undefined);
    proxy.cut();
    proxy.heal();
    expect(await settled).toMatchObject({ kind: 'committed', revision: (await direct.get(key))?.createRevision });
    expect((await direct.get(key))?.version).toBe(1n);
  });

  it('settles a transaction that never arrived by sending it again, and one that lost its race as a conflict', async () => {
    // Swallow the request itself until the caller gives up; healed, it is committed once. Then the same while another client wins.
    const key = `${prefix}k`;
    const attempt = (mark: string) =>
      settle(
        store,
        { compare: [compare.absent(key)], success: [op.put(key, bytes(mark))] },
        { key, matches: (kv) => text(kv.value) === mark },
        { deadlineMs: 300 },
      );
    await store.get(key);
    proxy.blackhole('up');
    const first = attempt('op-1');
    const waited = performance.now();
    await until('the first attempt is over', () => performance.now() - waited > 400);
    proxy.heal();
    expect(await first).toMatchObject({ kind: 'committed' });
    expect(await direct.get(key)).toMatchObject({ version: 1n });

    await direct.txn({ compare: [], success: [op.delete(key)] });
    await store.get(key);
    proxy.blackhole('up');
    const second = attempt('op-2');
    await put('k', 'theirs');
    const again = performance.now();
    await until('the second attempt is over', () => performance.now() - again > 400);
    proxy.heal();
    expect(await second).toMatchObject({ kind: 'conflict' });
    expect(text((await direct.get(key))?.value)).toBe('theirs');
  });

  it('throws UNAVAILABLE for what could not be sent, within the deadline', async () => {
    // Nobody listens: a transaction and a read both fail as UNAVAILABLE in about their deadline, and nothing is written.
    proxy.refuse();
    const since = performance.now();
    await expect(
      store.txn({ compare: [], success: [op.put(`${prefix}k`, bytes('v'))] }, { deadlineMs: 500 }),
    ).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(store.get(`${prefix}k`, { deadlineMs: 500 })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(performance.now() - since).toBeLessThan(2_000);
    expect(await direct.get(`${prefix}k`)).toBeUndefined();
  });

  it('loses its lease by its own clock before etcd takes the key away', async () => {
    // A lease of 5 s with a key; black-hole the network; the loss is reported while the key still exists.
    const lease = await store.grantLease(5_000);
    await direct.txn({ compare: [], success: [op.put(`${prefix}k`, bytes('v'), lease.id)] });
    const losses: { reason: LeaseLoss; at: number }[] = [];
    lease.onLost((reason) => losses.push({ reason, at: performance.now() }));
    const since = performance.now();
    proxy.blackhole();
    await until('the loss', () => losses.length === 1, 6_000);
    expect(await direct.get(`${prefix}k`)).toBeDefined();
    expect(lease.isAlive()).toBe(false);
    await until('the key is gone', async () => (await direct.get(`${prefix}k`)) === undefined, 10_000);
    expect(losses[0]?.reason).toBe('deadline');
    expect((losses[0]?.at ?? 0) - since).toBeLessThan(4_100);
  });

  it('reads the state anew when history was compacted while it was cut off', async () => {
    // Cut; change, delete, add; compact; heal: one resync with exactly what differs, then events again.
    await put('stays');
    await put('changes', 'old');
    await put('goes');
    const seen = new WatchRecorder(store, prefix);
    await until('the start', () => seen.resyncs.length === 1);
    proxy.refuse();
    await put('changes', 'new');
    await direct.txn({ compare: [], success: [op.delete(`${prefix}goes`)] });
    await direct.compact(await put('comes'));
    proxy.heal();
    await until('the resync', () => seen.resyncs.length === 2);
    expect(seen.resyncs[1]).toMatchObject({ reason: 'compacted', deleted: [`${prefix}goes`] });
    expect(seen.resyncs[1]?.changed.map((kv) => kv.key)).toEqual([`${prefix}changes`, `${prefix}comes`]);
    expect([...seen.state.keys()].sort()).toEqual([`${prefix}changes`, `${prefix}comes`, `${prefix}stays`]);
    await put('later');
    await until('the next event', () => seen.state.has(`${prefix}later`));
    expect(seen.errors).toEqual([]);
  });

  it('leaves a silent connection for another endpoint within two progress periods and a little', async () => {
    // Two endpoints, the first goes silent without closing: a put reaches the watch through the second, without any error.
    const both = open({ endpoints: [proxy.endpoint, ...etcd.endpoints] });
    const seen = new WatchRecorder(both, prefix);
    await until('progress', () => seen.progress.length > 0);
    expect(proxy.connections).toBeGreaterThan(0);
    proxy.blackhole();
    await put('k');
    await until('the event', () => seen.events.length === 1, 5_000);
    expect(seen.errors).toEqual([]);
  });

  it('refuses another register behind the same address', async () => {
    // The address suddenly leads to a fresh etcd: reads throw, the watch ends with the typed error, nothing of it is delivered.
    const stranger = await startEtcd();
    try {
      await put('k');
      const seen = new WatchRecorder(store, prefix);
      await until('the start', () => seen.resyncs.length === 1);
      proxy.retarget(stranger.members[0]?.port ?? 0);
      proxy.cut();
      await until('the error', () => seen.errors.length === 1);
      expect(isRegisterChanged(seen.errors[0])).toBe(true);
      expect(seen.errors[0]).toMatchObject({ code: 'FAILED_PRECONDITION', field: 'cluster-id' });
      await expect(store.range(prefix)).rejects.toMatchObject({ field: 'cluster-id' });
      expect(seen.state.size).toBe(1);
      expect(seen.resyncs).toHaveLength(1);
    } finally {
      await stranger.stop();
    }
  });

  it('tells what it is connected to', async () => {
    // The status of a fresh single member: a version, itself as the leader, no alarm.
    const status = await store.status();
    expect(status.version).toMatch(/^3\.\d+\.\d+/);
    expect(status.leader).toBe(status.memberId);
    expect(status.alarms).toEqual([]);
    expect(status.dbSizeBytes).toBeGreaterThan(0);
    expect(status.dbSizeInUseBytes).toBeGreaterThan(0);
    expect(status.dbSizeInUseBytes).toBeLessThanOrEqual(status.dbSizeBytes);
  });

  it('reads a large prefix in pages of one revision while it is being written', async () => {
    // 25,000 keys of 3 pages; each round rewrites the first and the last key in one transaction: both always agree.
    for (let base = 0; base < 25_000; base += 1_280) {
      const chunk = (from: number) =>
        Array.from({ length: Math.max(0, Math.min(128, 25_000 - from)) }, (_, index) =>
          op.put(`${prefix}${String(from + index).padStart(6, '0')}`, bytes('0')),
        );
      await Promise.all(
        Array.from({ length: 10 }, (_, part) => direct.txn({ compare: [], success: chunk(base + part * 128) })),
      );
    }
    let writing = true;
    const writer = (async () => {
      for (let round = 1; writing; round += 1)
        await direct.txn({
          compare: [],
          success: [op.put(`${prefix}000000`, bytes(`${round}`)), op.put(`${prefix}024999`, bytes(`${round}`))],
        });
    })();
    for (let read = 0; read < 3; read += 1) {
      const { kvs } = await store.range(prefix);
      expect(kvs).toHaveLength(25_000);
      expect(text(kvs.at(-1)?.value)).toBe(text(kvs[0]?.value));
    }
    writing = false;
    await writer;
  });
});

describe('etcd store and members that die', () => {
  it('goes on with the members that are left, and its watch misses nothing', async () => {
    // Three members; kill the one that the store prefers; writes, leases and the watch go on; restart it and kill another.
    const etcd = await startEtcd({ members: 3 });
    const store = new EtcdStore({ endpoints: etcd.endpoints, progressPeriodMs: 200, deadlineMs: 3_000 });
    try {
      const seen = new WatchRecorder(store, 'm/');
      await until('the start', () => seen.resyncs.length === 1);
      const lease = await store.grantLease(6_000);
      const written: string[] = [];
      const write = async (value: string): Promise<void> => {
        const key = `m/${value}`;
        const settled = await settle(
          store,
          { compare: [compare.absent(key)], success: [op.put(key, bytes(value))] },
          { key, matches: (kv) => text(kv.value) === value },
        ).catch(() => undefined);
        if (settled?.kind === 'committed') written.push(key);
      };
      for (const victim of [0, 1]) {
        await write(`before-${victim}`);
        await etcd.kill(victim);
        const enough = written.length + 5;
        for (let index = 0; written.length < enough; index += 1) await write(`during-${victim}-${index}`);
        await etcd.restart(victim);
      }
      await until('all events', () => seen.events.length >= written.length);
      expect(seen.events.map(({ kv }) => kv.key)).toEqual(written);
      expect(seen.errors).toEqual([]);
      expect(lease.isAlive()).toBe(true);
    } finally {
      store.close();
      await etcd.stop();
    }
  });

  it('logs in again when its token has run out', async () => {
    // Password auth with tokens of 1 s; let them run out, cut the connection, write: watch, transactions and leases go on.
    const etcd = await startEtcd({ extraArgs: ['--auth-token-ttl', '1'] });
    const proxy = await TcpProxy.start(etcd.members[0]?.port ?? 0);
    const post = async (path: string, body: object) => {
      const response = await fetch(`http://${etcd.endpoints[0]}/v3/auth/${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
      });
      if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
    };
    await post('user/add', { name: 'root', password: 'secret' });
    await post('role/add', { name: 'root' });
    await post('user/grant', { user: 'root', role: 'root' });
    await post('enable', {});
    const auth = { username: 'root', password: 'secret' };
    const store = new EtcdStore({ endpoints: [proxy.endpoint], auth, progressPeriodMs: 200 });
    const wrong = new EtcdStore({ endpoints: [proxy.endpoint], auth: { username: 'root', password: 'guess' } });
    try {
      await expect(wrong.get('k')).rejects.toMatchObject({
        code: expect.stringMatching(/INVALID_ARGUMENT|PERMISSION_DENIED/),
      });
      const seen = new WatchRecorder(store, 'a/');
      await until('the start', () => seen.resyncs.length === 1);
      const lease = await store.grantLease(3_000);
      const since = performance.now();
      await until('the token has run out', () => performance.now() - since > 4_000);
      proxy.cut();
      await until('a write', async () => {
        const outcome = await store.txn({ compare: [], success: [op.put('a/k', bytes('v'))] }).catch(() => undefined);
        return outcome?.kind === 'committed';
      });
      await until('its event', () => seen.state.has('a/k'));
      expect(lease.isAlive()).toBe(true);
      expect(seen.errors).toEqual([]);
    } finally {
      store.close();
      wrong.close();
      await proxy.stop();
      await etcd.stop();
    }
  });
});
