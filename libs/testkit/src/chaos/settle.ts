import { CadastreClient } from '@cadastre/client';
import { CadastreError, compareGenerations, formatGeneration, inSyncOf, leaderOf } from '@cadastre/core';
import type { PartitionRecord } from '@cadastre/core';
import { sha256Hex } from '@cadastre/runtime';
import { auditCodec, auditHeadCodec, keys, ROOT } from '@cadastre/store';
import type { Violation } from '../checkers/index.js';
import { historyNow } from './recorder.js';
import type { World } from './world.js';
import { until } from '../until.js';
import { KEYSPACE } from './world.js';

/** After the last fault: each must be reached within its time, or a promise of liveness is broken (ms). */
const SETTLED_MS = 120_000;
const CONVERGED_MS = 20_000;
const READ_MS = 30_000;
const READERS = 16;

/** Waits until all is well again and all act on one map. @returns what never came */
export const settle = async (world: World): Promise<Violation[]> => {
  const found: Violation[] = [];
  const expect = async (rule: string, what: string, withinMs: number, test: () => Promise<boolean>) => {
    try {
      await until(what, withinMs, test);
    } catch (error) {
      found.push({ rule, at: historyNow(), subject: KEYSPACE.name, what: String(error) });
    }
  };
  await expect(
    'liveness',
    'every node is up and taken back, no plan is open, every copy is whole',
    SETTLED_MS,
    async () => {
      for (const name of world.agents) await world.operator.drain(name, true).catch(() => undefined);
      const status = await world.operator.status();
      if (status.nodesUp !== world.agents.length || status.active === '') return false;
      if (status.openPlan !== '') {
        await dropProposal(world, status.openPlan);
        return false;
      }
      return whole(await world.operator.records(KEYSPACE.name));
    },
  );
  await expect('convergence', 'all clients act on the last map', CONVERGED_MS, () => haveAllApplied(world));
  await expect('convergence', 'all agents act on the last records', CONVERGED_MS, () => doAgentsAgree(world));
  return found;
};

/** One that nobody has approved stays open until it expires. */
const dropProposal = async (world: World, id: string): Promise<void> => {
  const { state } = await world.operator.plan(id);
  if (state === 'proposed') await world.operator.act(id, 'reject');
  if (state === 'paused') await world.operator.act(id, 'resume');
};

const whole = (records: readonly PartitionRecord[]): boolean =>
  records.every(
    (r) =>
      leaderOf(r) !== undefined &&
      inSyncOf(r).length === KEYSPACE.replicationFactor &&
      r.replicas.length === KEYSPACE.replicationFactor,
  );

const haveAllApplied = async (world: World): Promise<boolean> => {
  const { keyspaces } = await world.operator.status();
  const generation = keyspaces.find((k) => k.spec?.name === KEYSPACE.name)?.generation;
  if (!generation) return false;
  const last = { incarnation: Number(generation.incarnation), number: Number(generation.number) };
  const behind = world.clients.filter((client) => {
    const acts = world.acting.get(client.name);
    return !acts || compareGenerations(acts, last) < 0;
  });
  if (behind.length > 0)
    throw new Error(
      `at ${formatGeneration(last)}, not so ${behind.map((c) => `${c.name} at ${JSON.stringify(world.acting.get(c.name))}`).join(', ')}`,
    );
  return true;
};

/** Each agent is asked for each partition that it has a copy of; who does not lead names the record that it knows. */
const doAgentsAgree = async (world: World): Promise<boolean> => {
  const records = await world.operator.records(KEYSPACE.name);
  for (const record of records) {
    for (const { node } of record.replicas) {
      const { host } = world.serviceOf(node);
      const known = await world.operator.recordAt(`${host.ip}:${host.ports['kv']}`, KEYSPACE.name, record, node);
      if (known?.epoch !== record.epoch)
        throw new Error(`${node} knows ${record.partition} at epoch ${known?.epoch}, the map has ${record.epoch}`);
    }
  }
  return true;
};

/** The audit log is whole and each entry names the one before by its hash (INV-10). */
export const checkAudit = async (world: World): Promise<Violation[]> => {
  const { kvs } = await world.store.range(`${ROOT}audit/`);
  const entries = kvs.filter((kv) => kv.key !== keys.auditHead);
  const head = kvs.find((kv) => kv.key === keys.auditHead);
  let hash = '';
  let number = 0;
  for (const { value } of entries) {
    const entry = auditCodec.decode(value);
    number += 1;
    if (entry.number !== number || entry.previousHash !== hash) {
      const what = `entry ${entry.number} follows ${number - 1} and names ${entry.previousHash} where ${hash} is`;
      return [{ rule: 'INV-10', at: historyNow(), subject: 'audit log', what }];
    }
    hash = sha256Hex(value);
  }
  const told = head ? auditHeadCodec.decode(head.value) : { number: 0, hash: '' };
  if (told.number === number && told.hash === hash) return [];
  return [
    {
      rule: 'INV-10',
      at: historyNow(),
      subject: 'audit log',
      what: `its head says ${told.number}, there are ${number}`,
    },
  ];
};

/** Reads every key that was ever used, and writes down what it finds: the end of each key's history. */
export const readAll = async (world: World, used: Iterable<string>): Promise<void> => {
  const controlPlanes = world.controlPlanes.map((name) => {
    const { host } = world.serviceOf(name);
    return `${host.ip}:${host.ports['grpc']}`;
  });
  const client = await CadastreClient.connect({ controlPlanes, name: 'final', requestTimeoutMs: READ_MS });
  const keyspace = client.keyspace(KEYSPACE.name);
  const left = [...used];
  const read = async (reader: number): Promise<void> => {
    const who = `final.${reader}`;
    let op = 0;
    for (let key = left.pop(); key !== undefined; key = left.pop()) {
      op += 1;
      const partition = client.map(KEYSPACE.name)?.partitionOf(Buffer.from(key)) ?? 0;
      world.recorder.record({ type: 'invoke', process: who, op, call: 'get', keyspace: KEYSPACE.name, partition, key });
      try {
        const found = await keyspace.get(key);
        world.recorder.record({ type: 'ok', process: who, op, ...(found && { value: Buffer.from(found).toString() }) });
      } catch (error) {
        world.recorder.record({ type: 'fail', process: who, op, error: CadastreError.from(error).message });
      }
    }
  };
  await Promise.all(Array.from({ length: READERS }, (_, reader) => read(reader)));
  await client.close();
};
