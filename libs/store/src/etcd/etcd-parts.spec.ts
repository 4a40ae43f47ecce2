import { describe, expect, it } from '@jest/globals';
import { isRegisterChanged } from '../store-errors.js';
import { endOfPrefix } from './etcd.codec.js';
import { isStaleToken, toStoreError } from './etcd-errors.js';
import { RegisterGuard } from './register-guard.js';
import { isProgressExactIn } from './version.js';

describe('parts of the etcd store', () => {
  it.each([
    [3, 'etcdserver: duplicate key given in txn request', 'INVALID_ARGUMENT'],
    [5, 'etcdserver: requested lease not found', 'NOT_FOUND'],
    [8, 'etcdserver: mvcc: database space exceeded', 'RESOURCE_EXHAUSTED'],
    [8, 'Bandwidth exhausted or memory limit exceeded', 'UNKNOWN_OUTCOME'],
    [14, 'etcdserver: no leader', 'UNAVAILABLE'],
    [14, 'etcdserver: request timed out', 'UNKNOWN_OUTCOME'],
    [14, 'etcdserver: leader changed', 'UNKNOWN_OUTCOME'],
    [14, 'read ECONNRESET', 'UNKNOWN_OUTCOME'],
    [4, 'no answer in 100 ms', 'UNKNOWN_OUTCOME'],
    [1, 'context canceled', 'UNKNOWN_OUTCOME'],
    [13, 'internal', 'UNKNOWN_OUTCOME'],
    [11, 'etcdserver: mvcc: required revision has been compacted', 'FAILED_PRECONDITION'],
  ])('a write that fails with %i %s is %s', (code, details, expected) => {
    // Only what etcd refused in its own words is known not to have happened.
    expect(toStoreError({ code, details }, 'e', true).code).toBe(expected);
    if (expected === 'UNKNOWN_OUTCOME') expect(toStoreError({ code, details }, 'e', false).code).toBe('UNAVAILABLE');
  });

  it('knows a stale token from a wrong password', () => {
    // etcd's three ways to say "log in again", and one that is not.
    expect(isStaleToken({ code: 16, details: 'etcdserver: invalid auth token' })).toBe(true);
    expect(isStaleToken({ code: 3, details: 'etcdserver: revision of auth store is old' })).toBe(true);
    expect(isStaleToken({ code: 3, details: 'etcdserver: authentication failed, invalid user ID or password' })).toBe(
      false,
    );
  });

  it('refuses another cluster and a register that went back', () => {
    // Seen revision 10 of cluster 1; then cluster 2, then revision 9 to a call sent after.
    const guard = new RegisterGuard();
    const header = (cluster_id: string, revision: string) => ({ cluster_id, member_id: '1', revision });
    guard.checkLinearizable(header('1', '10'), guard.floor);
    const attempts = [
      () => guard.checkCluster(header('2', '11')),
      () => guard.checkLinearizable(header('1', '9'), guard.floor),
    ];
    for (const attempt of attempts) {
      let thrown: unknown;
      try {
        attempt();
      } catch (error) {
        thrown = error;
      }
      expect(isRegisterChanged(thrown)).toBe(true);
    }
    expect(() => guard.checkLinearizable(header('1', '9'), 8n)).not.toThrow();
  });

  it.each([
    ['3.4.23', false],
    ['3.4.26', true],
    ['3.5.9', false],
    ['3.5.16', true],
    ['3.6.0', true],
    ['4.0.0', true],
    ['', false],
    ['unknown', false],
  ])('believes progress of %s: %s', (version, expected) => {
    // Table of versions.
    expect(isProgressExactIn(version)).toBe(expected);
  });

  it('finds the end of a prefix', () => {
    // The last byte that can be raised is raised, what follows is dropped; nothing to raise means "to the end".
    expect([...endOfPrefix(Buffer.from('ab'))]).toEqual([0x61, 0x63]);
    expect([...endOfPrefix(Buffer.of(0x61, 0xff))]).toEqual([0x62]);
    expect([...endOfPrefix(Buffer.of(0xff))]).toEqual([0]);
    expect([...endOfPrefix(Buffer.alloc(0))]).toEqual([0]);
  });
});
