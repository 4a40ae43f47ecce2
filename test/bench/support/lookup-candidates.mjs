// What can be asked "key -> partition -> leader". Each candidate is `make(partitions)`, which gives `lookup(key) -> node number`
// (any number that depends on the answer), and says which form of key it takes. `only` limits the numbers of partitions.
import { crc16, hashWords, KeyspaceMap, murmur3, xxhash64 } from '@cadastre/core';
import { peer, versionOf } from './lookup-peers.mjs';

const NODES = 60;
const RF = 3;
const SLOTS = 16_384;

const nodeEntries = (count = NODES) =>
  Array.from({ length: count }, (_, i) => ({
    id: `n${String(i).padStart(4, '0')}`,
    address: `10.0.0.${i}:1`,
    labels: {},
    weight: 1,
  }));

/** A map as a snapshot gives it: columns, with as many places a partition as copies, as `KeyspaceMap.fromRecords` makes it while nothing moves. */
export function mapOf(scheme, partitions, stride = RF) {
  const cells = partitions * stride;
  const replicaNodes = new Int32Array(cells).fill(-1);
  const replicaFlags = new Uint8Array(cells);
  const epochs = new Float64Array(partitions).fill(1);
  for (let p = 0; p < partitions; p += 1)
    for (let r = 0; r < RF; r += 1) {
      replicaNodes[p * stride + r] = (leaderNumber(p) + r) % NODES;
      replicaFlags[p * stride + r] = (r === 0 ? 0 : 1) | (1 << 2) | 16;
    }
  return KeyspaceMap.fromColumns({
    spec: { name: 'bench', scheme, replicationFactor: RF, minInSync: 2, spread: [] },
    generation: { incarnation: 1, number: 1 },
    nodes: nodeEntries(),
    partitions,
    stride,
    epochs,
    replicaNodes,
    replicaFlags,
  });
}

/** Leaders lie scattered, as after some plans. */
const leaderNumber = (partition) => (Math.imul(partition, 0x9e3779b1) >>> 0) % NODES;

const leaderTable = (partitions) => Int32Array.from({ length: partitions }, (_, p) => leaderNumber(p));

const ours = (schemeOf) => (partitions) => {
  const map = mapOf(schemeOf(partitions), partitions);
  return (key) => map.leaderIndex(map.partitionOf(key));
};

export const slotScheme = (hash) => (slots) => ({ kind: 'hash-slots', slots, hash, hashTags: hash === 'crc16' });

/** What the map's own columns cost: beside the row above only the place of the leader differs. */
const partitionThenTable = (partitions) => {
  const map = mapOf(slotScheme('murmur3')(partitions), partitions);
  const leaders = leaderTable(partitions);
  return (key) => leaders[map.partitionOf(key)];
};

/** `tokens` of the int64 space, spread evenly, dealt to the nodes in turn: the ring that every ring candidate has. */
const evenTokens = (count) => {
  const step = 2n ** 64n / BigInt(count);
  return Array.from({ length: count }, (_, i) => (-(2n ** 63n) + step * BigInt(i + 1) - 1n).toString());
};

const ringScheme = (partitions) => {
  const nodes = Array.from({ length: NODES }, (_, i) => ({ node: `n${i}`, tokens: [] }));
  evenTokens(partitions).forEach((token, i) => nodes[i % NODES].tokens.push(token));
  return { kind: 'ring', hash: 'cassandra-murmur3', nodes };
};

const floors = {
  crc16: (slots) => {
    const leaders = leaderTable(slots);
    const mask = slots - 1;
    return (key) => leaders[crc16(key) & mask];
  },
  murmur3: (slots) => {
    const leaders = leaderTable(slots);
    return (key) => leaders[murmur3(key) % slots];
  },
  xxhash64: (slots) => {
    const leaders = leaderTable(slots);
    const scale = 2 ** 32 % slots;
    if ((slots & (slots - 1)) === 0)
      return (key) => {
        xxhash64(key, 0, key.length);
        return leaders[hashWords[1] & (slots - 1)];
      };
    return (key) => {
      xxhash64(key, 0, key.length);
      const value = (hashWords[0] % slots) * scale + hashWords[1];
      return leaders[value - Math.floor(value / slots) * slots];
    };
  },
};

const keySlot = (slots) => {
  const generate = peer('cluster-key-slot');
  const leaders = leaderTable(slots);
  return (key) => leaders[generate(key)];
};

const kafka = (partitions) => {
  const partitioner = peer('kafkajs').Partitioners.DefaultPartitioner();
  const partitionMetadata = Array.from({ length: partitions }, (_, p) => ({ partitionId: p, leader: leaderNumber(p) }));
  return (key) => partitionMetadata[partitioner({ topic: 't', partitionMetadata, message: { key } })].leader;
};

/** The tokenizer and the search of `Metadata.getReplicas`, but without its maps of strings: less than the driver does. */
const cassandra = (partitions) => {
  const { Murmur3Tokenizer } = peer('cassandra-driver/lib/tokenizer');
  const { binarySearch } = peer('cassandra-driver/lib/utils');
  const tokenizer = new Murmur3Tokenizer();
  const ring = evenTokens(partitions).map((text) => tokenizer.parse(text));
  const leaders = leaderTable(partitions);
  const order = (a, b) => a.compare(b);
  return (key) => {
    let at = binarySearch(ring, tokenizer.hash(key), order);
    if (at < 0) at = ~at;
    return leaders[at >= ring.length ? 0 : at];
  };
};

/** 160 places a server (its default), so as many servers as make the number of partitions. No cache: each key is asked once. */
const hashring = (partitions) => {
  const HashRing = peer('hashring');
  const servers = Array.from({ length: Math.round(partitions / 160) }, (_, i) => `10.0.${i >> 8}.${i & 255}:1`);
  const ring = new HashRing(servers, 'md5', { 'max cache size': 1 });
  return (key) => ring.get(key).length;
};

const OURS = 'cadastre KeyspaceMap';
const FLOOR = 'floor: bare hash + bare table';

/** `versus`: the floor of the same hash. `slow`: fewer passes. `most`: the keys times partitions, where a million keys take minutes. */
export const CANDIDATES = [
  { id: 'floor-crc16', name: FLOOR, hash: 'crc16', form: 'bytes', only: SLOTS, make: floors.crc16 },
  {
    id: 'ours-crc16',
    name: OURS,
    hash: 'crc16',
    form: 'bytes',
    only: SLOTS,
    versus: 'floor-crc16',
    make: ours(slotScheme('crc16')),
  },
  { id: 'floor-murmur3', name: FLOOR, hash: 'murmur3', form: 'bytes', make: floors.murmur3 },
  {
    id: 'ours-murmur3',
    name: OURS,
    hash: 'murmur3',
    form: 'bytes',
    versus: 'floor-murmur3',
    make: ours(slotScheme('murmur3')),
  },
  {
    id: 'split-murmur3',
    name: 'KeyspaceMap.partitionOf + bare table',
    hash: 'murmur3',
    form: 'bytes',
    versus: 'floor-murmur3',
    make: partitionThenTable,
  },
  { id: 'floor-xxhash64', name: FLOOR, hash: 'xxhash64', form: 'bytes', make: floors.xxhash64 },
  {
    id: 'ours-xxhash64',
    name: OURS,
    hash: 'xxhash64',
    form: 'bytes',
    versus: 'floor-xxhash64',
    make: ours(slotScheme('xxhash64')),
  },
  { id: 'ours-ring', name: OURS, hash: 'cassandra-murmur3 ring', form: 'bytes', make: ours(ringScheme) },
  {
    id: 'cluster-key-slot',
    name: `${versionOf('cluster-key-slot')} + slot array`,
    hash: 'crc16',
    form: 'string',
    only: SLOTS,
    make: keySlot,
  },
  {
    id: 'cluster-key-slot-bytes',
    name: `${versionOf('cluster-key-slot')} + slot array`,
    hash: 'crc16',
    form: 'bytes',
    only: SLOTS,
    make: keySlot,
  },
  {
    id: 'kafkajs',
    name: versionOf('kafkajs'),
    hash: 'murmur2',
    form: 'bytes',
    slow: true,
    most: 20_000_000,
    make: kafka,
  },
  {
    id: 'cassandra-driver',
    name: `${versionOf('cassandra-driver')} tokenizer + ring search`,
    hash: 'cassandra-murmur3',
    form: 'bytes',
    slow: true,
    make: cassandra,
  },
  { id: 'hashring', name: versionOf('hashring'), hash: 'md5', form: 'string', slow: true, make: hashring },
];

export const PEERS = ['cluster-key-slot', 'cluster-key-slot-bytes', 'kafkajs', 'cassandra-driver', 'hashring'];
