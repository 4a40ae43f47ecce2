import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CadastreError, changeLeader, createPartitioner, newRecord } from '@cadastre/core';
import type { OwnerInfo, Wire } from '@cadastre/contracts';
import { callUnary, type Peer } from '@cadastre/contracts';
import { FakeControlPlane } from './fake-control-plane.js';
import { specOf, Stage, waitFor } from './kit.js';

/*
 * Plan: one real agent that leads partition 0 and follows nobody's partition 1 (led by a node that is not there); send it each kind
 * of bad request and look at the typed error; and requests of an older and a newer epoch.
 */
describe('the gate of a storage agent', () => {
  const stage = new Stage();
  const spec = specOf(2, 1, 1);
  const { partitionOf } = createPartitioner(spec.scheme);
  const keyIn = (partition: number): Buffer => {
    for (let i = 0; ; i += 1) if (partitionOf(Buffer.from(`k${i}`)) === partition) return Buffer.from(`k${i}`);
  };
  const own = keyIn(0);
  let plane: FakeControlPlane;
  let peer: Peer;

  beforeAll(async () => {
    plane = await new FakeControlPlane().start();
    stage.onEnd(() => plane.cut());
    const agent = await stage.agent('n1', plane);
    peer = stage.peer(agent.address);
    await waitFor('session', () => plane.nodes.size === 1);
    plane.nodes.set('n2', { id: 'n2', address: '127.0.0.1:9', labels: {}, weight: 1 });
    plane.createKeyspace(spec, [newRecord(0, ['n1']), newRecord(1, ['n2'])]);
    await waitFor('the map', () =>
      put({}).then(
        () => true,
        () => false,
      ),
    );
  });
  afterAll(() => stage.end());

  const put = (change: Partial<Wire.PutRequest> & { target?: Wire.Target }) =>
    callUnary<Wire.PutRequest, Wire.WriteReply__Output>(
      peer.kv,
      peer.kv.put,
      {
        requestId: '',
        key: own,
        value: Buffer.from('v'),
        ...change,
        target: { keyspace: 'ks', partition: 0, epoch: 1, ...change.target },
      },
      { deadlineMs: 3000 },
    );
  const refusal = async (call: Promise<unknown>): Promise<CadastreError> => {
    const outcome = await call.then(
      () => undefined,
      (error: unknown) => error,
    );
    if (outcome instanceof CadastreError) return outcome;
    throw new Error('was not refused');
  };

  const bad: [string, Partial<Wire.PutRequest> & { target?: Wire.Target }, string, string][] = [
    ['an empty key', { key: Buffer.alloc(0) }, 'INVALID_ARGUMENT', 'key'],
    ['a key of 5 KiB', { key: Buffer.alloc(5 * 1024) }, 'INVALID_ARGUMENT', 'key'],
    ['a value of 2 MiB', { value: Buffer.alloc(2 * 1024 * 1024) }, 'INVALID_ARGUMENT', 'value'],
    ['an unknown keyspace', { target: { keyspace: 'nope' } }, 'NOT_FOUND', 'target.keyspace'],
    ['a partition that the scheme has not', { target: { partition: 9 } }, 'INVALID_ARGUMENT', 'target.partition'],
    ['a key of another partition', { key: keyIn(1) }, 'INVALID_ARGUMENT', 'key'],
    ['a request id without end', { requestId: 'x'.repeat(300) }, 'INVALID_ARGUMENT', 'request_id'],
    ['a partition of another node', { target: { partition: 1 }, key: keyIn(1) }, 'NOT_OWNER', 'target.epoch'],
    ['an epoch that does not exist yet', { target: { epoch: 7 } }, 'NOT_OWNER', 'target.epoch'],
  ];
  it.each(bad)('refuses %s', async (_name, change, code, field) => {
    const error = await refusal(put(change));
    expect([error.code, error.field]).toEqual([code, field]);
    expect(error.remedy).toBeTruthy();
  });

  it('sends the record and the address of the leader with NOT_OWNER', async () => {
    const { info } = await refusal(put({ target: { partition: 1 }, key: keyIn(1) }));
    const owner = info as OwnerInfo;
    expect(owner.record.replicas[0]?.node).toBe('n2');
    expect(owner.leaderAddress).toBe('127.0.0.1:9');
    expect(owner.generation).toEqual({ incarnation: 1, number: 1 });
  });

  it.each([
    ['no write', [], 'ops'],
    ['too many writes', Array.from({ length: 1001 }, () => ({ key: own })), 'ops'],
    ['a key of another partition', [{ key: own }, { key: keyIn(1) }], 'ops[1].key'],
    [
      'more bytes than a batch may have',
      Array.from({ length: 3 }, () => ({ key: own, value: Buffer.alloc(1024 * 1024) })),
      'ops',
    ],
  ])('refuses a batch with %s, whole', async (_name, ops, field) => {
    const before = await put({});
    const error = await refusal(
      callUnary<Wire.BatchRequest, unknown>(
        peer.kv,
        peer.kv.batch,
        { target: { keyspace: 'ks', partition: 0, epoch: 1 }, ops },
        { deadlineMs: 3000 },
      ),
    );
    expect([error.code, error.field]).toEqual(['INVALID_ARGUMENT', field]);
    expect((await put({})).seq).toBe(before.seq + 1);
  });

  it.each([
    [0, 'limit'],
    [10_001, 'limit'],
  ])('refuses a scan with limit %s', async (limit, field) => {
    const error = await refusal(
      callUnary<Wire.ScanRequest, unknown>(
        peer.kv,
        peer.kv.scan,
        { target: { keyspace: 'ks', partition: 0, epoch: 1 }, limit },
        { deadlineMs: 3000 },
      ),
    );
    expect([error.code, error.field]).toEqual(['INVALID_ARGUMENT', field]);
  });

  it('holds a request with a newer epoch until the map has come, and serves one with an older epoch while it leads', async () => {
    const ahead = put({ target: { epoch: 2 } });
    plane.publish({ ...plane.record(0), epoch: 2 });
    expect((await ahead).epoch).toBe(2);
    expect((await put({ target: { epoch: 1 } })).epoch).toBe(2);
  });

  it('refuses writes, naming minInSync, when too few replicas are in sync', async () => {
    const two = specOf(2, 2, 2);
    const other = await new FakeControlPlane().start();
    stage.onEnd(() => other.cut());
    const agent = await stage.agent('n1', other);
    await waitFor('session', () => other.nodes.size === 1);
    other.createKeyspace(two, [newRecord(0, ['n1']), newRecord(1, ['n1'])]);
    const there = stage.peer(agent.address);
    const error = await refusal(
      callUnary<Wire.PutRequest, unknown>(
        there.kv,
        there.kv.put,
        { target: { keyspace: 'ks', partition: 0, epoch: 1 }, key: own, value: Buffer.from('v') },
        { deadlineMs: 3000 },
      ).catch(async (e: CadastreError) => {
        if (e.code !== 'NOT_FOUND') throw e;
        await waitFor('map', () => other.applied.has('n1'));
        return callUnary<Wire.PutRequest, unknown>(
          there.kv,
          there.kv.put,
          { target: { keyspace: 'ks', partition: 0, epoch: 1 }, key: own, value: Buffer.from('v') },
          { deadlineMs: 3000 },
        );
      }),
    );
    expect([error.code, error.limit]).toEqual(['UNAVAILABLE', 'minInSync 2']);
  });

  it('stops serving when the lead goes elsewhere', async () => {
    plane.publish(
      changeLeader(
        {
          ...plane.record(0),
          replicas: [...plane.record(0).replicas, { node: 'n2', role: 'follower', state: 'available', inSync: true }],
        },
        'n2',
      ),
    );
    await waitFor('n1 to know', () => plane.applied.get('n1')?.number === plane.generation.number);
    expect((await refusal(put({ target: { epoch: 2 } }))).code).toBe('NOT_OWNER');
  });
});
