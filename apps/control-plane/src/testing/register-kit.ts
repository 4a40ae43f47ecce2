import type { KeyspaceMap, PartitionRecord } from '@cadastre/core';
import { changeLeader, leaderOf, newRecord } from '@cadastre/core';
import type { Clock } from '@cadastre/runtime';
import { silentLogger, systemClock } from '@cadastre/runtime';
import type { MemoryDatabase, MemoryStoreOptions, Store } from '@cadastre/store';
import {
  clusterPart,
  join,
  keyspacePart,
  MemoryStore,
  nodePart,
  partitionsPart,
  Register,
  RegisterMirror,
  SEGMENT,
  writeSegments,
} from '@cadastre/store';
import { RegisterFeed } from '../host/register-feed.js';

export interface RegisterKit {
  readonly store: Store;
  readonly mirror: RegisterMirror;
  readonly register: Register;
  readonly feed: RegisterFeed;
  map(name: string): KeyspaceMap;
  stop(): void;
}

export const NODES = ['n1', 'n2', 'n3', 'n4'];

/** One replica's view of a register in memory. Tests only. */
export const openRegister = async (
  database: MemoryDatabase,
  options: Omit<MemoryStoreOptions, 'database'> = {},
  clock: Clock = systemClock,
): Promise<RegisterKit> => {
  const store = new MemoryStore({ database, ...options });
  const feed = new RegisterFeed((error) => {
    throw error;
  });
  const mirror = new RegisterMirror(store, silentLogger, feed);
  await mirror.start();
  const register = new Register(store, mirror, { clock });
  return {
    store,
    mirror,
    register,
    feed,
    map: (name) => mirror.state.keyspaces.get(name)!.map,
    stop: () => {
      mirror.stop();
      store.close();
    },
  };
};

/** Names the register, and makes four nodes and a keyspace with two copies of each partition. */
export const fillRegister = async (
  { store, register }: RegisterKit,
  name: string,
  partitions: number,
): Promise<void> => {
  await register.commit((state) =>
    state.cluster ? { ...join(), result: 0 } : { ...clusterPart('test-cluster'), result: 0 },
  );
  for (const id of NODES) {
    const entry = { id, address: `127.0.0.1:70${id.slice(1)}0`, labels: { zone: id }, weight: 1 };
    await register.commit((state) =>
      state.nodes.has(id)
        ? { ...join(), result: 0 }
        : {
            ...nodePart(state, { entry, capacity: {}, incarnation: `${id}-a`, adminState: 'active', registeredMs: 1 }),
            result: 0,
          },
    );
  }
  const records = Array.from({ length: partitions }, (_, p) => newRecord(p, [NODES[p % 4]!, NODES[(p + 1) % 4]!]));
  await writeSegments(store, `id-${name}`, records, SEGMENT);
  const spec = {
    name,
    scheme: { kind: 'hash-slots', slots: partitions, hash: 'murmur3', hashTags: false },
    replicationFactor: 2,
    minInSync: 1,
    spread: [],
  } as const;
  await register.commit((state) => ({ ...keyspacePart(state, spec, `id-${name}`, partitions, 1), result: 0 }));
};

/** One change of the map: each named partition is led by its other copy. */
export const swapLeaders = async (
  { register }: RegisterKit,
  name: string,
  partitions: readonly number[],
): Promise<void> => {
  await register.commit((state) => {
    const { map } = state.keyspaces.get(name)!;
    const swapped = partitions.map((p): PartitionRecord => {
      const record = map.record(p);
      return changeLeader(record, record.replicas.find((r) => r.node !== leaderOf(record))!.node);
    });
    return { ...partitionsPart(state, name, swapped), result: 0 };
  });
};
