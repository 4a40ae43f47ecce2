import type { Grant } from '@cadastre/core';
import { LIMITS, printable } from '@cadastre/core';

export interface RoleMapping {
  readonly rolesClaim: string;
  readonly roles: Readonly<Record<string, readonly Grant[]>>;
}

/** The grants that a provider's claim stands for: a word, or a list of words. Words that are not mapped give nothing. */
export const grantsOf = (claims: Readonly<Record<string, unknown>>, { rolesClaim, roles }: RoleMapping): Grant[] => {
  const claim = claims[rolesClaim];
  const words = Array.isArray(claim) ? claim : [claim];
  return words.flatMap((word) => (typeof word === 'string' && Object.hasOwn(roles, word) ? roles[word]! : []));
};

/**
 * Undefined for what could be taken for somebody else's once it is written down: control characters, space around it, more than is kept.
 */
export const subjectOf = (source: 'oidc' | 'jwt', issuer: string, sub: string): string | undefined => {
  const subject = `${source}:${issuer}#${sub}`;
  const isPlain = sub !== '' && sub === sub.trim() && subject === printable(subject, LIMITS.actorCharsMax);
  return isPlain ? subject : undefined;
};

/** When the person last proved who it is, as the provider says; 0, which is too long ago for everything, where it does not. */
export const authenticatedMsOf = (seconds: unknown, nowMs: number): number =>
  typeof seconds === 'number' && seconds > 0 ? Math.min(Math.round(seconds * 1_000), nowMs) : 0;
