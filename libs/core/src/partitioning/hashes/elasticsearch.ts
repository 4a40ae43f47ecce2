import { murmur3Int } from './murmur3.js';
import { scratch } from './words.js';

const REPLACEMENT = 0xfffd;

/** Fewest and most the second byte may be, by the first: shuts out overlong forms, surrogates, and what is beyond U+10FFFF. */
const secondFrom = (first: number): number => (first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80);
const secondTo = (first: number): number => (first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf);

const bytesAfter = (first: number): number => {
  if (first < 0xc2 || first > 0xf4) return -1;
  if (first < 0xe0) return 1;
  return first < 0xf0 ? 2 : 3;
};

/** How many bytes after `at` continue the character that begins there. */
const continued = (key: Uint8Array, at: number, to: number, wanted: number): number => {
  const first = key[at]!;
  let found = 0;
  while (found < wanted && at + found + 1 < to) {
    const byte = key[at + found + 1]!;
    const least = found === 0 ? secondFrom(first) : 0x80;
    const most = found === 0 ? secondTo(first) : 0xbf;
    if (byte < least || byte > most) break;
    found += 1;
  }
  return found;
};

const characterAt = (key: Uint8Array, at: number, following: number): number => {
  let character = key[at]! & (0x3f >> following);
  for (let i = 1; i <= following; i += 1) character = (character << 6) | (key[at + i]! & 0x3f);
  return character;
};

const putUnit = (out: Uint8Array, at: number, unit: number): number => {
  out[at] = unit;
  out[at + 1] = unit >>> 8;
  return at + 2;
};

const putCharacter = (out: Uint8Array, at: number, character: number): number => {
  if (character < 0x10000) return putUnit(out, at, character);
  const high = putUnit(out, at, 0xd800 + ((character - 0x10000) >> 10));
  return putUnit(out, high, 0xdc00 + ((character - 0x10000) & 0x3ff));
};

/**
 * Rewrites UTF-8 as UTF-16LE to `out`, which has room for twice the bytes, and returns the length written. What is no UTF-8 becomes
 * U+FFFD, once for each longest well-formed beginning, as Java's `new String(bytes, UTF_8)` and the WHATWG decoder do.
 */
const toUtf16 = (key: Uint8Array, from: number, to: number, out: Uint8Array): number => {
  let written = 0;
  let at = from;
  while (at < to) {
    const first = key[at]!;
    const wanted = first < 0x80 ? 0 : bytesAfter(first);
    const found = wanted < 1 ? 0 : continued(key, at, to, wanted);
    if (first < 0x80) written = putUnit(out, written, first);
    else written = putCharacter(out, written, found === wanted ? characterAt(key, at, found) : REPLACEMENT);
    at += found + 1;
  }
  return written;
};

/**
 * The hash that Elasticsearch and OpenSearch route by: murmur3_x86_32 of the routing string's UTF-16LE. The key is that string's UTF-8.
 * Signed 32 bits. Source: `Murmur3HashFunction.hash` in elasticsearch/server, cluster/routing.
 */
export const elasticsearchHash = (key: Uint8Array, from = 0, to = key.length): number => {
  const text = scratch(2 * (to - from));
  return murmur3Int(text, 0, toUtf16(key, from, to, text));
};

/** Java's `Math.floorMod` of an `int` by a positive one. */
const floorMod = (value: number, by: number): number => {
  const rest = (value % by) | 0;
  return rest < 0 ? rest + by : rest;
};

/**
 * Shard of a routing hash: floorMod(hash, number_of_routing_shards) / (number_of_routing_shards / number_of_shards).
 * Source: `IndexRouting.hashToShardId`.
 */
export const elasticsearchShard = (hash: number, routingShards: number, shards: number): number =>
  Math.floor(floorMod(hash, routingShards) / Math.floor(routingShards / shards));

/**
 * The routing hash of a document where the index has `routing_partition_size` > 1: that of `_routing`, moved by that of `_id`.
 * Source: `IndexRouting.Partitioned.shardId`.
 */
export const elasticsearchPartitionedHash = (routingHash: number, idHash: number, partitionSize: number): number =>
  (routingHash + floorMod(idHash, partitionSize)) | 0;

/** The `number_of_routing_shards` that an index gets by default (7.0 on): the most doublings that stay within 1024. */
export const elasticsearchRoutingShards = (shards: number): number => {
  const doublings = Math.max(1, 10 - Math.ceil(Math.log2(shards)));
  return shards * 2 ** doublings;
};
