import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { CadastreError, invalid } from '@cadastre/core';

/** OWASP's least for scrypt with 32 MiB: N = 2^15, r = 8, p = 3. */
export const PASSWORD_COST = { N: 2 ** 15, r: 8, p: 3 };
export type PasswordCost = typeof PASSWORD_COST;
const KEY_BYTES = 32;
const LENGTH = { min: 12, max: 256 };
/** Each hash takes 32 MiB and some 150 ms of a core for as long as it runs. */
const AT_ONCE = 4;

let running = 0;

const derive = (password: string, salt: Buffer, { N, r, p }: PasswordCost): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, KEY_BYTES, { N, r, p, maxmem: 256 * N * r }, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });

/** @throws CadastreError RESOURCE_EXHAUSTED while too many are computed: a flood of sign-ins must not take the whole process */
const bounded = async <T>(work: () => Promise<T>): Promise<T> => {
  if (running >= AT_ONCE)
    throw new CadastreError('RESOURCE_EXHAUSTED', 'too many sign-ins at once', {
      limit: `${AT_ONCE} at a time`,
      remedy: 'try again in a second',
    });
  running += 1;
  try {
    return await work();
  } finally {
    running -= 1;
  }
};

/** @throws CadastreError INVALID_ARGUMENT */
export const checkPassword = (password: string): void => {
  const { length } = password;
  if (length < LENGTH.min || length > LENGTH.max)
    throw invalid(
      'password',
      `has ${length} characters`,
      'choose another',
      `${LENGTH.min} to ${LENGTH.max} characters`,
    );
};

/** `scrypt$N$r$p$SALT$KEY`, base64url. */
export const hashPassword = (password: string, cost: PasswordCost = PASSWORD_COST): Promise<string> =>
  bounded(async () => {
    const salt = randomBytes(16);
    const key = await derive(password, salt, cost);
    return ['scrypt', cost.N, cost.r, cost.p, salt.toString('base64url'), key.toString('base64url')].join('$');
  });

const NOBODY = `scrypt$${PASSWORD_COST.N}$${PASSWORD_COST.r}$${PASSWORD_COST.p}$${Buffer.alloc(16).toString('base64url')}$${Buffer.alloc(KEY_BYTES).toString('base64url')}`;

/** Takes as long for a user that does not exist: `kept` undefined. */
export const isPassword = (password: string, kept: string | undefined): Promise<boolean> =>
  bounded(async () => {
    const [kind, N, r, p, salt = '', key = ''] = (kept ?? NOBODY).split('$');
    if (kind !== 'scrypt') return false;
    const wanted = Buffer.from(key, 'base64url');
    const got = await derive(password.slice(0, LENGTH.max + 1), Buffer.from(salt, 'base64url'), {
      N: Number(N),
      r: Number(r),
      p: Number(p),
    });
    return kept !== undefined && wanted.length === got.length && timingSafeEqual(wanted, got);
  });
