import { describe, expect, it } from '@jest/globals';
import { CadastreError } from '@cadastre/core';
import type { ReceivedOp } from '@cadastre/contracts';
import { silentLogger } from '@cadastre/runtime';
import { requestLog } from './request-log.js';

describe('the log of requests', () => {
  // Plan: a fast one, a refused one, a slow read, a write of which nobody knows; the last two are told, by id, partition, code and trace.
  it('names those that are asked about', () => {
    const said: unknown[] = [];
    const witness = requestLog({ ...silentLogger, warn: (_, fields) => void said.push(fields) });
    const target = { keyspace: 'ks', partition: 3 };
    const put = { kind: 'put', request: { target, requestId: 'c:1' } } as ReceivedOp;
    const get = { kind: 'get', request: { target } } as ReceivedOp;
    witness(put, 3, undefined, undefined);
    witness(put, 3, new CadastreError('NOT_OWNER', 'elsewhere'), undefined);
    witness(get, 1_500.4, undefined, undefined);
    witness(put, 20, new CadastreError('UNKNOWN_OUTCOME', 'who knows'), 'abc');
    const place = { keyspace: 'ks', partition: 3 };
    expect(said).toEqual([
      { event: 'request-slow', kind: 'get', ...place, tookMs: 1_500 },
      {
        event: 'request-failed',
        kind: 'put',
        ...place,
        tookMs: 20,
        requestId: 'c:1',
        code: 'UNKNOWN_OUTCOME',
        traceId: 'abc',
      },
    ]);
  });
});
