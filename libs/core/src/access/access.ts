import { invalid } from '../errors.js';
import { printable } from '../limits.js';

/**
 * What a person or a program may do. `halt` only stops: pause, cancel, freeze. `control` lets go on and sets going: resume, unfreeze,
 * drain, throttle. `administer` covers users, keyspaces, policies, lost nodes and settings.
 */
export const PERMISSIONS = ['view', 'propose', 'halt', 'control', 'approve', 'administer'] as const;
export type Permission = (typeof PERMISSIONS)[number];

/**
 * viewer: looks. operator: proposes plans, drains nodes, pauses, resumes, cancels, freezes, throttles. approver: approves and rejects,
 * pauses, cancels and freezes. admin: all. Operator and approver are apart, so that one person need not be both.
 */
export const ROLES = ['viewer', 'operator', 'approver', 'admin'] as const;
export type Role = (typeof ROLES)[number];

const GRANTED: Record<Role, readonly Permission[]> = {
  viewer: ['view'],
  operator: ['view', 'propose', 'halt', 'control'],
  approver: ['view', 'halt', 'approve'],
  admin: PERMISSIONS,
};

/** A role over some keyspaces; without `keyspaces` over all of them and over the cluster as a whole. */
export interface Grant {
  readonly role: Role;
  readonly keyspaces?: readonly string[];
}

/** What an act touches: the cluster as a whole, or just these keyspaces. */
export type Scope = 'cluster' | readonly string[];

/** Each keyspace that is touched needs a grant that covers it; the cluster needs one that is not limited. */
export const permits = (grants: readonly Grant[], permission: Permission, scope: Scope): boolean => {
  const able = grants.filter((grant) => GRANTED[grant.role].includes(permission));
  if (able.some((grant) => grant.keyspaces === undefined)) return true;
  if (scope === 'cluster' || scope.length === 0) return false;
  return scope.every((keyspace) => able.some((grant) => grant.keyspaces!.includes(keyspace)));
};

/** Everything that the grants allow anywhere, for a page that shows or hides a control. The server decides each act anew. */
export const permissionsOf = (grants: readonly Grant[]): Permission[] =>
  PERMISSIONS.filter((permission) => grants.some((grant) => GRANTED[grant.role].includes(permission)));

const GRANTS_MAX = 64;

/** "approver" or "operator:orders,users". @throws CadastreError INVALID_ARGUMENT */
export const parseGrant = (text: string): Grant => {
  const [role = '', names, ...more] = text.split(':');
  if (!(ROLES as readonly string[]).includes(role) || more.length > 0)
    throw invalid(
      'role',
      `"${printable(text)}" names no role`,
      `use one of ${ROLES.join(', ')}, or ROLE:KEYSPACE,KEYSPACE`,
    );
  if (names === undefined) return { role: role as Role };
  const keyspaces = [...new Set(names.split(','))].sort();
  if (keyspaces.includes(''))
    throw invalid(
      'role',
      `"${printable(text)}" has an empty keyspace name`,
      'name the keyspaces, or leave the colon out',
    );
  return { role: role as Role, keyspaces };
};

export const formatGrant = ({ role, keyspaces }: Grant): string =>
  keyspaces === undefined ? role : `${role}:${keyspaces.join(',')}`;

/** @throws CadastreError INVALID_ARGUMENT */
export const checkGrants = (grants: readonly Grant[]): readonly Grant[] => {
  if (grants.length > GRANTS_MAX)
    throw invalid('roles', `has ${grants.length} entries`, 'give wider roles', `${GRANTS_MAX} roles a user`);
  return grants.map((grant) => parseGrant(formatGrant(grant)));
};
