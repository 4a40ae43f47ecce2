import type { Grant } from '@cadastre/core';
import { formatGrant, parseGrant } from '@cadastre/core';
import { messageCodec, type Wire } from '@cadastre/contracts';
import type { RecordCodec } from './records.js';

/** Who may sign in with a password. */
export interface UserRecord {
  readonly name: string;
  readonly grants: readonly Grant[];
  /** Never the password itself. */
  readonly password: string;
  readonly disabled: boolean;
  readonly createdMs: number;
  /** Of roles, password or `disabled`; rises with each change, which ends the sessions that began before. */
  readonly changedMs: number;
}

export const SESSION_SOURCES = ['local', 'oidc'] as const;
export type SessionSource = (typeof SESSION_SOURCES)[number];

export interface WebSessionRecord {
  /** Never given to another person, whatever names change. */
  readonly subject: string;
  readonly name: string;
  readonly source: SessionSource;
  readonly grants: readonly Grant[];
  readonly createdMs: number;
  readonly authenticatedMs: number;
  readonly expiresMs: number;
  readonly csrf: string;
  /** Of the local user when the session began; 0 for others. */
  readonly userChangedMs: number;
}

const users = messageCodec<Wire.UserRecord, Wire.UserRecord__Output>('UserRecord');
const sessions = messageCodec<Wire.WebSessionRecord, Wire.WebSessionRecord__Output>('WebSessionRecord');

export const userCodec: RecordCodec<UserRecord> = {
  encode: ({ grants, ...user }) => users.encode({ ...user, roles: grants.map(formatGrant) }),
  decode: (bytes) => {
    const { roles, ...user } = users.decode(bytes);
    return { ...user, grants: roles.map(parseGrant) };
  },
};

export const webSessionCodec: RecordCodec<WebSessionRecord> = {
  encode: ({ grants, ...session }) => sessions.encode({ ...session, roles: grants.map(formatGrant) }),
  decode: (bytes) => {
    const { roles, source, ...session } = sessions.decode(bytes);
    if (!(SESSION_SOURCES as readonly string[]).includes(source)) throw new Error(`a session from "${source}"`);
    return { ...session, source: source as SessionSource, grants: roles.map(parseGrant) };
  },
};
