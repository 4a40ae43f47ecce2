import type { ErrorCode } from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import type { StaleInfo } from '@cadastre/contracts';
import type { ProblemJson } from './schemas.js';

const STATUS_OF: Record<ErrorCode, number> = {
  INVALID_ARGUMENT: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  FAILED_PRECONDITION: 409,
  PLAN_STALE: 409,
  PLAN_CHANGED: 409,
  ILLEGAL_TRANSITION: 409,
  NOT_OWNER: 409,
  UNSATISFIABLE: 422,
  RESOURCE_EXHAUSTED: 429,
  CANCELLED: 499,
  DATA_LOSS: 500,
  INTERNAL: 500,
  UNIMPLEMENTED: 501,
  NOT_ACTIVE: 503,
  UNAVAILABLE: 503,
  UNKNOWN_OUTCOME: 504,
  DEADLINE_EXCEEDED: 504,
};

/** Errors of the HTTP layer itself, by status. */
const OF_HTTP: Readonly<Record<number, { readonly code: string; readonly remedy: string; readonly limit?: string }>> = {
  400: { code: 'INVALID_ARGUMENT', remedy: 'send well-formed JSON' },
  404: { code: 'NOT_FOUND', remedy: 'see /api/openapi.json for what there is' },
  405: { code: 'UNIMPLEMENTED', remedy: 'see /api/openapi.json for what there is' },
  413: { code: 'RESOURCE_EXHAUSTED', remedy: 'send a smaller body', limit: '1 MiB' },
  415: { code: 'INVALID_ARGUMENT', remedy: 'send JSON in UTF-8 with content-type: application/json' },
};

const titleOf = (code: string): string => code.charAt(0) + code.slice(1).toLowerCase().replaceAll('_', ' ');

const problem = (
  status: number,
  code: string,
  detail: string,
  rest: Pick<ProblemJson, 'field' | 'limit' | 'remedy' | 'changes' | 'proposeAgain'>,
): ProblemJson => ({
  type: `urn:cadastre:error:${code.toLowerCase().replaceAll('_', '-')}`,
  title: titleOf(code),
  status,
  code,
  detail,
  ...rest,
});

const httpStatusOf = (thrown: unknown): number | undefined => {
  if (typeof thrown !== 'object' || thrown === null) return undefined;
  const { status, statusCode, getStatus } = thrown as {
    status?: unknown;
    statusCode?: unknown;
    getStatus?: () => number;
  };
  const found = typeof getStatus === 'function' ? getStatus.call(thrown) : (status ?? statusCode);
  return typeof found === 'number' && found >= 400 && found < 600 ? found : undefined;
};

const staleFields = (info: unknown): Pick<ProblemJson, 'changes' | 'proposeAgain'> => {
  if (typeof info !== 'object' || info === null || !('proposeAgain' in info)) return {};
  const { changes, proposeAgain } = info as StaleInfo;
  const body = { keyspaces: [...proposeAgain.keyspaces], reason: proposeAgain.reason };
  return { changes: [...changes], proposeAgain: { method: 'POST', path: '/api/v1/plans', body } };
};

/** RFC 9457 for whatever was thrown. What is no error of ours and not of HTTP's is INTERNAL, without its words. */
export const problemOf = (caught: unknown): ProblemJson => {
  // NestJS wraps what is thrown before its own routes.
  const wrapped = caught instanceof Error && caught.name === 'HttpException' ? caught.cause : undefined;
  const thrown = wrapped instanceof CadastreError ? wrapped : caught;
  if (thrown instanceof CadastreError && thrown.code !== 'INTERNAL') {
    const { code, message, field, limit, remedy } = thrown;
    // Of what is edited, the version did not match: HTTP has a status of its own for that.
    const status = code === 'FAILED_PRECONDITION' && field === 'version' ? 412 : STATUS_OF[code];
    return problem(status, code, message, {
      ...staleFields(thrown.info),
      ...(field && { field }),
      ...(limit && { limit }),
      ...(remedy && { remedy }),
    });
  }
  const status = httpStatusOf(thrown);
  const known = status === undefined ? undefined : OF_HTTP[status];
  if (status !== undefined && known)
    return problem(status, known.code, (thrown as Error).message, {
      remedy: known.remedy,
      ...(known.limit && { limit: known.limit }),
    });
  return problem(500, 'INTERNAL', 'this is a fault of ours', {
    remedy: 'report it, with the line that the log has of this time',
  });
};
