/** Codes of gRPC that a transport gives by itself (gRPC, "Status codes and their use"). */
export const CODE = {
  cancelled: 1,
  unknown: 2,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

export interface ServiceStatus {
  readonly code?: number;
  readonly details?: string;
  readonly metadata?: unknown;
}

/** A failed call as grpc-js hands it out. */
export const failure = (code: number, details: string, metadata?: unknown): Error =>
  Object.assign(new Error(`${code}: ${details}`), { code, details, metadata });
