import { describe, expect, it } from '@jest/globals';
import { checkPassword, hashPassword, isPassword } from './password.js';

const CHEAP = { N: 2 ** 10, r: 8, p: 1 };

describe('passwords', () => {
  // Plan: the hash that is kept by default has OWASP's parameters; it tells right from wrong, and two hashes of one password differ.
  it('are kept as scrypt with a salt', async () => {
    const [one, two] = [await hashPassword('a long password'), await hashPassword('a long password', CHEAP)];
    expect(one).toMatch(/^scrypt\$32768\$8\$3\$[\w-]{22}\$[\w-]{43}$/);
    expect(one).not.toBe(two);
    expect(await isPassword('a long password', one)).toBe(true);
    expect(await isPassword('a long passwore', two)).toBe(false);
    expect(await isPassword('a long password', undefined)).toBe(false);
    expect(await isPassword('a long password', 'md5$x')).toBe(false);
  });

  // Plan: the same letters typed in another Unicode form are the same password.
  it('do not depend on how a keyboard composes letters', async () =>
    expect(await isPassword('Zu\u0308rich am See', await hashPassword('Z\u00fcrich am See', CHEAP))).toBe(true));

  // Plan: a flood is refused at once, before it costs memory.
  it('are computed a few at a time', async () => {
    const flood = await Promise.allSettled(Array.from({ length: 8 }, () => isPassword('x', undefined)));
    const refused = flood.filter((one) => one.status === 'rejected').map((one) => one.reason as { code: string });
    expect(refused.map((error) => error.code)).toEqual(Array.from({ length: 4 }, () => 'RESOURCE_EXHAUSTED'));
  });

  it.each(['short', 'x'.repeat(257)])('have a length: %j is refused', (password) =>
    expect(() => checkPassword(password)).toThrow(expect.objectContaining({ field: 'password' })),
  );
});
