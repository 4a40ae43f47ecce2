import { CadastreError } from '@cadastre/core';
import type { KvWitness } from '@cadastre/contracts';
import type { Logger } from '@cadastre/runtime';

/** What operators are asked about by the request's id: nobody knows what became of it, or it is our fault. */
const TOLD: readonly string[] = ['UNKNOWN_OUTCOME', 'DATA_LOSS', 'INTERNAL'];
/** Far above what a hand-off makes a request wait. */
const SLOW_MS = 1_000;

/** Says which requests went wrong or took long, by their id, partition and trace; of all others nothing. */
export const requestLog =
  (logger: Logger): KvWitness =>
  ({ kind, request }, tookMs, error, traceId) => {
    const code = error === undefined ? undefined : CadastreError.from(error).code;
    const told = code !== undefined && TOLD.includes(code);
    if (!told && tookMs < SLOW_MS) return;
    logger.warn(told ? 'request failed' : 'request took long', {
      event: told ? 'request-failed' : 'request-slow',
      kind,
      keyspace: request.target?.keyspace,
      partition: request.target?.partition,
      tookMs: Math.round(tookMs),
      ...('requestId' in request && { requestId: request.requestId }),
      ...(code !== undefined && { code }),
      ...(traceId !== undefined && { traceId }),
    });
  };
