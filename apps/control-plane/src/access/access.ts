import type { Grant, Permission, Scope } from '@cadastre/core';
import { CadastreError, checkGrants, checkName, formatGrant, invalid, permits, printable } from '@cadastre/core';
import { type Clock, type Logger, type NewId, sha256Hex } from '@cadastre/runtime';
import type { Draft, Part, Register, SessionSource, Store, UserRecord, WebSessionRecord } from '@cadastre/store';
import { compare, keys, op, userCodec, webSessionCodec } from '@cadastre/store';
import { Attempts } from './attempts.js';
import type { AccessDirectory } from './directory.js';
import type { PasswordCost } from './password.js';
import { checkPassword, hashPassword, isPassword } from './password.js';
import type { Principal } from './principal.js';

export interface AccessOptions {
  readonly store: Store;
  readonly register: Register;
  readonly directory: AccessDirectory;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly newId: NewId;
  /** A session lives this long, however it is used. Default 8 h. */
  readonly sessionMs?: number;
  readonly attempts?: Attempts;
  readonly passwordCost?: PasswordCost;
}

export interface SignedIn {
  /** Only its holder knows it: the register keeps its hash. */
  readonly token: string;
  readonly principal: Principal;
}

export interface ExternalPerson {
  readonly subject: string;
  readonly name: string;
  readonly grants: readonly Grant[];
  /** When it last proved to the provider who it is. */
  readonly authenticatedMs: number;
}

export interface UserChange {
  readonly name: string;
  /** Left as they are when absent. */
  readonly grants?: readonly Grant[];
  readonly password?: string;
  readonly disabled?: boolean;
}

export type UserView = Omit<UserRecord, 'password'>;

/** One try at a password: what is counted, and where it comes from. */
interface Attempt {
  readonly attempts: Attempts;
  readonly key: string;
  readonly address: string;
}

const HOUR_MS = 3_600_000;
const PROOF_WAIT_MS = 15 * 60_000;
const TOKEN_BYTES = 32;
/** Of one person; the oldest ends when another begins. */
const SESSIONS_EACH = 20;
const USERS_MAX = 1_000;

/** Who is who: local users with passwords, and sessions of them and of those whom an identity provider vouches for. */
export class Access {
  private readonly attempts: Attempts;
  private readonly proofs: Attempts;

  constructor(private readonly options: AccessOptions) {
    this.attempts = options.attempts ?? new Attempts(options.clock);
    // By session: only who holds one can try, so that nobody else makes its owner wait, and it may wait long.
    this.proofs = new Attempts(options.clock, { longestNameMs: PROOF_WAIT_MS });
  }

  /** @throws CadastreError UNAUTHENTICATED with the same words whatever was wrong, RESOURCE_EXHAUSTED after many failures */
  async signIn(name: string, password: string, address: string): Promise<SignedIn> {
    const user = await this.prove(name, password, { attempts: this.attempts, key: name, address });
    const who = { subject: `local:${user.name}`, name: user.name, source: 'local', grants: [] } as const;
    return this.begin(who, user.changedMs, this.now());
  }

  /** For those whom an identity provider has vouched for; the session of its own there may be old, and proves nothing anew. */
  signInExternal(who: ExternalPerson): Promise<SignedIn> {
    const { authenticatedMs, ...person } = who;
    return this.begin({ ...person, source: 'oidc' }, 0, authenticatedMs);
  }

  /** The same person proves again who it is, before an act that asks for that. */
  async proveAgain(token: string, password: string, address: string): Promise<Principal> {
    const principal = this.principalOf(token);
    if (!principal || principal.source !== 'local') throw refused();
    const hash = sha256Hex(token);
    await this.prove(principal.name, password, { attempts: this.proofs, key: hash, address });
    await this.commit((known) => {
      const session = known.sessions.get(hash);
      if (!session) throw refused();
      const value: WebSessionRecord = { ...session.value, authenticatedMs: this.now() };
      return {
        compare: [compare.modRevision(keys.accessSession(hash), session.revision)],
        ops: [op.put(keys.accessSession(hash), webSessionCodec.encode(value), session.leaseId)],
      };
    });
    return this.principalOf(token) ?? principal;
  }

  async signOut(token: string): Promise<void> {
    const hash = sha256Hex(token);
    if (!this.options.directory.sessions.has(hash)) return;
    await this.commit(() => ({ compare: [], ops: [op.delete(keys.accessSession(hash))] }));
  }

  /** Undefined for a token that means nothing, or nothing any more. */
  principalOf(token: string): Principal | undefined {
    const session = this.options.directory.sessions.get(sha256Hex(token))?.value;
    if (!session || session.expiresMs <= this.options.clock.wallMs()) return undefined;
    const { subject, name, source, authenticatedMs, csrf } = session;
    if (source !== 'local') return { subject, name, source, grants: session.grants, authenticatedMs, csrf };
    const user = this.options.directory.users.get(name)?.value;
    if (!user || user.disabled || user.changedMs !== session.userChangedMs) return undefined;
    return { subject, name, source, grants: user.grants, authenticatedMs, csrf };
  }

  /** Whether somebody who once could still can. Of people whom a provider knows nothing is known here but their sessions: they still may. */
  mayStill(subject: string, permission: Permission, scope: Scope): boolean {
    const [, name] = /^local:(.*)$/s.exec(subject) ?? [];
    if (name === undefined) return true;
    const user = this.options.directory.users.get(name)?.value;
    return user !== undefined && !user.disabled && permits(user.grants, permission, scope);
  }

  listUsers(): UserView[] {
    return [...this.options.directory.users.values()]
      .map(({ value: { password: _, ...user } }) => user)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Makes the user, or changes what is given. @throws CadastreError INVALID_ARGUMENT, RESOURCE_EXHAUSTED */
  async putUser(change: UserChange, actor: string, reason: string): Promise<UserView> {
    checkName('name', change.name);
    if (change.password !== undefined) checkPassword(change.password);
    const password =
      change.password === undefined ? undefined : await hashPassword(change.password, this.options.passwordCost);
    const grants = change.grants && checkGrants(change.grants);
    let written: UserRecord | undefined;
    await this.commit(({ users }) => {
      const known = users.get(change.name);
      written = this.userAfter(known?.value, { ...change, ...(grants && { grants }) }, password, users.size);
      const key = keys.accessUser(change.name);
      return {
        compare: [known ? compare.modRevision(key, known.revision) : compare.absent(key)],
        ops: [op.put(key, userCodec.encode(written))],
        audit: {
          actor,
          verb: 'user',
          subject: `user/${change.name}`,
          reason,
          before: known ? describeUser(known.value) : '',
          after: `${describeUser(written)}${password === undefined ? '' : ', password changed'}`,
        },
      };
    });
    const { password: _, ...view } = written!;
    return view;
  }

  /** @throws CadastreError NOT_FOUND */
  async removeUser(name: string, actor: string, reason: string): Promise<void> {
    await this.commit(({ users }) => {
      const known = users.get(name);
      if (!known)
        throw new CadastreError('NOT_FOUND', `user "${printable(name)}" does not exist`, {
          field: 'name',
          remedy: 'list the users to see their names',
        });
      const key = keys.accessUser(name);
      return {
        compare: [compare.modRevision(key, known.revision)],
        ops: [op.delete(key)],
        audit: {
          actor,
          verb: 'user-remove',
          subject: `user/${name}`,
          reason,
          before: describeUser(known.value),
          after: 'removed',
        },
      };
    });
  }

  private userAfter(
    known: UserRecord | undefined,
    change: UserChange,
    password: string | undefined,
    users: number,
  ): UserRecord {
    const now = this.now();
    if (known) {
      return {
        ...known,
        grants: change.grants ?? known.grants,
        password: password ?? known.password,
        disabled: change.disabled ?? known.disabled,
        changedMs: Math.max(now, known.changedMs + 1),
      };
    }
    if (password === undefined) throw invalid('password', 'is missing', 'a new user needs one');
    if (change.grants === undefined || change.grants.length === 0)
      throw invalid('roles', 'are missing', 'say what the user may do, for instance viewer');
    if (users >= USERS_MAX)
      throw new CadastreError('RESOURCE_EXHAUSTED', `${users} local users exist`, {
        limit: `${USERS_MAX} users`,
        remedy: 'use an identity provider for so many',
      });
    const { name, grants, disabled = false } = change;
    return { name, grants, password, disabled, createdMs: now, changedMs: now };
  }

  private async prove(name: string, password: string, { attempts, key, address }: Attempt): Promise<UserRecord> {
    attempts.admit(key, address);
    const user = this.options.directory.users.get(name)?.value;
    const isRight = await isPassword(password, user?.password);
    if (isRight && user && !user.disabled) {
      attempts.succeeded(key, address);
      return user;
    }
    attempts.failed(key, address);
    this.options.logger.warn('a sign-in failed', { event: 'sign-in-failed', user: printable(name), address });
    throw refused();
  }

  private async begin(
    who: { subject: string; name: string; source: SessionSource; grants: readonly Grant[] },
    userChangedMs: number,
    authenticatedMs: number,
  ): Promise<SignedIn> {
    const { sessionMs = 8 * HOUR_MS, newId, store } = this.options;
    const token = newId(TOKEN_BYTES);
    const now = this.now();
    const session: WebSessionRecord = {
      ...who,
      createdMs: now,
      authenticatedMs,
      expiresMs: now + sessionMs,
      csrf: newId(16),
      userChangedMs,
    };
    const lease = await store.grantLease(sessionMs);
    lease.release(); // it ends by its term: nobody keeps it alive
    await this.commit(({ sessions }) => ({
      compare: [],
      ops: [
        op.put(keys.accessSession(sha256Hex(token)), webSessionCodec.encode(session), lease.id),
        ...[...sessions]
          .filter(([, { value }]) => value.subject === who.subject)
          .sort(([, a], [, b]) => b.value.createdMs - a.value.createdMs)
          .slice(SESSIONS_EACH - 1)
          .map(([hash]) => op.delete(keys.accessSession(hash))),
      ],
      audit: { actor: who.subject, verb: 'sign-in', subject: `user/${who.name}`, reason: '' },
    }));
    const principal = this.principalOf(token);
    if (!principal) throw refused();
    return { token, principal };
  }

  private async commit(
    decide: (known: Pick<AccessDirectory, 'users' | 'sessions'>) => Part & Pick<Draft<undefined>, 'audit'>,
  ): Promise<void> {
    const { register, directory } = this.options;
    const { revision } = await register.commit(() => ({
      ...decide(directory),
      result: undefined,
    }));
    await directory.reached(revision);
  }

  private now(): number {
    return Math.round(this.options.clock.wallMs());
  }
}

/** For the audit log: never a password or its hash. */
const describeUser = ({ grants, disabled }: UserRecord): string =>
  `${grants.map(formatGrant).join(', ')}${disabled ? ', disabled' : ''}`;

const refused = (): CadastreError =>
  new CadastreError('UNAUTHENTICATED', 'user or password is wrong', {
    field: 'password',
    remedy: 'try again, or ask an administrator',
  });
