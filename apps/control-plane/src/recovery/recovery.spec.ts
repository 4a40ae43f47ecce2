import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { KeyspaceMap } from '@cadastre/core';
import { changeLeader, EPOCH_STEP, leaderOf } from '@cadastre/core';
import { randomId, silentLogger, systemClock } from '@cadastre/runtime';
import type { RegisterState } from '@cadastre/store';
import { compare, join, keys, MemoryDatabase, op, partitionsPart, recoveryCodec, sessionPart } from '@cadastre/store';
import { Observed } from '../controller/observed.js';
import type { ReplicaReport } from '../controller/reports.js';
import { decideRegistration } from '../sessions/registration.js';
import type { RegisterKit } from '../testing/register-kit.js';
import { fillRegister, NODES, openRegister } from '../testing/register-kit.js';
import { RecoveryDriver } from './recovery.driver.js';
import { recoveryConcern, refuseWithheld } from './withheld.js';

const ACT = { actor: 'ann', reason: 'read it' };

describe('recovery of a restored register', () => {
  let kit: RegisterKit;
  let observed: Observed;
  let driver: RecoveryDriver;
  /** What agents act on, and what they would give. */
  let newest: Map<string, KeyspaceMap>;
  const given: string[] = [];

  beforeEach(async () => {
    kit = await openRegister(new MemoryDatabase(systemClock));
    observed = new Observed();
    await fillRegister(kit, 'orders', 8);
    newest = new Map([['orders', kit.map('orders')]]);
    driver = new RecoveryDriver({
      store: kit.store,
      register: kit.register,
      observed,
      clock: systemClock,
      logger: silentLogger,
      newId: randomId,
      fetchMap: async (address, keyspace) => {
        given.push(`${keyspace} of ${address}`);
        return newest.get(keyspace);
      },
    });
  });
  afterEach(() => {
    kit.stop();
    given.length = 0;
  });

  const state = (): RegisterState => kit.register.state;
  const fence = compare.exists(keys.cluster);

  /** The register is now an older copy: `restored` marks it as the restore does. */
  const restored = async () => {
    const record = {
      state: 'waiting' as const,
      sinceMs: 1,
      actor: 'ann',
      reason: '',
      sha256: 'abc',
      takenMs: 1,
      revision: 9,
      fromIncarnation: 1,
      approvedBy: '',
      approvedMs: 0,
      found: [],
    };
    await kit.register.commit(() => ({
      compare: [],
      ops: [op.put(keys.recovery, recoveryCodec.encode(record))],
      result: 0,
    }));
  };
  const copyOf = (keyspace: string, partition: number, epoch: number): ReplicaReport => ({
    keyspace,
    partition,
    epoch,
    phase: 'following',
    lastSeq: 3,
    appliedSeq: 3,
    records: 3,
    bytes: 3,
    filledBytes: 0,
    fillTotalBytes: 0,
    digest: '',
    whole: true,
    lastEpoch: epoch,
  });
  const hear = async (...nodes: string[]) => {
    for (const node of nodes) {
      const lease = await kit.store.grantLease(60_000);
      const session = { node, incarnation: `${node}-a`, address: `${node}:1` };
      await kit.register.commit(() => ({ ...sessionPart(session, lease.id), result: 0 }));
      const applied = [...newest.values()].map((map) => ({ keyspace: map.spec.name, generation: map.generation }));
      const replicas = [...newest.values()].flatMap((map) =>
        map
          .records()
          .filter((r) => r.replicas.some((x) => x.node === node))
          .map((r) => copyOf(map.spec.name, r.partition, r.epoch)),
      );
      observed.take({ node, incarnation: `${node}-a`, applied, replicas }, systemClock.monotonicMs());
    }
  };
  /** After the copy: partition 3 has another leader, as agents know and the register does not. */
  const movedOn = () => {
    const map = kit.map('orders');
    const record = map.record(3);
    const next = changeLeader(record, record.replicas.find((r) => r.role === 'follower')!.node);
    const to = { ...map.generation, number: map.generation.number + 1 };
    newest.set('orders', map.withDelta({ keyspace: 'orders', from: map.generation, to, records: [next], nodes: [] }));
    return leaderOf(next);
  };

  it('goes on by itself where every agent has what the copy has', async () => {
    // Plan: restored, all heard, nothing differs; one round; higher epochs, nothing else is new, purges are still held.
    await restored();
    const before = kit.map('orders');
    await hear(...NODES);
    await driver.round(fence);
    expect(state().recovery?.value).toMatchObject({ state: 'adopted', approvedBy: 'cadastre' });
    const after = kit.map('orders');
    expect(after.generation.incarnation).toBeGreaterThan(before.generation.incarnation);
    expect(after.epochOf(0)).toBe(before.epochOf(0) + EPOCH_STEP);
    expect(after.records().map(leaderOf)).toEqual(before.records().map(leaderOf));
    expect(given).toEqual([]);
  });

  it('waits for a person where something differs, and takes what that person has read', async () => {
    // Plan: a leader changed since; approve with another digest, then with the right one; the register has the agents' leader.
    await restored();
    const leader = movedOn();
    await hear(...NODES);
    await driver.round(fence);
    expect(state().recovery?.value.state).toBe('waiting');
    const view = await driver.view();
    expect(view.keyspaces).toMatchObject([{ name: 'orders', verdict: 'moved-on', changed: 1 }]);
    const approve = (digest: string) => driver.act({ action: 'approve', digest, ...ACT }, fence);
    await expect(approve('of another day')).rejects.toMatchObject({ code: 'PLAN_CHANGED' });
    expect(await approve(view.digest!)).toMatchObject({ state: 'adopted', approvedBy: 'ann' });
    expect(leaderOf(kit.map('orders').record(3))).toBe(leader);
    expect(state().cluster?.value.incarnation).toBe(kit.map('orders').generation.incarnation);
    await expect(approve(view.digest!)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    await driver.act({ action: 'finish', ...ACT }, fence);
    expect(state().recovery).toBeUndefined();
    expect((await driver.view()).state).toBe('none');
    await expect(driver.act({ action: 'finish', ...ACT }, fence)).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
    });
  });

  it('waits for each node that holds copies, unless a person gives it up by name', async () => {
    // Plan: one of four is silent; approve without and with its name.
    await restored();
    movedOn();
    await hear(...NODES.slice(1));
    const { waitsFor, digest } = await driver.view();
    expect(waitsFor).toEqual([NODES[0]]);
    const approve = (without: string[]) => driver.act({ action: 'approve', digest: digest!, without, ...ACT }, fence);
    await expect(approve([])).rejects.toMatchObject({ field: 'without', message: expect.stringContaining(NODES[0]!) });
    expect(await approve([NODES[0]!])).toMatchObject({ state: 'adopted' });
  });

  it('counts a node as silent whose newer map cannot be had', async () => {
    // Plan: all report a newer generation, and nobody gives that map.
    await restored();
    movedOn();
    await hear(...NODES);
    newest.clear();
    expect((await driver.view()).waitsFor?.length).toBeGreaterThan(0);
  });

  it('rises above an incarnation that agents have heard of', async () => {
    // Plan: the copy was restored before; agents know incarnation 5.
    await restored();
    const map = kit.map('orders');
    const to = { incarnation: 5, number: 1 };
    newest.set('orders', map.withDelta({ keyspace: 'orders', from: map.generation, to, records: [], nodes: [] }));
    await hear(...NODES);
    const { digest } = await driver.view();
    await driver.act({ action: 'approve', digest: digest!, ...ACT }, fence);
    expect(kit.map('orders').generation).toEqual({ incarnation: 6, number: 2 });
    expect(state().cluster?.value.incarnation).toBe(6);
  });

  it('changes no map and shows none while it waits, and lets nodes in with whatever data they have', async () => {
    // Plan: each gate in turn, before and after; a node whose data is newer than the copy knows is let in.
    const hello = {
      entry: { id: 'n1', address: 'n1:1', labels: {}, weight: 1 },
      capacity: {},
      incarnation: 'other data',
      leaseId: undefined,
    };
    const register = () => decideRegistration(state(), hello as never, 1n, 5, 10_000);
    const change = () => partitionsPart(state(), 'orders', []);
    expect(() => refuseWithheld(state())).not.toThrow();
    expect(change).not.toThrow();
    expect(register).toThrow('still counts on');
    await restored();
    expect(() => refuseWithheld(state())).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }));
    expect(change).toThrow(expect.objectContaining({ code: 'FAILED_PRECONDITION', field: 'recovery' }));
    expect(register).not.toThrow();
    expect(recoveryConcern(state())).toMatchObject([{ level: 'critical' }]);
    await hear(...NODES);
    await driver.round(fence);
    expect(() => refuseWithheld(state())).not.toThrow();
    expect(recoveryConcern(state())).toMatchObject([{ level: 'warning' }]);
    expect(join(change()).ops.length).toBe(1);
  });
});
