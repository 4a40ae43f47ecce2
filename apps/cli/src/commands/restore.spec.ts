import { describe, expect, it } from '@jest/globals';
import { CadastreError } from '@cadastre/core';
import { forOperator } from './restore.js';

describe('restore', () => {
  it('says what to look at where no etcd answers', () => {
    // Plan: that error keeps its words and names the flags of TLS; any other stays the same object.
    const nobody = new CadastreError('UNAVAILABLE', 'no etcd endpoint can be reached: https://h:1', {
      remedy: 'retry',
    });
    expect(forOperator(nobody)).toMatchObject({
      message: nobody.message,
      field: '--etcd',
      remedy: expect.stringContaining('--etcd-tls-ca'),
    });
    for (const other of [new Error('no etcd endpoint'), new CadastreError('DATA_LOSS', 'torn', {})])
      expect(forOperator(other)).toBe(other);
  });
});
