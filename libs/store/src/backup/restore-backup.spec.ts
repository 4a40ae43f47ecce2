import { beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger, systemClock } from '@cadastre/runtime';
import { keys, ROOT } from '../keys.js';
import { MemoryDatabase } from '../memory/memory-database.js';
import type { MemoryCall, MemoryFault } from '../memory/memory-store.js';
import { MemoryStore } from '../memory/memory-store.js';
import { op } from '../ops.js';
import { clusterPart } from '../register/drafts.js';
import { RegisterMirror } from '../register/mirror.js';
import type { PlanHead } from '../register/records.js';
import { auditCodec, clusterCodec, headCodec, planHeadCodec, recoveryCodec } from '../register/records.js';
import { Register } from '../register/register.js';
import type { BackupFrame } from './backup-frames.js';
import type { BackupReport } from './check-backup.js';
import { BackupCheck } from './check-backup.js';
import { raiseIncarnation, restoreBackup } from './restore-backup.js';
import { endedPlan } from './restored-entry.js';
import { takeBackup } from './take-backup.js';

const HOW = { actor: 'ann', reason: 'etcd burned down', nowMs: 7_000, incarnation: 2, mark: 'm1' };
const newStore = (fault?: (call: MemoryCall) => MemoryFault) =>
  new MemoryStore({ database: new MemoryDatabase(systemClock), ...(fault && { fault }) });

const plan = (id: string, state: PlanHead['state']): PlanHead => ({
  id,
  state,
  digest: 'd',
  bodyChunks: 0,
  moves: 0,
  createdMs: 1,
  expiresMs: 2,
  events: [],
  note: '',
  movesDone: 0,
  movesFailed: 0,
});

let store: MemoryStore;
let frames: BackupFrame[];
let report: BackupReport;

const open = async (into: MemoryStore) => {
  const mirror = new RegisterMirror(into, silentLogger, {
    onChange: () => undefined,
    onFatal: (error) => {
      throw error;
    },
  });
  await mirror.start();
  return { mirror, register: new Register(into, mirror, { clock: systemClock }) };
};
async function* replay() {
  yield* frames;
}
const keysIn = async (into: MemoryStore) => (await into.range(ROOT)).kvs.map((kv) => kv.key.slice(ROOT.length));

beforeEach(async () => {
  store = newStore();
  const { mirror, register } = await open(store);
  await register.commit(() => ({ ...clusterPart('c1'), result: 0 }));
  const puts = [
    op.put(keys.planHead('p1'), planHeadCodec.encode(plan('p1', 'executing'))),
    op.put(keys.planHead('p2'), planHeadCodec.encode(plan('p2', 'completed'))),
    op.put(keys.floor('gone'), headCodec.encode({ incarnation: 1, number: 4 })),
    op.put(keys.departure('n9'), Buffer.alloc(0)),
    op.put(keys.writer('w'), Buffer.from('without a lease')),
  ];
  const audit = { actor: 'ann', verb: 'settings', subject: 'settings' };
  await register.commit(() => ({ compare: [], ops: puts, result: 0, audit }));
  mirror.stop();
  const check = new BackupCheck();
  frames = [];
  for await (const frame of takeBackup(store, { actor: 'ann', nowMs: 5 })) {
    frames.push(frame);
    check.take(frame);
  }
  report = check.finish();
});

describe('a restore', () => {
  it('writes what lasts under a higher incarnation, ends what was to run, and says so in the audit log', async () => {
    // Plan: restore into an empty store; read the register as a control plane does, and the chain to its end.
    const into = newStore();
    expect(await restoreBackup(into, replay(), report, HOW)).toMatchObject({ clusterId: 'c1', incarnation: 2 });
    expect(await keysIn(into)).toEqual([
      'audit/00000000000000000001',
      'audit/00000000000000000002',
      'audit/head',
      'cluster',
      'floors/gone',
      'plans/p1/head',
      'plans/p2/head',
      'recovery',
    ]);
    const { mirror } = await open(into);
    expect(mirror.state.cluster?.value.incarnation).toBe(2);
    expect(mirror.state.restoring).toBe(false);
    const recovery = { state: 'waiting', fromIncarnation: 1, sha256: report.trailer.sha256, actor: 'ann', takenMs: 5 };
    expect(mirror.state.recovery?.value).toMatchObject(recovery);
    mirror.stop();
    const head = planHeadCodec.decode((await into.get(keys.planHead('p1')))!.value);
    expect(head).toMatchObject({ state: 'failed', endedMs: 7_000, note: expect.stringContaining('restored') });
    const entry = auditCodec.decode((await into.get(keys.audit(2)))!.value);
    expect(entry).toMatchObject({ verb: 'restore', actor: 'ann', reason: 'etcd burned down', number: 2 });
    const again = new BackupCheck();
    for await (const frame of takeBackup(into, { actor: 'ann', nowMs: 9 })) again.take(frame);
    expect(again.finish().audit).toMatchObject({ intact: true, entries: 2 });
  });

  it('ends each plan as its state allows', () => {
    // Plan: every state; what has ended stays the very same.
    const ends = (state: PlanHead['state']) => endedPlan(plan('p', state), 1).state;
    expect(['proposed', 'approved', 'executing', 'paused', 'cancelling'].map((s) => ends(s as never))).toEqual([
      'superseded',
      'superseded',
      'failed',
      'failed',
      'cancelled',
    ]);
    const done = plan('p', 'completed');
    expect(endedPlan(done, 1)).toBe(done);
  });

  it('refuses a store with anything in it, and an incarnation that is not higher', async () => {
    // Plan: a register; one key; a restore that was broken off; then equal and lower incarnations, and nothing written.
    await expect(restoreBackup(store, replay(), report, HOW)).rejects.toMatchObject({ field: 'etcd' });
    const begun = newStore();
    await begun.txn({ compare: [], success: [op.put(keys.restoring, Buffer.from('m0'))] });
    await expect(restoreBackup(begun, replay(), report, HOW)).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      remedy: expect.stringContaining('has not ended'),
    });
    const empty = newStore();
    for (const incarnation of [1, 0, 1.5])
      await expect(restoreBackup(empty, replay(), report, { ...HOW, incarnation })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        field: 'incarnation',
      });
    expect(await keysIn(empty)).toEqual([]);
  });

  it('leaves a mark by which nobody believes it, when the backup changes on the way', async () => {
    // Plan: another trailer than the one that was checked; a register opened on it says that it is not whole, and cannot be named anew.
    const into = newStore();
    const other = { ...report, trailer: { ...report.trailer, sha256: 'other' } };
    await expect(restoreBackup(into, replay(), other, HOW)).rejects.toMatchObject({ code: 'DATA_LOSS' });
    const { mirror } = await open(into);
    expect(mirror.state.restoring).toBe(true);
    expect(mirror.state.cluster).toBeUndefined();
    mirror.stop();
    const named = await into.txn({ compare: clusterPart('x').compare, success: clusterPart('x').ops });
    expect(named.kind).toBe('conflict');
  });

  it('is done once, although answers are lost', async () => {
    // Plan: lose the answer of every transaction for the first time; the result is the same as without.
    const seen = new Set<string>();
    const into = newStore((call) => {
      if (call.kind !== 'txn') return undefined;
      const what = JSON.stringify(call.txn!.success.map((o) => ('key' in o ? o.key : '')));
      if (seen.has(what)) return undefined;
      seen.add(what);
      return 'lost-reply';
    });
    expect(await restoreBackup(into, replay(), report, HOW)).toMatchObject({ incarnation: 2 });
    expect(seen.size).toBeGreaterThan(2);
    expect(recoveryCodec.decode((await into.get(keys.recovery))!.value).state).toBe('waiting');
    expect(await into.get(keys.restoring)).toBeUndefined();
  });
});

describe('raising the incarnation of an etcd that was restored by other means', () => {
  it('raises it once no control plane runs, and ends its plans', async () => {
    // Plan: with a candidate for election, without a register, then as it should be; then not higher.
    const lease = await store.grantLease(60_000);
    const candidate = op.put(`${keys.controllers}/1`, Buffer.alloc(0), lease.id);
    await store.txn({ compare: [], success: [candidate] });
    await expect(raiseIncarnation(store, HOW)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    await lease.revoke();
    await expect(raiseIncarnation(newStore(), HOW)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(raiseIncarnation(store, { ...HOW, incarnation: 1 })).rejects.toMatchObject({ field: 'incarnation' });
    await raiseIncarnation(store, HOW);
    expect(clusterCodec.decode((await store.get(keys.cluster))!.value).incarnation).toBe(2);
    expect(recoveryCodec.decode((await store.get(keys.recovery))!.value)).toMatchObject({
      state: 'waiting',
      sha256: '',
    });
    expect(planHeadCodec.decode((await store.get(keys.planHead('p1')))!.value).state).toBe('failed');
    expect(auditCodec.decode((await store.get(keys.audit(2)))!.value)).toMatchObject({ verb: 'restore', number: 2 });
  });
});
