import { CadastreError } from '@cadastre/core';
import { sha256Hex } from '@cadastre/runtime';

/** Of what is edited as a whole: the same content has the same version on every replica. */
export const versionOf = (value: unknown): string => sha256Hex(JSON.stringify(value)).slice(0, 16);

/** @throws CadastreError FAILED_PRECONDITION */
export const requireVersion = (what: string, current: unknown, expected: string | undefined): void => {
  if (expected === undefined || expected === '*' || expected === versionOf(current)) return;
  throw new CadastreError('FAILED_PRECONDITION', `${what} has been changed in the meantime`, {
    field: 'version',
    limit: versionOf(current),
    remedy: 'read what holds now, and change that',
  });
};
