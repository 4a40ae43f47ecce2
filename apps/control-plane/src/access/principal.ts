import type { Grant } from '@cadastre/core';

/** Who acts, as found out by this server; what a request says of itself counts for nothing. */
export interface Principal {
  /** `local:anna`, `oidc:ISSUER#SUB`, `jwt:ISSUER#SUB`, `certificate:anna`: never another's, whatever display names change. It is what the audit log keeps. */
  readonly subject: string;
  /** To be shown. */
  readonly name: string;
  readonly source: 'open' | 'local' | 'oidc' | 'jwt' | 'certificate';
  readonly grants: readonly Grant[];
  /** Last proof of who it is, milliseconds since 1970: a password, or what the issuer of a token says. */
  readonly authenticatedMs: number;
  /** What it came with is worth nothing from then on. Absent: as long as its session, if there is one. */
  readonly expiresMs?: number;
  /** What an act by cookie must carry beside it. */
  readonly csrf?: string;
}

/** With access open everybody is this one, under the name that the request gives. */
export const OPEN: Principal = {
  subject: 'open',
  name: 'anybody',
  source: 'open',
  grants: [{ role: 'admin' }],
  authenticatedMs: Number.POSITIVE_INFINITY,
};
