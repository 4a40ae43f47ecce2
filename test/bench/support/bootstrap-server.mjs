// A control plane's watch side with one large keyspace, in a process of its own.
import { KeyspaceMap } from '@cadastre/core';
import { GrpcServer, mapService } from '@cadastre/contracts';
import { silentLogger, systemClock } from '@cadastre/runtime';
import { mapHandlers } from '../../../apps/control-plane/dist/watch/map.grpc.js';
import { WatchHub } from '../../../apps/control-plane/dist/watch/watch-hub.js';

const [partitions, nodeCount] = process.argv.slice(2).map(Number);
const map = largeMap();
const state = () => ({
  cluster: { value: { clusterId: 'bench' } },
  keyspaces: new Map([['large', { record: { id: 'large' }, map }]]),
});
const hub = new WatchHub({ clock: systemClock, logger: silentLogger, catchUp: async () => undefined });
hub.onRegisterChange({ deltas: [], snapshots: ['large'], dropped: [] }, state());
const server = new GrpcServer();
server.add(mapService, mapHandlers({ hub, clock: systemClock, state }));
process.send({ listening: await server.listen({ host: '127.0.0.1', port: 0 }) });
process.on('message', () => process.send({ holdMs: hub.takeLongestHoldMs() }));

/** Three replicas at random in three zones, epochs as after some years: most were never touched, some often. */
function largeMap() {
  const nodes = Array.from({ length: nodeCount }, (_, i) => ({
    id: `node-${i}`,
    address: `10.${i >> 8}.${i & 255}.7:7400`,
    labels: { zone: `z${i % 3}`, rack: `r${i % 60}` },
    weight: 1,
  }));
  const epochs = new Float64Array(partitions);
  const replicaNodes = new Int32Array(partitions * 3);
  const replicaFlags = new Uint8Array(partitions * 3);
  let seed = 42;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const perZone = Math.floor(nodeCount / 3);
  for (let p = 0; p < partitions; p += 1) {
    epochs[p] = 1 + Math.floor(random() ** 4 * 200);
    const leader = Math.floor(random() * 3);
    for (let i = 0; i < 3; i += 1) {
      replicaNodes[p * 3 + i] = Math.floor(random() * perZone) * 3 + ((leader + i) % 3);
      // One partition in a hundred lacks a copy in sync.
      replicaFlags[p * 3 + i] = (i === 0 ? 0 : 1) | (1 << 2) | (i === 2 && random() < 0.01 ? 0 : 16);
    }
  }
  const scheme = { kind: 'hash-slots', slots: partitions, hash: 'murmur3', hashTags: false };
  const spec = { name: 'large', scheme, replicationFactor: 3, minInSync: 2, spread: [] };
  const generation = { incarnation: 1, number: 1 };
  return KeyspaceMap.fromColumns({
    spec,
    generation,
    nodes,
    partitions,
    stride: 3,
    epochs,
    replicaNodes,
    replicaFlags,
  });
}
