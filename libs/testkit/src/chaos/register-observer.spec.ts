import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import { changeLeader, newRecord } from '@cadastre/core';
import { silentLogger, systemClock } from '@cadastre/runtime';
import {
  clusterPart,
  keyspacePart,
  MemoryDatabase,
  MemoryStore,
  nodePart,
  partitionsPart,
  Register,
  RegisterMirror,
  SEGMENT,
  writeSegments,
} from '@cadastre/store';
import type { HistoryEvent } from '../checkers/index.js';
import { InvariantChecker } from '../checkers/index.js';
import { Recorder } from './recorder.js';
import { RegisterObserver } from './register-observer.js';
import { KEYSPACE } from './world.js';

const PARTITIONS = KEYSPACE.scheme.kind === 'hash-slots' ? KEYSPACE.scheme.slots : 0;
const NODES = ['n1', 'n2', 'n3'];
const audit = { actor: 'ann', verb: 'test', subject: 'x' };

describe('what an observer of the register writes down', () => {
  let folder: string;
  let recorder: Recorder;
  let store: MemoryStore;
  let mirror: RegisterMirror;
  let register: Register;
  const events: HistoryEvent[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(path(tmpdir(), 'cadastre-observer-'));
    recorder = new Recorder(path(folder, 'history.jsonl'));
    events.length = 0;
    recorder.onEvent((event) => events.push(event));
    store = new MemoryStore({ database: new MemoryDatabase(systemClock) });
    mirror = new RegisterMirror(store, silentLogger, {
      onChange: () => undefined,
      onFatal: (error) => {
        throw error;
      },
    });
    await mirror.start();
    register = new Register(store, mirror, { clock: systemClock });
    await register.commit(() => ({ ...clusterPart('c'), result: 0 }));
    for (const id of NODES) {
      const entry = { id, address: 'h:1', labels: { zone: id }, weight: 1 };
      const node = { entry, capacity: {}, incarnation: 'i', adminState: 'active' as const, registeredMs: 1 };
      await register.commit((state) => ({ ...nodePart(state, node), result: 0 }));
    }
  });
  afterEach(async () => {
    mirror.stop();
    store.close();
    await recorder.close();
    rmSync(folder, { recursive: true });
  });

  const makeKeyspace = async (): Promise<void> => {
    const records = Array.from({ length: PARTITIONS }, (_, p) => newRecord(p, NODES));
    await writeSegments(store, 'ks', records, SEGMENT);
    await register.commit((state) => ({ ...keyspacePart(state, KEYSPACE, 'ks', PARTITIONS, 1), result: 0, audit }));
  };
  const lead = (partition: number, node: string) =>
    register.commit((state) => {
      const record = changeLeader(state.keyspaces.get(KEYSPACE.name)!.map.record(partition), node);
      return { ...partitionsPart(state, KEYSPACE.name, [record]), result: 0, audit };
    });
  const observe = (): RegisterObserver => {
    const observer = new RegisterObserver(store, recorder, (error) => {
      throw error;
    });
    observer.start();
    return observer;
  };
  const told = async (what: string, count: number): Promise<HistoryEvent[]> => {
    for (let tries = 0; tries < 400; tries += 1) {
      const found = events.filter((e) => e.type === what);
      if (found.length >= count) return found;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error(`never ${count} of ${what}: ${JSON.stringify(events)}`);
  };

  // Plan: three nodes are there, a keyspace and two changes of leaders are made; the history has each with its generation, its one record and its actor, and the checkers accept it.
  it('has every commit, with only what changed', async () => {
    const observer = observe();
    await makeKeyspace();
    await lead(3, 'n2');
    await lead(4, 'n3');
    const maps = await told('map', 2);
    expect(await told('node', 3)).toMatchObject(NODES.map((id) => ({ entry: { id }, incarnation: 'i' })));
    expect(await told('keyspace', 1)).toMatchObject([{ spec: { name: KEYSPACE.name }, partitions: PARTITIONS }]);
    expect(maps).toMatchObject([
      { generation: { number: 2 }, actor: 'ann', verb: 'test', records: [{ partition: 3, epoch: 2 }] },
      { generation: { number: 3 }, records: [{ partition: 4, epoch: 2 }] },
    ]);
    const checker = new InvariantChecker();
    expect(events.flatMap((event) => checker.observe(event))).toEqual([]);
    observer.stop();
  });

  // Plan: an observer that begins late has the whole map first, and then each change.
  it('begins with what is there', async () => {
    await makeKeyspace();
    await lead(0, 'n2');
    const observer = observe();
    const [whole] = await told('keyspace', 1);
    expect(whole).toMatchObject({ generation: { number: 2 } });
    expect(whole?.type === 'keyspace' && whole.records.length).toBe(PARTITIONS);
    await lead(0, 'n3');
    expect(await told('map', 1)).toMatchObject([{ generation: { number: 3 }, records: [{ partition: 0, epoch: 3 }] }]);
    observer.stop();
  });
});
