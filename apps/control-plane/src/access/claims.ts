import type { Grant } from '@cadastre/core';

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
