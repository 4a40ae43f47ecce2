import { describe, expect, it } from '@jest/globals';
import type { Grant, Permission, Scope } from './access.js';
import { checkGrants, formatGrant, parseGrant, permissionsOf, permits } from './access.js';

describe('grants', () => {
  // Plan: roles against acts and scopes, by table.
  it.each<[string, readonly string[], Permission, Scope, boolean]>([
    ['nobody looks', [], 'view', 'cluster', false],
    ['a viewer looks', ['viewer'], 'view', ['orders'], true],
    ['a viewer proposes nothing', ['viewer'], 'propose', ['orders'], false],
    ['an operator proposes', ['operator'], 'propose', ['orders'], true],
    ['an operator does not approve', ['operator'], 'approve', ['orders'], false],
    ['an approver does not propose', ['approver'], 'propose', ['orders'], false],
    ['an approver approves', ['approver'], 'approve', ['orders', 'users'], true],
    ['an operator stops', ['operator'], 'halt', 'cluster', true],
    ['an approver stops', ['approver'], 'halt', 'cluster', true],
    ['an approver sets nothing going', ['approver'], 'control', ['orders'], false],
    ['a viewer stops nothing', ['viewer'], 'halt', ['orders'], false],
    ['an admin does all', ['admin'], 'administer', 'cluster', true],
    ['a limited approver approves there', ['approver:orders'], 'approve', ['orders'], true],
    ['and not beyond', ['approver:orders'], 'approve', ['orders', 'users'], false],
    ['two limited roles add up', ['approver:orders', 'approver:users'], 'approve', ['orders', 'users'], true],
    ['roles of different kind do not', ['approver:orders', 'operator:users'], 'approve', ['orders', 'users'], false],
    ['a limited role is none for the cluster', ['admin:orders'], 'administer', 'cluster', false],
    ['nor for an act on nothing named', ['admin:orders'], 'propose', [], false],
  ])('%s', (_what, roles, permission, scope, allowed) =>
    expect(permits(roles.map(parseGrant), permission, scope)).toBe(allowed),
  );

  // Plan: text to grant and back; the same keyspace twice is one.
  it('are written as text', () => {
    expect(parseGrant('operator:users,orders,users')).toEqual({ role: 'operator', keyspaces: ['orders', 'users'] });
    expect(['admin', 'viewer:a,b'].map((text) => formatGrant(parseGrant(text)))).toEqual(['admin', 'viewer:a,b']);
    expect(permissionsOf([parseGrant('operator:a')])).toEqual(['view', 'propose', 'halt', 'control']);
  });

  // Plan: what is no grant is refused by name.
  it.each(['', 'root', 'admin:', 'admin:a,,b', 'viewer:a:b'])('refuses %j', (text) =>
    expect(() => parseGrant(text)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', field: 'role' })),
  );
  it('refuses more roles than are kept', () => {
    const many = Array.from({ length: 65 }, (): Grant => ({ role: 'viewer' }));
    expect(() => checkGrants(many)).toThrow(expect.objectContaining({ field: 'roles' }));
  });
});
