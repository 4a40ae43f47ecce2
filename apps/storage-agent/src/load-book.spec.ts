import { describe, expect, it } from '@jest/globals';
import { latencyBucketOf } from '@cadastre/core';
import type { ReceivedOp } from '@cadastre/contracts';
import { LoadBook } from './load-book.js';

const op = (kind: ReceivedOp['kind'], partition: number, ops = 0): ReceivedOp =>
  ({ kind, request: { target: { keyspace: 'k', partition }, ops: Array.from({ length: ops }) } }) as never;

describe('the load of an agent', () => {
  it('counts what each partition has answered, and how long that took', () => {
    // Plan: reads, writes and a batch of two partitions; the counts are told without the zeros around them, and only grow.
    const book = new LoadBook();
    book.note(op('get', 1), 0.01);
    book.note(op('scan', 1), 4);
    book.note(op('put', 1), 4);
    book.note(op('batch', 2, 25), 0.5);
    const first = book.report({ keyspace: 'k', partition: 1 });
    expect(first).toMatchObject({ reads: 2, writes: 1, latencyFirst: 0 });
    expect(first?.latencyCounts).toHaveLength(latencyBucketOf(4) + 1);
    expect(first?.latencyCounts?.at(-1)).toBe(2);
    expect(book.report({ keyspace: 'k', partition: 2 })).toEqual({
      reads: 0,
      writes: 25,
      latencyFirst: latencyBucketOf(0.5),
      latencyCounts: [1],
    });
    book.note(op('delete', 1), 4);
    expect(book.report({ keyspace: 'k', partition: 1 })).toMatchObject({ reads: 2, writes: 2 });
  });

  it('says nothing of what was never asked, or is gone', () => {
    // Plan: an unknown partition, and one that is forgotten; counting begins anew when it comes back.
    const book = new LoadBook();
    expect(book.report({ keyspace: 'k', partition: 1 })).toBeUndefined();
    book.note(op('get', 1), 1);
    book.forget({ keyspace: 'k', partition: 1 });
    expect(book.report({ keyspace: 'k', partition: 1 })).toBeUndefined();
    book.note(op('get', 1), 1);
    expect(book.report({ keyspace: 'k', partition: 1 })).toMatchObject({ reads: 1 });
  });
});
