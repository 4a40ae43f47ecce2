import { describe, expect, it } from '@jest/globals';
import { concernsOf, ETCD_DEFAULT_QUOTA_BYTES } from './care.js';
import type { StoreStatus } from './store.js';

const MIB = 1024 ** 2;
const status = (over: Partial<StoreStatus>): StoreStatus => ({
  version: '3.5.16',
  clusterId: 'c',
  memberId: 'm',
  leader: 'm',
  dbSizeBytes: MIB,
  dbSizeInUseBytes: MIB,
  alarms: [],
  endpoint: 'e',
  ...over,
});
const idsOf = (over: Partial<StoreStatus>) => concernsOf(status(over), ETCD_DEFAULT_QUOTA_BYTES).map((c) => c.id);

describe('concerns of etcd', () => {
  it('says nothing of a healthy one', () => {
    // Plan: current versions of both supported lines, and one that cannot be read.
    for (const version of ['3.5.16', '3.6.0', '3.5.3', 'memory', '']) expect(idsOf({ version })).toEqual([]);
  });

  it('names each alarm once, with its members, before anything else', () => {
    // Plan: two members out of space, one corrupt, one alarm that we do not know, an old version.
    const found = concernsOf(
      status({ version: '3.4.23', alarms: ['NOSPACE@1', 'NOSPACE@2', 'CORRUPT@3', 'NEW@4'] }),
      ETCD_DEFAULT_QUOTA_BYTES,
    );
    expect(found.map((c) => [c.id, c.level])).toEqual([
      ['alarm-NOSPACE', 'critical'],
      ['alarm-CORRUPT', 'critical'],
      ['alarm-NEW', 'critical'],
      ['version', 'warning'],
    ]);
    expect(found[0]?.what).toContain('member 1, 2');
    expect(found[0]?.remedy).toContain('alarm disarm');
    expect(found[1]?.remedy).toContain('cadastre restore');
  });

  it('warns below the quota, and knows when defragmenting is enough', () => {
    // Plan: sizes around four fifths of 100 MiB, full and mostly free.
    const at = (dbSizeBytes: number, dbSizeInUseBytes: number) =>
      concernsOf(status({ dbSizeBytes, dbSizeInUseBytes }), 100 * MIB);
    expect(at(79 * MIB, 79 * MIB)).toEqual([]);
    expect(at(80 * MIB, 70 * MIB)[0]?.remedy).toContain('--quota-backend-bytes');
    expect(at(80 * MIB, 10 * MIB)[0]?.remedy).toContain('defrag');
  });

  it('warns of versions with faults that cost data, and says which', () => {
    // Plan: the edges of each known fault.
    const what = (version: string) => concernsOf(status({ version }), ETCD_DEFAULT_QUOTA_BYTES)[0]?.what ?? '';
    for (const version of ['3.5.0', '3.5.1', '3.5.2']) expect(what(version)).toContain('come back with other data');
    expect(what('3.4.23')).toContain('out of support');
    expect(what('3.4.23')).toContain('revokes leases');
    expect(what('3.4.19')).not.toContain('stale');
    expect(what('3.4.45')).toBe('etcd 3.4.45 should not carry a register: 3.4 is out of support');
    expect(what('3.3.10')).toContain('3.3 is out of support');
  });
});
