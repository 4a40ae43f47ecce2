import type { Hash32, HashWide } from './hash-functions.js';
import { hashFunction, slotHash } from './hash-functions.js';
import { hashWords, redisSlot, riakHash, unsignedOfWords } from './hashes/index.js';
import type { OnPart } from './key-part.js';
import { compoundPart, isEmptyRange, isOneHash, isOneKey, keyPartOf } from './key-part.js';
import type { Partitioner, TokenRange } from './partitioner.js';
import type { HashSlotsScheme } from './scheme.js';
import { evenWide } from './token-table.js';

export const compileHashSlots = (scheme: HashSlotsScheme): Partitioner => {
  const { slots } = scheme;
  const part = keyPartOf(scheme);
  const tokenOf = scheme.hash === 'riak' ? undefined : routingSlotOf(scheme);
  const partitionOf = tokenOf ? joined(scheme, tokenOf) : part.on(riakSlot(slots, riakTermHash(scheme)));
  const partitionsFor = (start: Uint8Array, end: Uint8Array | undefined): number[] => {
    if (isEmptyRange(start, end)) return [];
    if (isOneKey(start, end)) return [partitionOf(start)];
    if (isOneHash(part, start, end)) return spreadPartitions(scheme, start) ?? [partitionOf(start)];
    return Array.from({ length: slots }, (_, i) => i);
  };
  return {
    scheme,
    partitions: slots,
    token: tokenOf ? (key) => BigInt(tokenOf(key)) : part.on(riakToken(riakTermHash(scheme))),
    partitionOf,
    partitionsFor,
    ordered: false,
    rangesOf: (partition) => (tokenOf ? slotRange(scheme, partition) : riakRange(slots, partition)),
    ownerOf: () => undefined,
  };
};

/** Neighbouring routing slots share a partition. */
const joined = ({ slots, routingSlots = slots }: HashSlotsScheme, tokenOf: (key: Uint8Array) => number) => {
  const factor = routingSlots / slots;
  if (factor === 1) return tokenOf;
  return (key: Uint8Array): number => Math.floor(tokenOf(key) / factor);
};

const slotRange = ({ slots, routingSlots = slots }: HashSlotsScheme, partition: number): TokenRange[] => {
  const factor = routingSlots / slots;
  return [{ start: BigInt(partition * factor), end: BigInt((partition + 1) * factor) }];
};

const routingSlotOf = (scheme: HashSlotsScheme): ((key: Uint8Array) => number) => {
  const slots = scheme.routingSlots ?? scheme.slots;
  const part = keyPartOf(scheme);
  if (scheme.hash === 'xxhash64') return part.on(xxhashSlot(slots));
  if (scheme.hash === 'crc16' && scheme.hashTags && slots === 16384) return (key) => redisSlot(key, 0, key.length);
  const hash = slotHash(scheme.hash as 'murmur3');
  if (scheme.compound && (scheme.routingPartitionSize ?? 1) > 1) return spreadSlot(scheme, hash, slots);
  return part.on(scheme.hash === 'elasticsearch' ? signedSlot(hash, slots) : unsignedSlot(hash, slots));
};

const isPowerOfTwo = (n: number): boolean => (n & (n - 1)) === 0;

const unsignedSlot = (hash: Hash32, slots: number): OnPart<number> => {
  if (!isPowerOfTwo(slots)) return (key, from, to) => (hash(key, from, to) >>> 0) % slots;
  const mask = slots - 1;
  return (key, from, to) => hash(key, from, to) & mask;
};

/** Math.floorMod of a signed 32-bit number. */
const signedSlot = (hash: Hash32, slots: number): OnPart<number> => {
  if (isPowerOfTwo(slots)) return unsignedSlot(hash, slots);
  return (key, from, to) => {
    const rest = (hash(key, from, to) | 0) % slots;
    return rest < 0 ? rest + slots : rest + 0;
  };
};

/** hash(routing) + floorMod(hash(id), size), floorMod slots (Elasticsearch, OperationRouting.calculateScaledShardId). */
const spreadSlot = ({ compound, routingPartitionSize: size }: HashSlotsScheme, hash: Hash32, slots: number) => {
  const part = compoundPart(compound!);
  const routing = part.on((key, from, to) => hash(key, from, to) | 0);
  const offset = signedSlot(hash, size!);
  return (key: Uint8Array): number => {
    const fixed = part.fixedLength(key);
    return floorMod((routing(key) + offset(key, fixed, key.length)) | 0, slots);
  };
};

const floorMod = (value: number, slots: number): number => ((value % slots) + slots) % slots;

/** Where rows of the routing value of `start` may lie; undefined when it is one place. */
const spreadPartitions = (scheme: HashSlotsScheme, start: Uint8Array): number[] | undefined => {
  const { slots, routingSlots = slots, routingPartitionSize: size = 1, compound } = scheme;
  if (!compound || size === 1) return undefined;
  const first = compoundPart(compound).on((key, from, to) => slotHash(scheme.hash as 'murmur3')(key, from, to) | 0)(
    start,
  );
  const all = Array.from({ length: size }, (_, i) =>
    Math.floor(floorMod((first + i) | 0, routingSlots) / (routingSlots / slots)),
  );
  return [...new Set(all)].sort((a, b) => a - b);
};

const xxhashSlot = (slots: number): OnPart<number> => {
  const hash = hashFunction('xxhash64').hash as HashWide;
  const mask = slots - 1;
  if (isPowerOfTwo(slots))
    return (key, from, to) => {
      hash(key, from, to);
      return hashWords[1]! & mask;
    };
  const scale = 2 ** 32 % slots;
  return (key, from, to) => {
    hash(key, from, to);
    const value = (hashWords[0]! % slots) * scale + hashWords[1]!;
    return (value - Math.floor(value / slots) * slots) | 0;
  };
};

const riakTermHash = ({ bucket = 'default', bucketType }: HashSlotsScheme): HashWide => {
  const name = new TextEncoder().encode(bucket);
  const type = bucketType === undefined ? undefined : new TextEncoder().encode(bucketType);
  return (key, from, to) => riakHash(name, key, from, to, type);
};

/** The key belongs to the partition that the next ring index clockwise names (riak_core_ring, responsible index). */
const riakSlot = (slots: number, hash: HashWide): OnPart<number> => {
  const segment = evenWide(slots, 5);
  return (key, from, to) => {
    hash(key, from, to);
    const next = segment(hashWords) + 1;
    return next === slots ? 0 : next;
  };
};

const riakToken =
  (hash: HashWide): OnPart<bigint> =>
  (key, from, to) => {
    hash(key, from, to);
    return unsignedOfWords(5);
  };

const riakRange = (slots: number, partition: number): TokenRange[] => {
  const step = 2n ** 160n / BigInt(slots);
  const segment = (partition + slots - 1) % slots;
  return [
    {
      start: segment === 0 ? undefined : step * BigInt(segment),
      end: segment === slots - 1 ? undefined : step * BigInt(segment + 1),
    },
  ];
};
