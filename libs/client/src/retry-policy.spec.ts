import { describe, expect, it } from '@jest/globals';
import { CadastreError, newRecord } from '@cadastre/core';
import { decodeError, encodeError } from '@cadastre/contracts';
import { judge } from './retry-policy.js';

const moved = (mayHaveHappened: boolean): CadastreError => {
  const info = { keyspace: 'k', record: newRecord(0, ['a']), ...(mayHaveHappened && { mayHaveHappened: true }) };
  return decodeError(encodeError(new CadastreError('NOT_OWNER', 'led by a', { info })));
};

describe('what a redirection says of a write', () => {
  // Plan: a leader that loses its place with the write in its log says so over the wire; only then is the outcome unknown, and never for a read.
  it('leaves it unknown only where the write is in a log', () => {
    expect(judge(moved(true), 'write')).toMatchObject({ kind: 'redirected', unknown: true });
    expect(judge(moved(false), 'write')).toMatchObject({ kind: 'redirected', unknown: false });
    expect(judge(moved(true), 'read')).toMatchObject({ kind: 'redirected', unknown: false });
  });
});
