// Writes the conformance vectors of docs/protocol.md beside this file: bytes, and what a client must make of them. Everything is
// derived from fixed inputs, so that running it again changes nothing. Needs a build: node test/vectors/protocol/generate.mjs
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { addLearner, CadastreError, changeLeader, growInSync, KeyspaceMap, newRecord, partitionCount, shrinkInSync } from '@cadastre/core';
import {
  encodeDelta,
  encodeDropped,
  encodeProgress,
  encodeSnapshot,
  mapDigest,
  messageCodec,
  shareMessage,
  toStatus,
} from '@cadastre/contracts';

const sha256 = (data) => createHash('sha256').update(data).digest('hex');
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const utf8 = (text) => new TextEncoder().encode(text);
const at = (number, incarnation = 1) => ({ incarnation, number });
const node = (i) => ({ id: `n${i}`, address: `10.0.0.${i}:7400`, labels: { zone: `z${i % 3}` }, weight: 1 });
const nodes = Array.from({ length: 7 }, (_, i) => node(i + 1));

const specOf = (name, scheme) => ({ name, scheme, replicationFactor: 3, minInSync: 2, spread: [] });
const slots = (count, hash = 'murmur3', hashTags = false) => ({ kind: 'hash-slots', slots: count, hash, hashTags });

/** Epochs of every size up to 2^53, as they would be after years. */
const aged = (p) => (p % 5 === 4 ? 2 ** (p % 53) + p : 1 + (p % 4));
const events = messageCodec('MapEvent');

/** A snapshot in smaller chunks than a server would make. */
function inChunks(map, count) {
  const whole = events.decode(encodeSnapshot(map, 'packed')[0]).snapshot;
  const size = Math.ceil(whole.data.length / count);
  return Array.from({ length: count }, (_, index) =>
    events.encode({
      snapshot: { ...whole, index, chunks: count, data: whole.data.subarray(index * size, (index + 1) * size) },
    }),
  );
}

function mapOf(spec, generation = at(1), epochOf = aged) {
  const records = Array.from({ length: partitionCount(spec.scheme) }, (_, p) => {
    const record = newRecord(p, [0, 1, 2].map((i) => nodes[(p * 3 + i * 2) % nodes.length].id));
    return { ...record, epoch: epochOf(p) };
  });
  return KeyspaceMap.fromRecords(spec, generation, records, nodes);
}

const expectOf = (map) =>
  map && {
    generation: map.generation,
    partitions: map.partitions,
    digest: mapDigest(map),
    leaders: [0, 1, map.partitions - 1].map((p) => map.leader(p)?.id ?? null),
  };

/** Events as they come over one stream, and after each what the client has. */
function stream(story, steps) {
  return {
    story,
    steps: steps.map(({ bytes, map }) => ({ event: hex(bytes), map: map === undefined ? null : expectOf(map) })),
  };
}

const whole = (map, form, before) =>
  encodeSnapshot(map, form).map((bytes, i, all) => ({ bytes, map: i === all.length - 1 ? map : before }));

function mapVectors() {
  const map = mapOf(specOf('orders', slots(64)));
  const changes = [
    (m) => [changeLeader(m.record(3), m.record(3).replicas[1].node)],
    (m) => [addLearner(m.record(5), m.nodes.find((n) => !m.record(5).replicas.some((r) => r.node === n.id)).id)],
    (m) => [growInSync(m.record(5), m.record(5).replicas.find((r) => r.role === 'learner').node)],
    (m) => [shrinkInSync(m.record(7), m.record(7).replicas[2].node), changeLeader(m.record(8), m.record(8).replicas[1].node)],
  ];
  let now = map;
  const deltas = changes.map((change, i) => {
    const delta = { keyspace: 'orders', from: now.generation, to: at(i + 2), records: change(now), nodes: i === 3 ? [{ ...nodes[0], address: '10.9.9.9:7400' }] : [] };
    now = now.withDelta(delta);
    return { delta, bytes: encodeDelta(delta), map: now };
  });
  const restored = KeyspaceMap.fromRecords(map.spec, at(1, 2), map.records(), nodes);
  const moved = { keyspace: 'orders', from: map.generation, to: map.generation, records: [], nodes: [{ ...nodes[2], address: '10.7.7.7:7400' }] };
  const old = { keyspace: 'orders', from: at(1), to: at(2), records: [{ ...map.record(4), epoch: map.record(4).epoch - 1 }], nodes: [] };
  return [
    stream('a snapshot in plain columns', whole(map, 'plain')),
    stream('a snapshot in packed columns', whole(map, 'packed')),
    stream('a snapshot in several chunks', inChunks(map, 3).map((bytes, i) => ({ bytes, map: i === 2 ? map : undefined }))),
    stream('rows over several packed blocks', whole(mapOf(specOf('wide', slots(2_500)), at(9), (p) => 1 + (p % 3)), 'packed')),
    stream('changes one after the other, a learner that widens the rows among them', [...whole(map, 'packed'), ...deltas]),
    stream('a change that is known already says nothing', [...whole(now, 'packed'), { ...deltas[0], map: now }, { ...deltas[3], map: now }]),
    stream('an address changes without a generation', [...whole(map, 'packed'), { bytes: encodeDelta(moved), map: map.withDelta(moved) }]),
    stream('a record that is older than the one held is passed over', [...whole(map, 'packed'), { bytes: encodeDelta(old), map: map.withDelta(old) }]),
    stream('a keyspace is dropped', [...whole(map, 'packed'), { bytes: encodeProgress('c1', [{ keyspace: 'orders', generation: at(1) }]), map }, { bytes: encodeDropped('orders'), map: undefined }]),
    stream('an older snapshot is passed over, a higher incarnation taken', [...whole(now, 'packed'), ...whole(map, 'packed', now).map((s) => ({ ...s, map: now })), ...whole(restored, 'packed', now)]),
    stream('a lower incarnation is passed over, even after a drop', [...whole(restored, 'packed'), { bytes: encodeDropped('orders'), map: undefined }, ...whole(map, 'packed').map((s) => ({ ...s, map: undefined }))]),
  ];
}

function routingVectors() {
  const keys = ['', 'a', 'user:1001', 'user:1002', '{tag}a', '{tag}b', 'eu/1', 'eu/2', 'vip', 'm', 'mm', 'z', 'ключ', '\u0000\u00ff'].map(utf8);
  keys[0] = Uint8Array.of(0);
  const schemes = [
    ['hash slots, murmur3, a power of two', slots(64)],
    ['hash slots, murmur3, no power of two', slots(100)],
    ['hash slots as Redis Cluster', slots(16_384, 'crc16', true)],
    ['hash slots, crc32', slots(48, 'crc32')],
    ['hash slots of the first component of a key', { ...slots(64), compound: { separator: utf8(':') } }],
    ['ranges of keys', { kind: 'range', splitPoints: ['b', 'm', 'user:1002'].map(utf8) }],
    ['equal ranges of a hash', { kind: 'hash-range', hash: 'murmur3', partitions: 12 }],
    ['stated ranges of a hash', { kind: 'hash-range', hash: 'murmur3', partitions: 3, splitPoints: ['1000000000', '3000000000'] }],
    ['a ring of MD5 tokens', { kind: 'ring', hash: 'md5-32', nodes: [{ node: 'n1', tokens: ['100', '3000000000'] }, { node: 'n2', tokens: ['2000000000'] }] }],
    ['a directory over hash slots', { kind: 'directory', partitions: 10, fallback: slots(6), entries: [
      { match: 'key', key: utf8('vip'), partition: 6 },
      { match: 'prefix', prefix: utf8('user:'), partition: 7, spread: 2 },
      { match: 'geography', label: 'eu', partition: 9 },
    ] }],
  ];
  return schemes.map(([story, scheme]) => {
    const map = mapOf(specOf('k', scheme), at(1), () => 1);
    return {
      story,
      snapshot: encodeSnapshot(map, 'packed').map(hex),
      answers: keys.map((key) => {
        const partition = map.partitionOf(key);
        const leader = map.leader(partition);
        return { key: hex(key), partition, epoch: map.epochOf(partition), leader: leader.id, address: leader.address };
      }),
    };
  });
}

/** What came in the trailer `cadastre-error-bin`, and what the client must know afterwards. */
function notOwnerVectors() {
  const map = mapOf(specOf('orders', slots(8)));
  const detail = (info) =>
    hex(toStatus(new CadastreError('NOT_OWNER', 'led by another node', { field: 'target.epoch', remedy: 'ask the leader', info })).metadata.get('cadastre-error-bin')[0]);
  const moved = changeLeader(map.record(2), map.record(2).replicas[1].node);
  const again = changeLeader(moved, moved.replicas[1].node);
  const stranger = { partition: 2, epoch: 99, replicas: [{ node: 'n99', role: 'leader', state: 'available', inSync: true }] };
  const orphan = { partition: 2, epoch: 50, replicas: map.record(2).replicas.map((r) => ({ ...r, role: 'follower' })) };
  const twice = { partition: 2, epoch: 60, replicas: [map.record(2).replicas[0], map.record(2).replicas[0]] };
  const after = (record, address) => ({ epoch: record.epoch, leader: record.replicas.find((r) => r.role === 'leader')?.node ?? null, address });
  const addressOf = (record) => map.node(record.replicas[0].node).address;
  const info = (record, leaderAddress) => ({ keyspace: 'orders', record, generation: at(2), ...(leaderAddress && { leaderAddress }) });
  const start = { snapshot: encodeSnapshot(map, 'packed').map(hex), partition: 2 };
  const before = map.record(2);
  return [
    { story: 'the leader has changed: heal and ask the new one', ...start, steps: [{ detail: detail(info(moved, addressOf(moved))), healed: true, ...after(moved, addressOf(moved)) }] },
    { story: 'the owner held the request until another led: heal and ask that one, the write may have happened', ...start, steps: [{ detail: detail({ ...info(moved, addressOf(moved)), mayHaveHappened: true, held: true }), healed: true, ...after(moved, addressOf(moved)) }] },
    { story: 'twice in a row, each newer than the one before', ...start, steps: [{ detail: detail(info(moved)), healed: true, ...after(moved, addressOf(moved)) }, { detail: detail(info(again)), healed: true, ...after(again, addressOf(again)) }] },
    { story: 'an answer that is older than what is known changes nothing', ...start, steps: [{ detail: detail(info(again)), healed: true, ...after(again, addressOf(again)) }, { detail: detail(info(moved)), healed: false, ...after(again, addressOf(again)) }] },
    { story: 'the same epoch is no news', ...start, steps: [{ detail: detail(info(before)), healed: false, ...after(before, addressOf(before)) }] },
    { story: 'a leader that the map does not name comes with its address', ...start, steps: [{ detail: detail(info(stranger, '10.0.0.99:7400')), healed: true, ...after(stranger, '10.0.0.99:7400') }] },
    { story: 'nobody leads: wait, then ask again', ...start, steps: [{ detail: detail(info(orphan)), healed: true, ...after(orphan, null) }] },
    { story: 'a record with a node twice is refused', ...start, steps: [{ detail: detail(info(twice)), healed: false, ...after(before, addressOf(before)) }] },
    { story: 'a partition that the keyspace does not have is refused', ...start, steps: [{ detail: detail(info({ ...moved, partition: 800 })), healed: false, ...after(before, addressOf(before)) }] },
  ];
}

function malformedVectors() {
  const map = mapOf(specOf('orders', slots(64)));
  const good = whole(map, 'packed').map(({ bytes }) => bytes);
  const columns = messageCodec('MapColumns');
  const chunk = events.decode(encodeSnapshot(map, 'packed')[0]).snapshot;
  const plain = events.decode(encodeSnapshot(map, 'plain')[0]).snapshot;
  const remade = (change, of = chunk) => {
    const inside = columns.decode(of.data);
    change(inside);
    const { keyspace, generation, nodes: named, partitions, stride, packed } = inside;
    const wire = packed
      ? { keyspace, generation, nodes: named, partitions, stride, packed }
      : { keyspace, generation, nodes: named, partitions, stride, epochs: inside.epochs, replicaNodes: inside.replicaNodes, replicaFlags: inside.replicaFlags };
    const data = columns.encode(wire);
    return [events.encode({ snapshot: { ...of, data, checksum: sha256(data) } })];
  };
  const flip = (bytes, needle, mask = 1) => {
    const copy = Buffer.from(bytes);
    const place = copy.indexOf(needle);
    if (place < 0) throw new Error(`no ${needle}`);
    copy[place] ^= mask;
    return copy;
  };
  const delta = (parts) => encodeDelta({ keyspace: 'orders', from: at(1), to: at(2), records: [], nodes: [], ...parts });
  const record = map.record(1);
  const role = flip(delta({ records: [record] }), Buffer.from([0x10, 0x01, 0x18, 0x02]), 0);
  role[role.indexOf(Buffer.from([0x10, 0x01, 0x18, 0x02])) + 1] = 9;
  const three = inChunks(map, 3);
  const cases = [
    ['a flipped bit', [flip(good[0], 'n2')]],
    ['a truncated chunk', [events.encode({ snapshot: { ...chunk, data: chunk.data.subarray(0, -3) } })]],
    ['a truncated message', [good[0].subarray(0, -3)]],
    ['a chunk left out', [three[0], three[2]]],
    ['chunks in the wrong order', [three[1]]],
    ['chunks of two snapshots', [three[0], inChunks(mapOf(specOf('orders', slots(64)), at(2)), 3)[1]]],
    ['more partitions than the scheme has', remade((c) => (c.partitions = 65))],
    ['a few bytes that claim a billion partitions', remade((c) => (c.partitions = 1_000_000_000))],
    ['overlapping ranges', [...encodeSnapshot({ ...columnsOf(mapOf(specOf('orders', { kind: 'range', splitPoints: ['c', 'm'].map(utf8) }))), spec: specOf('orders', { kind: 'range', splitPoints: ['m', 'c'].map(utf8) }) })]],
    ['a scheme that does not exist yet', remade((c) => (c.keyspace.scheme = { version: 1 }))],
    ['a node number beyond the table', remade((c) => (c.nodes = c.nodes.slice(0, 2)))],
    ['a packed column that ends early', remade((c) => (c.packed.epochs = c.packed.epochs.subarray(0, -1)))],
    ['a packed column with bytes left over', remade((c) => (c.packed.epochs = Buffer.concat([c.packed.epochs, Buffer.from([0])])))],
    ['a packed width of 40 bits', remade((c) => (c.packed.replicaFlags = Buffer.from([0, 40, 0])))],
    ['flags that no row says', remade((c) => (c.packed.flagRows = Buffer.alloc(0)))],
    ['a plain column that ends in the middle of a number', remade((c) => (c.epochs = c.epochs.subarray(0, -1)), plain)],
    ['a leader that is not in sync', remade((c) => (c.replicaFlags = Buffer.from(c.replicaFlags).fill(4, 0, 1)), plain)],
    ['a node twice in one partition', remade((c) => (c.replicaNodes = Buffer.concat([c.replicaNodes.subarray(0, 4), c.replicaNodes.subarray(0, 4), c.replicaNodes.subarray(8)])), plain)],
    ['an epoch of zero', remade((c) => (c.epochs = Buffer.concat([Buffer.alloc(8), c.epochs.subarray(8)])), plain)],
    ['a delta whose generation was skipped', [...good, delta({ from: at(2), to: at(3), records: [record] })]],
    ['a delta before any snapshot', [delta({ records: [record] })]],
    ['a delta that names an unknown node', [...good, delta({ records: [{ ...record, epoch: 90, replicas: [{ ...record.replicas[0], node: 'n99' }] }] })]],
    ['a delta with two leaders', [...good, delta({ records: [{ ...record, epoch: 90, replicas: record.replicas.map((r) => ({ ...r, role: 'leader' })) }] })]],
    ['a delta for a partition that is not there', [...good, delta({ records: [{ ...record, partition: 64 }] })]],
    ['a role from the future', [...good, role]],
    ['an epoch beyond 2^53', [...good, flip(delta({ records: [{ ...record, epoch: 2 ** 53 - 1 }] }), Buffer.from([0xff, 0xff, 0xff, 0x0f]), 0)].map((bytes, i) => (i === good.length ? widened(bytes) : bytes))],
  ];
  return cases.map(([story, list]) => ({ story, events: list.map(hex), refusedAt: list.length - 1 }));
}

/** The varint of 2^53 - 1 (seven times ff, 0f) becomes 2^60 - 1. */
function widened(bytes) {
  const copy = Buffer.from(bytes);
  const end = copy.indexOf(Buffer.from([0xff, 0x0f])) + 1;
  const longer = Buffer.concat([copy.subarray(0, end), Buffer.from([0xff, 0x0f]), copy.subarray(end + 1)]);
  return relength(longer, 1);
}

/** Lengths of the messages around the record grow by one byte; the delta is MapEvent.delta (field 2) > records (field 4). */
function relength(bytes, by) {
  const copy = Buffer.from(bytes);
  const readLength = (place) => (copy[place] < 128 ? { value: copy[place], size: 1 } : { value: (copy[place] & 127) | (copy[place + 1] << 7), size: 2 });
  const outer = readLength(1);
  const grow = (place, { value, size }) => {
    if (size === 1 && value + by > 127) throw new Error('a length that grows by a byte');
    if (size === 1) copy[place] = value + by;
    else {
      copy[place] = ((value + by) & 127) | 128;
      copy[place + 1] = (value + by) >> 7;
    }
  };
  grow(1, outer);
  for (let place = 1 + outer.size; place < copy.length; ) {
    const length = readLength(place + 1);
    if (copy[place] === 0x22) {
      grow(place + 1, length);
      break;
    }
    place += 1 + length.size + length.value;
  }
  return copy;
}

function columnsOf(map) {
  const { spec, generation, nodes: named, partitions, stride, epochs, replicaNodes, replicaFlags } = map;
  return { spec, generation, nodes: named, partitions, stride, epochs, replicaNodes, replicaFlags };
}

export const vectors = () => ({
  'maps.json': mapVectors(),
  'routing.json': routingVectors(),
  'not-owner.json': notOwnerVectors(),
  'malformed.json': malformedVectors(),
  'frames.json': [
    {
      story: 'gRPC puts a flag and the length before each message',
      message: hex(encodeDropped('orders')),
      framed: hex(shareMessage(encodeDropped('orders')).framed),
    },
  ],
});

export const textOf = (cases) => `[\n${cases.map((each) => JSON.stringify(each)).join(',\n')}\n]\n`;

if (import.meta.url === pathToFileURL(process.argv[1]).href)
  for (const [name, cases] of Object.entries(vectors())) writeFileSync(new URL(name, import.meta.url), textOf(cases));
