/**
 * One error class with a code, sorted by what the caller should do next.
 * Expected outcomes (a lost compare-and-set) are returned as values; a CadastreError says that a request cannot be met as asked.
 */
export const ERROR_CODES = [
  'INVALID_ARGUMENT', // correct the field and call again
  'NOT_FOUND', // name something that exists
  'ALREADY_EXISTS', // choose another name
  'FAILED_PRECONDITION', // bring the system into the state that is named, then call again
  'PLAN_STALE', // what the plan touches has changed: propose anew
  'PLAN_CHANGED', // the digest is not that of the stored plan: read it again
  'ILLEGAL_TRANSITION', // the verb is not allowed in this state
  'UNSATISFIABLE', // the constraints cannot be met: relax one or add nodes
  'NOT_OWNER', // heal the map from the record that comes with the error, and retry there
  'NOT_ACTIVE', // ask the active controller, whose address comes with the error
  'RESOURCE_EXHAUSTED', // a limit was met: back off or make the request smaller
  'UNAVAILABLE', // nothing was changed: retry with backoff
  'UNKNOWN_OUTCOME', // it may or may not have happened: look it up before anything else
  'DEADLINE_EXCEEDED', // as UNKNOWN_OUTCOME for writes
  'CANCELLED',
  'DATA_LOSS', // a record or chunk does not match its checksum
  'UNAUTHENTICATED', // say who you are, or prove it again
  'PERMISSION_DENIED', // somebody else may
  'UNIMPLEMENTED',
  'INTERNAL', // our bug: report it
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export interface ErrorDetails {
  /** Path of the offending input, e.g. `replicationFactor`. */
  readonly field?: string;
  /** The limit that was broken, with its unit, e.g. `4096 bytes`. */
  readonly limit?: string;
  /** What to do next, one sentence. */
  readonly remedy?: string;
  readonly cause?: unknown;
  /** Machine-readable extras, e.g. the healing record of NOT_OWNER; encoded by libs/contracts. */
  readonly info?: unknown;
}

export class CadastreError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly limit: string | undefined;
  readonly remedy: string | undefined;
  readonly info: unknown;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'CadastreError';
    this.code = code;
    this.field = details.field;
    this.limit = details.limit;
    this.remedy = details.remedy;
    this.info = details.info;
  }

  static from(error: unknown): CadastreError {
    if (error instanceof CadastreError) return error;
    const message = error instanceof Error ? error.message : String(error);
    return new CadastreError('INTERNAL', message, { cause: error });
  }
}

/** @throws CadastreError INVALID_ARGUMENT naming `field` */
export const invalid = (field: string, message: string, remedy: string, limit?: string): CadastreError =>
  new CadastreError(
    'INVALID_ARGUMENT',
    `${field}: ${message}`,
    limit === undefined ? { field, remedy } : { field, remedy, limit },
  );
