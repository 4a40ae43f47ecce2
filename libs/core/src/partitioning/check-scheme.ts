import { compareBytes } from '../bytes.js';
import { invalid } from '../errors.js';
import { LIMITS } from '../limits.js';
import { spaceOf } from './hash-functions.js';
import { bytesOfHex, parseToken } from './token.js';
import type {
  Compound,
  DirectoryEntry,
  DirectoryScheme,
  HashRangeScheme,
  HashSlotsScheme,
  RangeScheme,
  RingScheme,
  Scheme,
  SchemeKind,
} from './scheme.js';
import { RANGE_HASHES, RING_HASHES, SCHEME_KINDS, SLOT_HASHES } from './scheme.js';

const FIELDS: Record<SchemeKind, readonly string[]> = {
  'hash-slots': [
    'slots',
    'hash',
    'hashTags',
    'compound',
    'routingSlots',
    'routingPartitionSize',
    'bucket',
    'bucketType',
  ],
  'hash-range': ['hash', 'partitions', 'splitPoints', 'compound'],
  range: ['splitPoints'],
  ring: ['hash', 'nodes', 'compound'],
  directory: ['entries', 'partitions', 'separator', 'fallback'],
};

/** @throws CadastreError INVALID_ARGUMENT naming the wrong, missing or unknown field of the scheme, with limit and remedy */
export const checkScheme = <S extends Scheme>(scheme: S, field = 'scheme'): S => {
  if (!SCHEME_KINDS.includes(scheme?.kind)) {
    const kind = String((scheme as { kind?: unknown } | undefined)?.kind);
    throw invalid(`${field}.kind`, `"${kind}" is unknown`, `use one of ${SCHEME_KINDS.join(', ')}`);
  }
  refuseUnknown(scheme, field, ['kind', 'version', ...FIELDS[scheme.kind]]);
  if (scheme.version !== undefined) checkWhole(`${field}.version`, scheme.version, 1, 2 ** 32 - 1);
  CHECKS[scheme.kind](scheme as never, field);
  return scheme;
};

const refuseUnknown = (value: object, field: string, known: readonly string[]): void => {
  for (const name of Object.keys(value))
    if (!known.includes(name)) throw invalid(`${field}.${name}`, 'is unknown', `use only ${known.join(', ')}`);
};

/** @throws CadastreError INVALID_ARGUMENT naming `field` unless `value` is a whole number within the limits */
export const checkWhole = (field: string, value: number, least: number, most: number, remedy?: string): number => {
  if (!Number.isInteger(value) || value < least || value > most)
    throw invalid(
      field,
      `${value} is not a count within the limits`,
      remedy ?? 'give a whole number',
      `${least} to ${most}`,
    );
  return value;
};

const checkPartitions = (field: string, value: number): number =>
  checkWhole(field, value, 1, LIMITS.partitionsMax, 'give a whole number; 16 to 100 partitions a node is usual');

const checkOneOf = (field: string, value: string, known: readonly string[]): void => {
  if (!known.includes(value)) throw invalid(field, `"${value}" is unknown`, `use one of ${known.join(', ')}`);
};

const checkList = (field: string, value: readonly unknown[], most: number): void => {
  if (!Array.isArray(value)) throw invalid(field, 'is no list', 'give a list, empty if there is nothing to say');
  if (value.length > most) throw invalid(field, `has ${value.length} entries`, 'give fewer', `${most} entries`);
};

const checkBytes = (field: string, value: Uint8Array): void => {
  if (!(value instanceof Uint8Array)) throw invalid(field, 'is missing or no bytes', 'give bytes');
  if (value.length === 0) throw invalid(field, 'is empty', 'give at least 1 byte', `1 to ${LIMITS.keyBytesMax} bytes`);
  if (value.length > LIMITS.keyBytesMax)
    throw invalid(
      field,
      `has ${value.length} bytes`,
      'no key is that long: shorten it',
      `1 to ${LIMITS.keyBytesMax} bytes`,
    );
};

const checkCompound = (field: string, compound: Compound | undefined): void => {
  if (compound === undefined) return;
  if (compound !== null && typeof compound === 'object' && Object.keys(compound).length === 1) {
    if ('separator' in compound) return checkBytes(`${field}.separator`, compound.separator);
    if ('lengthPrefixBytes' in compound) {
      if ([1, 2, 4].includes(compound.lengthPrefixBytes)) return;
      throw invalid(
        `${field}.lengthPrefixBytes`,
        `${String(compound.lengthPrefixBytes)} is no width`,
        'use 1, 2 or 4',
        '1, 2 or 4',
      );
    }
  }
  throw invalid(field, 'does not say where the first component ends', 'give either separator or lengthPrefixBytes');
};

const checkSlots = (scheme: HashSlotsScheme, field: string): void => {
  checkPartitions(`${field}.slots`, scheme.slots);
  checkOneOf(`${field}.hash`, scheme.hash, SLOT_HASHES);
  if (typeof scheme.hashTags !== 'boolean') throw invalid(`${field}.hashTags`, 'is missing', 'give true or false');
  checkCompound(`${field}.compound`, scheme.compound);
  if (scheme.hashTags && scheme.compound)
    throw invalid(`${field}.hashTags`, 'cannot be combined with a compound key', 'use one of the two');
  checkBucket(scheme, field);
  const { slots, routingSlots, routingPartitionSize } = scheme;
  if (routingPartitionSize !== undefined && scheme.hash !== 'elasticsearch')
    throw invalid(`${field}.routingPartitionSize`, 'belongs to the elasticsearch hash', 'leave it out');
  if (scheme.hash === 'riak' && (slots & (slots - 1)) !== 0)
    throw invalid(`${field}.slots`, `${slots} is no power of two`, 'a Riak ring has 8, 16, 32, 64, ... partitions');
  if (routingSlots !== undefined) {
    checkWhole(`${field}.routingSlots`, routingSlots, slots, LIMITS.partitionsMax, 'use a multiple of slots');
    if (scheme.hash === 'riak' || routingSlots % slots !== 0)
      throw invalid(
        `${field}.routingSlots`,
        `${routingSlots} is no multiple of ${slots} slots`,
        'use a multiple of slots',
      );
  }
  if (routingPartitionSize === undefined) return;
  checkWhole(`${field}.routingPartitionSize`, routingPartitionSize, 1, routingSlots ?? slots, 'use fewer than slots');
  if (!scheme.compound)
    throw invalid(
      `${field}.routingPartitionSize`,
      'needs a routing value',
      'say in compound where the routing value ends',
    );
};

const checkBucket = (scheme: HashSlotsScheme, field: string): void => {
  for (const name of ['bucket', 'bucketType'] as const) {
    const value = scheme[name];
    if (value === undefined) continue;
    if (scheme.hash !== 'riak') throw invalid(`${field}.${name}`, 'belongs to the riak hash', 'leave it out');
    if (typeof value !== 'string' || value === '')
      throw invalid(`${field}.${name}`, 'is empty', 'give its name, or leave it out');
  }
};

const checkHashRange = (scheme: HashRangeScheme, field: string): void => {
  checkOneOf(`${field}.hash`, scheme.hash, RANGE_HASHES);
  checkPartitions(`${field}.partitions`, scheme.partitions);
  checkCompound(`${field}.compound`, scheme.compound);
  if (scheme.splitPoints === undefined) return;
  checkList(`${field}.splitPoints`, scheme.splitPoints, LIMITS.partitionsMax - 1);
  if (scheme.splitPoints.length !== scheme.partitions - 1)
    throw invalid(
      `${field}.splitPoints`,
      `${scheme.splitPoints.length} split points for ${scheme.partitions} partitions`,
      'give one split point fewer than partitions',
      `${scheme.partitions - 1} split points`,
    );
  const space = spaceOf(scheme.hash);
  let last = space.min;
  scheme.splitPoints.forEach((text, i) => {
    const at = `${field}.splitPoints[${i}]`;
    const token = parseToken(space, at, text);
    if (token <= last) throw unordered(at, i === 0 ? 'is where the first partition begins by itself' : undefined);
    last = token;
  });
};

const unordered = (field: string, what = 'is not greater than the one before it') =>
  invalid(field, what, 'give split points in ascending order, each once');

const checkRange = (scheme: RangeScheme, field: string): void => {
  checkList(`${field}.splitPoints`, scheme.splitPoints, LIMITS.partitionsMax - 1);
  scheme.splitPoints.forEach((point, i) => {
    const at = `${field}.splitPoints[${i}]`;
    checkBytes(at, point);
    if (i > 0 && compareBytes(scheme.splitPoints[i - 1]!, point) >= 0) throw unordered(at);
  });
};

const checkRing = (scheme: RingScheme, field: string): void => {
  checkOneOf(`${field}.hash`, scheme.hash, RING_HASHES);
  checkCompound(`${field}.compound`, scheme.compound);
  if (scheme.hash === 'bytes' && scheme.compound)
    throw invalid(`${field}.compound`, 'has no use where keys are not hashed', 'leave it out');
  checkList(`${field}.nodes`, scheme.nodes, LIMITS.partitionsMax);
  if (scheme.nodes.length === 0)
    throw invalid(`${field}.nodes`, 'is empty', 'give at least one node with a token', 'at least 1');
  const owners = new Map<string, string>();
  const names = new Set<string>();
  scheme.nodes.forEach((each, i) => {
    const at = `${field}.nodes[${i}]`;
    if (typeof each.node !== 'string' || each.node === '')
      throw invalid(`${at}.node`, 'is missing', 'give the name of the node');
    if (names.has(each.node))
      throw invalid(`${at}.node`, `${each.node} is there twice`, 'give each node once, with all its tokens');
    names.add(each.node);
    checkList(`${at}.tokens`, each.tokens, LIMITS.partitionsMax);
    if (each.tokens.length === 0) throw invalid(`${at}.tokens`, 'is empty', 'give at least one token', 'at least 1');
    each.tokens.forEach((text, j) => checkRingToken(scheme, `${at}.tokens[${j}]`, text, each.node, owners));
  });
  checkPartitions(field, owners.size);
};

const checkRingToken = (
  scheme: RingScheme,
  field: string,
  text: string,
  node: string,
  owners: Map<string, string>,
): void => {
  const token =
    scheme.hash === 'bytes' ? bytesOfHex(field, text).join() : parseToken(spaceOf(scheme.hash), field, text).toString();
  const owner = owners.get(token);
  if (owner !== undefined)
    throw invalid(field, `${text} is a token of ${owner} already`, 'give each token to one node');
  owners.set(token, node);
};

const checkDirectory = (scheme: DirectoryScheme, field: string): void => {
  const { fallback, separator } = scheme;
  if ((fallback as Scheme | undefined)?.kind === 'directory')
    throw invalid(`${field}.fallback.kind`, 'is a directory itself', 'put its entries into this one');
  checkScheme(fallback, `${field}.fallback`);
  checkPartitions(`${field}.partitions`, scheme.partitions);
  const least = partitionCount(fallback);
  if (scheme.partitions < least)
    throw invalid(
      `${field}.partitions`,
      `${scheme.partitions} partitions, the fallback has ${least}`,
      'count those of the fallback too',
      `at least ${least}`,
    );
  if (separator !== undefined && (typeof separator !== 'string' || separator === ''))
    throw invalid(`${field}.separator`, 'is empty', 'give what stands between a geography and the rest of the key');
  checkList(`${field}.entries`, scheme.entries, LIMITS.partitionsMax);
  scheme.entries.forEach((entry, i) => checkEntry(scheme, entry, `${field}.entries[${i}]`));
};

const checkEntry = (scheme: DirectoryScheme, entry: DirectoryEntry, field: string): void => {
  const { match } = entry;
  if (match === 'key') checkBytes(`${field}.key`, entry.key);
  else if (match === 'prefix') checkBytes(`${field}.prefix`, entry.prefix);
  else if (match === 'geography') {
    if (typeof entry.label !== 'string' || entry.label === '' || entry.label.includes(scheme.separator ?? '/'))
      throw invalid(`${field}.label`, `"${String(entry.label)}" is no geography`, 'give a label without the separator');
  } else throw invalid(`${field}.match`, `"${String(match)}" is unknown`, 'use key, prefix or geography');
  refuseUnknown(entry, field, [
    'match',
    'partition',
    match === 'geography' ? 'label' : match,
    ...(match === 'key' ? [] : ['spread']),
  ]);
  checkWhole(`${field}.partition`, entry.partition, 0, scheme.partitions - 1, 'name a partition of the scheme');
  if (match !== 'key' && entry.spread !== undefined)
    checkWhole(
      `${field}.spread`,
      entry.spread,
      1,
      scheme.partitions - entry.partition,
      'raise partitions, or spread over fewer',
    );
};

/** How many partitions a scheme has, without compiling it. */
export const partitionCount = (scheme: Scheme): number => {
  if (scheme.kind === 'hash-slots') return scheme.slots;
  if (scheme.kind === 'range') return scheme.splitPoints.length + 1;
  if (scheme.kind === 'ring') return scheme.nodes.reduce((sum, n) => sum + n.tokens.length, 0);
  return scheme.partitions;
};

const CHECKS = {
  'hash-slots': checkSlots,
  'hash-range': checkHashRange,
  range: checkRange,
  ring: checkRing,
  directory: checkDirectory,
} as const;
