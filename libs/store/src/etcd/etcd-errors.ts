import { CadastreError } from '@cadastre/core';
import { compacted, unavailable, unknownOutcome } from '../store-errors.js';

/** gRPC status codes that are looked at (grpc/grpc, doc/statuscodes.md). */
const STATUS = {
  INVALID_ARGUMENT: 3,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  UNAUTHENTICATED: 16,
} as const;

export interface RpcError {
  readonly code: number;
  readonly details: string;
}

export const asRpcError = (error: unknown): RpcError => {
  const { code, details, message } = error as { code?: unknown; details?: unknown; message?: unknown };
  return { code: typeof code === 'number' ? code : 2, details: String(details ?? message ?? error) };
};

/** The server turned the token away before it looked at the request: log in again and resend. */
export const isStaleToken = ({ code, details }: RpcError): boolean =>
  /invalid auth token/.test(details) ||
  /revision of auth store is old/.test(details) ||
  (code === STATUS.UNAUTHENTICATED && !/user name is empty/.test(details));

/** Translates a failed call. What is not known to have been refused counts as "may have happened" for a mutation. */
export function toStoreError(error: RpcError, endpoint: string, mutates: boolean): CadastreError {
  const { code, details } = error;
  const message = `etcd ${endpoint}: ${details}`;
  const refusal = refusalOf(code, details);
  if (refusal === 'compacted') return compacted(undefined, error);
  if (refusal === 'UNAVAILABLE') return unavailable(message, error);
  if (refusal !== undefined) return new CadastreError(refusal, message, { cause: error, ...remedyOf(details) });
  return mutates ? unknownOutcome(message, error) : unavailable(message, error);
}

/** Undefined when it may have happened. */
function refusalOf(code: number, details: string): CadastreError['code'] | 'compacted' | undefined {
  switch (code) {
    case STATUS.INVALID_ARGUMENT:
      return 'INVALID_ARGUMENT';
    case STATUS.NOT_FOUND:
      return 'NOT_FOUND';
    case STATUS.ALREADY_EXISTS:
      return 'ALREADY_EXISTS';
    case STATUS.PERMISSION_DENIED:
    case STATUS.UNAUTHENTICATED:
      return 'PERMISSION_DENIED';
    case STATUS.FAILED_PRECONDITION:
      return 'FAILED_PRECONDITION';
    case STATUS.UNIMPLEMENTED:
      return 'UNIMPLEMENTED';
    case STATUS.OUT_OF_RANGE:
      return /compacted/.test(details) ? 'compacted' : 'INVALID_ARGUMENT';
    case STATUS.RESOURCE_EXHAUSTED:
      // The same code comes from HTTP/2 flow control in the middle of a call; only etcd's own words say "refused".
      return /^etcdserver:|received message larger/.test(details) ? 'RESOURCE_EXHAUSTED' : undefined;
    default:
      // Answered by an interceptor before the request is looked at, because of our `hasleader` metadata.
      return /etcdserver: no leader/.test(details) ? 'UNAVAILABLE' : undefined;
  }
}

const remedyOf = (details: string): { remedy?: string } => {
  if (/lease not found/.test(details)) return { remedy: 'grant a new lease' };
  if (/space exceeded/.test(details)) return { remedy: 'compact and defragment etcd, then disarm the NOSPACE alarm' };
  return {};
};
