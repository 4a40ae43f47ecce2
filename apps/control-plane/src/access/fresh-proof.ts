import { CadastreError } from '@cadastre/core';
import type { Clock } from '@cadastre/runtime';
import type { Principal } from './principal.js';

export interface FreshnessRules {
  readonly clock: Pick<Clock, 'wallMs'>;
  /** For acts that let data move or give power away, the proof of who acts may be no older. */
  readonly proveAgainMs: number;
}

/** A page that is left open, or a token that is stolen, must not be enough for these. @throws CadastreError UNAUTHENTICATED */
export const requireFreshProof = (
  { source, authenticatedMs }: Principal,
  { clock, proveAgainMs }: FreshnessRules,
): void => {
  if (clock.wallMs() - authenticatedMs <= proveAgainMs) return;
  throw new CadastreError('UNAUTHENTICATED', 'this asks for a fresh proof of who you are', {
    field: 'proof',
    limit: `${Math.round(proveAgainMs / 1000)} s since the last one`,
    remedy: REMEDY[source],
  });
};

const REMEDY: Readonly<Record<Principal['source'], string>> = {
  open: 'try again',
  local: 'give your password again (on a command line: cadastre login), then repeat it',
  oidc: 'sign in again with your identity provider, then repeat it',
  jwt: 'come with a new token',
  certificate: 'connect again',
};
