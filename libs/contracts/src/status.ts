import { Metadata, status as Status, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import type { ErrorCode, Generation, PartitionRecord } from '@cadastre/core';
import { CadastreError, ERROR_CODES } from '@cadastre/core';
import { decodeGeneration, decodeRecord, encodeRecord } from './codecs/records.codec.js';
import type { ErrorDetail, ErrorDetail__Output } from './generated/index.js';
import { messageCodec } from './proto.js';

/** What comes with NOT_OWNER: what the answering node knows of the partition, enough to heal a map and retry at once. */
export interface OwnerInfo {
  readonly keyspace: string;
  readonly record: PartitionRecord;
  readonly generation?: Generation;
  readonly leaderAddress?: string;
  /** The write came too late to be acknowledged and too early to be refused: it may take effect under the next leader. */
  readonly mayHaveHappened?: true;
  /** The answering node led when the request came, and held it until another did. */
  readonly held?: true;
}

/** What comes with NOT_ACTIVE. */
export interface ActiveInfo {
  readonly activeAddress: string;
}

/** What comes with PLAN_STALE and PLAN_CHANGED. */
export interface StaleInfo {
  /** Since the plan was made, in words. */
  readonly changes: readonly string[];
  /** What to ask of ProposePlan for a plan that fits. */
  readonly proposeAgain: { readonly keyspaces: readonly string[]; readonly reason: string };
}

const TRAILER = 'cadastre-error-bin';
const detail = messageCodec<ErrorDetail, ErrorDetail__Output>('ErrorDetail');

const STATUS_OF: Record<ErrorCode, Status> = {
  INVALID_ARGUMENT: Status.INVALID_ARGUMENT,
  NOT_FOUND: Status.NOT_FOUND,
  ALREADY_EXISTS: Status.ALREADY_EXISTS,
  FAILED_PRECONDITION: Status.FAILED_PRECONDITION,
  PLAN_STALE: Status.FAILED_PRECONDITION,
  PLAN_CHANGED: Status.FAILED_PRECONDITION,
  ILLEGAL_TRANSITION: Status.FAILED_PRECONDITION,
  UNSATISFIABLE: Status.FAILED_PRECONDITION,
  NOT_OWNER: Status.FAILED_PRECONDITION,
  NOT_ACTIVE: Status.FAILED_PRECONDITION,
  RESOURCE_EXHAUSTED: Status.RESOURCE_EXHAUSTED,
  UNAVAILABLE: Status.UNAVAILABLE,
  UNKNOWN_OUTCOME: Status.UNKNOWN,
  DEADLINE_EXCEEDED: Status.DEADLINE_EXCEEDED,
  CANCELLED: Status.CANCELLED,
  DATA_LOSS: Status.DATA_LOSS,
  UNAUTHENTICATED: Status.UNAUTHENTICATED,
  PERMISSION_DENIED: Status.PERMISSION_DENIED,
  UNIMPLEMENTED: Status.UNIMPLEMENTED,
  INTERNAL: Status.INTERNAL,
};

const infoFields = (info: unknown): Partial<ErrorDetail> => {
  if (!info || typeof info !== 'object') return {};
  if ('activeAddress' in info) return { activeAddress: (info as ActiveInfo).activeAddress };
  if ('proposeAgain' in info) return staleFields(info as StaleInfo);
  if (!('record' in info)) return {};
  const owner = info as OwnerInfo;
  return {
    keyspace: owner.keyspace,
    record: encodeRecord(owner.record),
    ...(owner.generation && { generation: owner.generation }),
    ...(owner.leaderAddress !== undefined && { leaderAddress: owner.leaderAddress }),
    ...(owner.mayHaveHappened && { mayHaveHappened: true }),
    ...(owner.held && { held: true }),
  };
};

const staleFields = ({ changes, proposeAgain }: StaleInfo): Partial<ErrorDetail> => ({
  changes: [...changes],
  proposeAgain: { keyspaces: [...proposeAgain.keyspaces], reason: proposeAgain.reason },
});

/** An error as the bytes of an ErrorDetail. */
export const encodeError = (thrown: unknown): Buffer => {
  const { code, message, field = '', limit = '', remedy = '', info } = CadastreError.from(thrown);
  return detail.encode({ code, message, field, limit, remedy, ...infoFields(info) });
};

export const toStatus = (thrown: unknown): StatusObject => {
  const error = CadastreError.from(thrown);
  const metadata = new Metadata();
  metadata.set(TRAILER, encodeError(error));
  return { code: STATUS_OF[error.code], details: error.message, metadata };
};

/** The code of ours that a status carries, or gRPC's own name. */
export const codeOfStatus = ({ code, metadata }: Partial<StatusObject>): string => {
  const bytes = metadata?.get(TRAILER)[0];
  return Buffer.isBuffer(bytes) ? detail.decode(bytes).code : (Status[code ?? Status.UNKNOWN] ?? 'UNKNOWN');
};

/** Codes that a transport gives without a word of ours. UNAVAILABLE after the request left is for the caller to judge. */
const CODE_OF: Partial<Record<Status, ErrorCode>> = {
  [Status.CANCELLED]: 'CANCELLED',
  [Status.DEADLINE_EXCEEDED]: 'DEADLINE_EXCEEDED',
  [Status.UNAVAILABLE]: 'UNAVAILABLE',
  [Status.RESOURCE_EXHAUSTED]: 'RESOURCE_EXHAUSTED',
  [Status.UNIMPLEMENTED]: 'UNIMPLEMENTED',
  [Status.INVALID_ARGUMENT]: 'INVALID_ARGUMENT',
  [Status.PERMISSION_DENIED]: 'PERMISSION_DENIED',
  [Status.UNAUTHENTICATED]: 'UNAUTHENTICATED',
  [Status.INTERNAL]: 'UNAVAILABLE', // of the transport: a broken HTTP/2 stream
};

const REMEDY_OF: Partial<Record<Status, string>> = {
  [Status.UNAVAILABLE]: 'check that the address is right and the server is up',
  [Status.RESOURCE_EXHAUSTED]: 'make the message smaller: one has at most 8 MiB',
  [Status.UNIMPLEMENTED]: 'check that the address is that of the right kind of server, and of the same version',
};

/** Marks in the words of a connection that was not made because of a certificate; see `tls/channel-credentials.ts`. */
const DISTRUST: readonly (readonly [mark: string, remedy: string])[] = [
  [
    'server certificate: ',
    'renew the file that its --tls-cert names, or check that --tls-ca and the address are right',
  ],
  ['own certificate: ', 'renew that file'],
];

const distrustOf = (error: ServiceError): CadastreError | undefined => {
  for (const [mark, remedy] of DISTRUST) {
    const at = error.code === Status.UNAVAILABLE ? error.details.indexOf(mark) : -1;
    if (at < 0) continue;
    const message = error.details.slice(at).replace(/\s*Resolution note:.*$/s, '');
    return new CadastreError('UNAVAILABLE', message, { field: 'certificate', remedy, cause: error });
  }
  return undefined;
};

/** The single place where a failed call becomes an error of ours. */
export const fromServiceError = (error: ServiceError): CadastreError => {
  const bytes = error.metadata?.get(TRAILER)[0];
  if (!Buffer.isBuffer(bytes)) {
    const distrust = distrustOf(error);
    if (distrust) return distrust;
    const remedy = REMEDY_OF[error.code];
    return new CadastreError(CODE_OF[error.code] ?? 'UNKNOWN_OUTCOME', error.details || error.message, {
      cause: error,
      ...(remedy && { remedy }),
    });
  }
  return decodeError(bytes, error);
};

/** The other way round of `encodeError`. @throws Error when the bytes are no ErrorDetail */
export const decodeError = (bytes: Uint8Array, cause?: unknown): CadastreError => {
  const d = detail.decode(bytes);
  const code = (ERROR_CODES as readonly string[]).includes(d.code) ? (d.code as ErrorCode) : 'INTERNAL';
  return answered(
    new CadastreError(code, d.message, {
      ...(d.field && { field: d.field }),
      ...(d.limit && { limit: d.limit }),
      ...(d.remedy && { remedy: d.remedy }),
      ...(infoOf(d) !== undefined && { info: infoOf(d) }),
      ...(cause !== undefined && { cause }),
    }),
  );
};

const answers = new WeakSet<CadastreError>();

/** Marks an error as the word of who was asked, or of who knows that the request never left. */
export const answered = (error: CadastreError): CadastreError => {
  answers.add(error);
  return error;
};

/** Whether the error means what its code says. Otherwise the way there broke, and what was asked for may have happened. */
export const isAnswer = (error: CadastreError): boolean => answers.has(error);

const infoOf = (d: ErrorDetail__Output): OwnerInfo | ActiveInfo | StaleInfo | undefined => {
  if (d.code === 'NOT_ACTIVE') return { activeAddress: d.activeAddress };
  if (d.proposeAgain) return { changes: d.changes, proposeAgain: d.proposeAgain };
  if (!d.record) return undefined;
  return {
    keyspace: d.keyspace,
    record: decodeRecord(d.record),
    ...(d.generation && { generation: decodeGeneration(d.generation) }),
    leaderAddress: d.leaderAddress,
    ...(d.mayHaveHappened && { mayHaveHappened: true as const }),
    ...(d.held && { held: true as const }),
  };
};
