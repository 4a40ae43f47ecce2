import type { Compound, Scheme } from './scheme.js';
import { partitionCount } from './check-scheme.js';
import { hexOf } from './token.js';

const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`;

/** One line for people: kind, partitions, hash and what else decides where a key goes. */
export const describeScheme = (scheme: Scheme): string => `${scheme.kind}: ${WORDS[scheme.kind](scheme as never)}`;

const compoundText = (compound: Compound | undefined): string => {
  if (!compound) return '';
  return 'separator' in compound
    ? `, hashed up to ${showBytes(compound.separator)}`
    : `, hashed first component after a length of ${plural(compound.lengthPrefixBytes, 'byte')}`;
};

const showBytes = (bytes: Uint8Array): string =>
  bytes.every((b) => b > 0x20 && b < 0x7f) ? `"${String.fromCharCode(...bytes)}"` : `0x${hexOf(bytes)}`;

const WORDS: { [K in Scheme['kind']]: (scheme: Extract<Scheme, { kind: K }>) => string } = {
  'hash-slots': (s) =>
    `${plural(s.slots, 'slot')} of ${s.hash}${s.hashTags ? ', hash tags' : ''}${compoundText(s.compound)}` +
    (s.routingSlots === undefined ? '' : `, ${s.routingSlots} routing slots`) +
    (s.routingPartitionSize === undefined ? '' : `, routing over ${s.routingPartitionSize}`),
  'hash-range': (s) =>
    `${plural(s.partitions, 'range')} of ${s.hash}${s.splitPoints ? '' : ', equal'}${compoundText(s.compound)}`,
  range: (s) => `${plural(s.splitPoints.length + 1, 'range')} of keys`,
  ring: (s) =>
    `${plural(partitionCount(s), 'token')} of ${s.hash} on ${plural(s.nodes.length, 'node')}${compoundText(s.compound)}`,
  directory: (s) =>
    `${plural(s.entries.length, 'entry').replace(/entrys$/, 'entries')} over ${describeScheme(s.fallback)}`,
};
