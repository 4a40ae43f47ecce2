import type { KeyspaceSpec } from '@cadastre/core';

/** What the cluster of these tests holds, before anybody sends anything bad. */
export const KEYSPACE = 'pkgs';
/** One copy each: the map goes on counting on a node that is gone. */
export const SINGLE = 'single';
export const PARTITIONS = 12;
export const KEY = 'package-1';
export const MIB = 1024 * 1024;
export const HEX = '0'.repeat(64);

export const specOf = (over: Partial<KeyspaceSpec> = {}): KeyspaceSpec => ({
  name: KEYSPACE,
  scheme: { kind: 'hash-slots', slots: PARTITIONS, hash: 'murmur3', hashTags: false },
  replicationFactor: 3,
  minInSync: 2,
  spread: [{ label: 'zone', maxPerDomain: 1, hard: true }],
  ...over,
});

export const JSON_TYPE = { 'content-type': 'application/json' };
