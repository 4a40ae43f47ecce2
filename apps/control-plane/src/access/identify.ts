import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Grant, PeerIdentity } from '@cadastre/core';
import { BOOTSTRAP_SUBJECT, CadastreError, permissionsOf, printable } from '@cadastre/core';
import type { Clock } from '@cadastre/runtime';
import type { OperationsPort } from '../operations/ports.js';
import type { Access } from './access.js';
import { AuthorizedOperations } from './authorized-operations.js';
import type { Bearers } from './bearer.js';
import { runAs } from './caller-scope.js';
import type { ClientAddresses } from './client-address.js';
import type { FreshnessRules } from './fresh-proof.js';
import { requireFreshProof } from './fresh-proof.js';
import type { Oidc } from './oidc.js';
import type { Principal } from './principal.js';
import { OPEN } from './principal.js';

/** Absent: access is open, everybody may do all and signs with the name that the request gives. */
export interface Guarded {
  readonly access: Access;
  readonly bearers: Bearers;
  readonly oidc?: Oidc;
  readonly proveAgainMs: number;
  /** Whose failures at signing in are counted together. */
  readonly addresses: ClientAddresses;
  /** What holders of certificates with role operator may do, by their names. */
  readonly certificates?: Readonly<Record<string, readonly Grant[]>>;
}

export interface IdentityOptions {
  readonly operations: OperationsPort;
  readonly clock: Clock;
  readonly guarded: Guarded | undefined;
}

/** Who stands behind a request, and how that was shown. */
export interface Caller {
  readonly principal: Principal;
  readonly via: 'open' | 'cookie' | 'bearer' | 'certificate';
  /** Of the session, when there is one. */
  readonly token?: string;
}

/** `__Host-`: this host alone, whole, and only over a safe channel; browsers count their own machine as one. */
export const SESSION_COOKIE = '__Host-cadastre';
export const CSRF_HEADER = 'x-cadastre-csrf';

/** Finds out who calls, for every surface alike. */
export class Identity {
  constructor(private readonly options: IdentityOptions) {}

  get guarded(): Guarded | undefined {
    return this.options.guarded;
  }

  /** @throws CadastreError UNAUTHENTICATED for a token that is not valid; undefined when there is none */
  async ofBearer(authorization: string | undefined): Promise<Caller | undefined> {
    const { guarded } = this.options;
    if (!guarded) return { principal: OPEN, via: 'open' };
    const [scheme = '', token] = (authorization ?? '').split(' ');
    if (scheme.toLowerCase() !== 'bearer' || !token) return undefined;
    return { principal: await guarded.bearers.principalOf(token), via: 'bearer', token };
  }

  /** A token says more than a certificate, which may be a whole team's. @throws CadastreError UNAUTHENTICATED for a token that is not valid */
  async ofCall(authorization: string | undefined, peer: PeerIdentity | undefined): Promise<Caller | undefined> {
    return (await this.ofBearer(authorization)) ?? this.ofCertificate(peer);
  }

  private ofCertificate(peer: PeerIdentity | undefined): Caller | undefined {
    const { guarded, clock } = this.options;
    const { certificates = {} } = guarded ?? {};
    if (peer?.role !== 'operator' || !Object.hasOwn(certificates, peer.name)) return undefined;
    const { name } = peer;
    const grants = certificates[name]!;
    return {
      principal: {
        subject: `certificate:${name}`,
        name,
        source: 'certificate',
        grants,
        authenticatedMs: clock.wallMs(),
      },
      via: 'certificate',
    };
  }

  /** @throws CadastreError UNAUTHENTICATED, PERMISSION_DENIED for an act by cookie without its proof of origin */
  async ofHttp(request: IncomingMessage): Promise<Caller | undefined> {
    const byHeader = await this.ofBearer(request.headers.authorization);
    if (byHeader) return byHeader;
    const token = cookieOf(request, SESSION_COOKIE);
    const principal = token && this.options.guarded?.access.principalOf(token);
    if (!token || !principal) return undefined;
    if (changes(request) && request.headers[CSRF_HEADER] !== principal.csrf)
      throw new CadastreError('PERMISSION_DENIED', 'the request does not show that it comes from this page', {
        field: CSRF_HEADER,
        remedy: 'send the value that GET /api/v1/session gives',
      });
    return { principal, via: 'cookie', token };
  }

  /** For what has no verb, such as streams. @throws CadastreError UNAUTHENTICATED, PERMISSION_DENIED */
  requireLook(caller: Caller | undefined): Caller {
    if (!caller) throw unauthenticated();
    if (permissionsOf(caller.principal.grants).includes('view')) return caller;
    throw new CadastreError('PERMISSION_DENIED', `${printable(caller.principal.name)} has no role here`, {
      field: 'role',
      remedy: 'ask an administrator for one',
    });
  }

  /** Whether a stream that this caller opened may go on: sessions end, tokens expire, and roles are taken away. */
  stillHolds(caller: Caller): boolean {
    const principal = this.principalNow(caller);
    return principal !== undefined && permissionsOf(principal.grants).includes('view');
  }

  private principalNow({ principal, token }: Caller): Principal | undefined {
    const { subject, expiresMs } = principal;
    if (expiresMs !== undefined) return this.options.clock.wallMs() < expiresMs ? principal : undefined;
    if (token === undefined || subject === BOOTSTRAP_SUBJECT) return principal;
    return this.options.guarded?.access.principalOf(token);
  }

  /** The verbs in the caller's name. @throws CadastreError UNAUTHENTICATED */
  operationsFor(caller: Caller | undefined): OperationsPort {
    if (!caller) throw unauthenticated();
    return new AuthorizedOperations(this.options.operations, caller.principal, this.freshness);
  }

  /** For acts that have no verb, such as making users. @throws CadastreError UNAUTHENTICATED */
  requireFreshProof(principal: Principal): void {
    requireFreshProof(principal, this.freshness);
  }

  private get freshness(): FreshnessRules {
    const { clock, guarded } = this.options;
    return { clock, proveAgainMs: guarded?.proveAgainMs ?? Number.POSITIVE_INFINITY };
  }
}

export const unauthenticated = (): CadastreError =>
  new CadastreError('UNAUTHENTICATED', 'sign in first', {
    field: 'authorization',
    remedy: 'sign in on the page, or run: cadastre login',
  });

const changes = ({ method }: IncomingMessage): boolean => method !== 'GET' && method !== 'HEAD';

export const cookieOf = ({ headers }: IncomingMessage, name: string): string | undefined => {
  for (const part of (headers.cookie ?? '').split(';')) {
    const at = part.indexOf('=');
    if (at > 0 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return undefined;
};

interface CookieOptions {
  readonly maxAgeS: number;
  /** Lax only for what must come back from the identity provider's page. */
  readonly sameSite?: 'Strict' | 'Lax';
}

export const setCookie = (
  response: ServerResponse,
  name: string,
  value: string,
  { maxAgeS, sameSite = 'Strict' }: CookieOptions,
): void => {
  response.appendHeader(
    'set-cookie',
    `${name}=${value}; Path=/; Secure; HttpOnly; SameSite=${sameSite}; Max-Age=${Math.round(maxAgeS)}`,
  );
};

/** What Nest's handlers find on the request. */
export interface IdentifiedRequest extends IncomingMessage {
  caller?: Caller;
  identity: Identity;
}

type Next = (error?: unknown) => void;

/** Before Nest: puts the caller on the request. A request without one goes on, and is refused by the first verb that it tries. */
export const identify =
  (identity: Identity) =>
  (request: IncomingMessage, _response: ServerResponse, next: Next): void => {
    const identified = request as IdentifiedRequest;
    identified.identity = identity;
    identity.ofHttp(request).then((caller) => {
      if (caller) identified.caller = caller;
      runAs(caller, next);
    }, next);
  };
