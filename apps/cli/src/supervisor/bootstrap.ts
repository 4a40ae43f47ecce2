import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { randomId } from '@cadastre/runtime';

export interface Bootstrap {
  readonly accessFile: string;
  readonly tokenFile: string;
  readonly token: string;
}

const TOKEN_BYTES = 32;

/** What control planes that ask for sign-in need before there is a first user; made once, for this user's eyes only. */
export const bootstrapAccess = (folder: string): Bootstrap => {
  const tokenFile = resolve(folder, 'bootstrap-token');
  const accessFile = join(resolve(folder), 'access.json');
  if (!existsSync(tokenFile)) writeFileSync(tokenFile, `${randomId(TOKEN_BYTES)}\n`, { mode: 0o600 });
  chmodSync(tokenFile, 0o600);
  if (!existsSync(accessFile))
    writeFileSync(accessFile, `${JSON.stringify({ bootstrapTokenFile: tokenFile }, undefined, 2)}\n`, { mode: 0o600 });
  return { accessFile, tokenFile, token: readFileSync(tokenFile, 'utf8').trim() };
};
