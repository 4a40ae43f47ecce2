import { CadastreError, invalid } from '@cadastre/core';
import type { LeaseId, Revision } from './store.js';

export const unavailable = (message: string, cause?: unknown): CadastreError =>
  new CadastreError('UNAVAILABLE', message, { cause, remedy: 'nothing was changed: retry with backoff' });

export const unknownOutcome = (message: string, cause?: unknown): CadastreError =>
  new CadastreError('UNKNOWN_OUTCOME', message, {
    cause,
    remedy: 'read back what it would have written before anything else',
  });

export const leaseGone = (id: LeaseId): CadastreError =>
  new CadastreError('NOT_FOUND', `lease ${id.toString(16)} is gone`, { field: 'leaseId', remedy: 'grant a new lease' });

interface RegisterChange {
  readonly kind: 'register-changed';
  readonly what: 'cluster-id' | 'revision-regression';
  readonly expected: string;
  readonly actual: string;
}

/** The answer comes from another register, or from one that went back in time (restored from a backup). Nothing of it is applied. */
export const registerChanged = (what: RegisterChange['what'], expected: string, actual: string): CadastreError =>
  new CadastreError('FAILED_PRECONDITION', `the register changed: ${what} ${actual}, expected ${expected}`, {
    field: what,
    remedy:
      'check the endpoints; after a restore from backup, restart the control plane with a new register incarnation',
    info: { kind: 'register-changed', what, expected, actual } satisfies RegisterChange,
  });

export const isRegisterChanged = (error: unknown): boolean => hasInfoKind(error, 'register-changed');

export const compacted = (revision: Revision | undefined, cause?: unknown): CadastreError =>
  new CadastreError('FAILED_PRECONDITION', `revision ${revision ?? '?'} has been compacted`, {
    field: 'revision',
    remedy: 'read the present and go on from there',
    cause,
    info: { kind: 'compacted' },
  });

export const isCompacted = (error: unknown): boolean => hasInfoKind(error, 'compacted');

export const badRevision = (revision: Revision, latest: Revision): CadastreError =>
  invalid('revision', `${revision} is in the future`, 'name a revision that the store has given', `${latest}`);

const hasInfoKind = (error: unknown, kind: string): boolean =>
  error instanceof CadastreError &&
  typeof error.info === 'object' &&
  error.info !== null &&
  'kind' in error.info &&
  error.info.kind === kind;

export const errorMessage = (error: unknown): string => (error instanceof Error ? error.message : String(error));
