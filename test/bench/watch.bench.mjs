// A change of one partition: from the moment it is sent to etcd until a smart client has applied it, beside a bare etcd watch of
// the same etcd in the same run (from the moment a put is sent until the watch delivers it).
import { CadastreClient } from '@cadastre/client';
import { addLearner, dropLearner, replicaOn } from '@cadastre/core';
import { silentLogger, systemClock } from '@cadastre/runtime';
import { EtcdStore, op, partitionsPart, Register, RegisterMirror, requireKeyspace } from '@cadastre/store';
import { TestCluster } from '@cadastre/testkit';
import { argument, compare, print, summarise } from './support/figures.mjs';

const changes = argument('changes', 500);
const cluster = await TestCluster.start({ controlPlanes: 1, agents: 4, zones: 3 });
const endpoints = cluster.etcd.endpoints.map((e) => `http://${e}`);
const store = new EtcdStore({ endpoints });
try {
  await cluster.createKeyspace({
    name: 'bench',
    scheme: { kind: 'hash-slots', slots: 1024, hash: 'murmur3', hashTags: false },
    replicationFactor: 3,
    minInSync: 2,
    spread: [{ label: 'zone', maxPerDomain: 1, hard: true }],
  });
  const bare = summarise(await bareWatch(changes));
  const client = await CadastreClient.connect({ controlPlanes: cluster.controlPlaneAddresses() });
  const ours = summarise(await mapChanges(client, changes));
  await client.close();
  print({ bench: 'watch', what: 'bare etcd put to watch event, ms', ...bare });
  print({ bench: 'watch', what: 'map change sent to applied by a client, ms', ...ours, ...compare(ours, bare) });
} finally {
  store.close();
  await cluster.stop();
}

async function bareWatch(count) {
  const waiting = new Map();
  const watch = store.watch('bench/', {
    onResync: () => undefined,
    onError: (error) => {
      throw error;
    },
    onBatch: ({ events }) =>
      events.forEach(({ kv }) => waiting.get(Buffer.from(kv.value).toString())?.(performance.now())),
  });
  const took = [];
  for (let i = 0; i < count; i += 1) {
    const arrived = new Promise((resolve) => waiting.set(String(i), resolve));
    const sent = performance.now();
    await store.txn({ compare: [], success: [op.put('bench/key', Buffer.from(String(i)))] });
    took.push((await arrived) - sent);
  }
  watch.close();
  return took;
}

/** A learner on the fourth node comes and goes: the smallest real change of a map. Agents see it too, as they would. */
async function mapChanges(client, count) {
  const mirror = new RegisterMirror(store, silentLogger, {
    onChange: () => undefined,
    onFatal: (error) => {
      throw error;
    },
  });
  await mirror.start();
  const register = new Register(store, mirror, { clock: systemClock });
  let applied = () => undefined;
  const generationOf = () => client.map('bench')?.generation.number ?? 0;
  client.onMapChange(() => applied());
  const took = [];
  for (let i = 0; i < count; i += 1) {
    const before = generationOf();
    const arrived = new Promise((resolve) => {
      applied = () => {
        if (generationOf() > before) resolve(performance.now());
      };
    });
    let sent = 0;
    await register.commit((state) => {
      const { map } = requireKeyspace(state, 'bench');
      const record = map.record(i % map.partitions);
      const guest = map.nodes.find((n) => !record.replicas.some((r) => r.node === n.id && r.role !== 'learner')).id;
      const part = partitionsPart(state, 'bench', [
        replicaOn(record, guest) ? dropLearner(record, guest) : addLearner(record, guest),
      ]);
      sent = performance.now();
      return { ...part, result: undefined };
    });
    took.push((await arrived) - sent);
  }
  mirror.stop();
  return took;
}
