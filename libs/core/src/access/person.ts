/** Whoever holds the bootstrap token: an administrator, but nobody in particular. */
export const BOOTSTRAP_SUBJECT = 'bootstrap';

/**
 * One for all subjects of the same human: an identity provider knows a person by issuer and subject, whether the person came through
 * the page (`oidc:`) or with a token of that issuer (`jwt:`). Discovery lets an issuer be written with or without its last slash.
 */
export const personOf = (subject: string): string => subject.replace(/^(?:oidc|jwt):([^#]*?)\/*#/, 'idp:$1#');

export const isSamePerson = (a: string, b: string): boolean => personOf(a) === personOf(b);
