import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CadastreError } from '@cadastre/core';
import type { Io } from '../io.js';

export interface TokenPlace {
  readonly path: string;
  /** Named by a flag or the environment: then it has to be there. */
  readonly given: boolean;
}

/** --token-file, CADASTRE_TOKEN_FILE, or a file of this user. Undefined where the user has no home. */
export const tokenPlace = ({ env }: Pick<Io, 'env'>, flag: string | undefined): TokenPlace | undefined => {
  const given = flag ?? env['CADASTRE_TOKEN_FILE'];
  if (given) return { path: given, given: true };
  const home = env['XDG_CONFIG_HOME'] ?? (env['HOME'] ? join(env['HOME'], '.config') : undefined);
  return home ? { path: join(home, 'cadastre', 'token'), given: false } : undefined;
};

/** @throws CadastreError FAILED_PRECONDITION for a file that others can read, or that is named and missing */
export const readToken = (place: TokenPlace | undefined): string | undefined => {
  if (!place || (!place.given && !existsSync(place.path))) return undefined;
  try {
    const { mode } = statSync(place.path);
    if ((mode & 0o077) !== 0) throw new Error('others can read it');
    const token = readFileSync(place.path, 'utf8').trim();
    if (token === '' || /\s/.test(token)) throw new Error('it holds no token');
    return token;
  } catch (error) {
    throw new CadastreError('FAILED_PRECONDITION', `${place.path}: ${(error as Error).message}`, {
      field: 'token-file',
      remedy: `run cadastre login, or: chmod 600 ${place.path}`,
    });
  }
};

/** For this user's eyes only. */
export const writeToken = ({ path }: TokenPlace, token: string): void => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, `${token}\n`, { mode: 0o600 });
  chmodSync(path, 0o600); // of a file that was there before
};

export const forgetToken = ({ path }: TokenPlace): void => rmSync(path, { force: true });
