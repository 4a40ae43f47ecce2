import { createPartitioner, LIMITS } from '@cadastre/core';
import type { Expected } from './refusal.js';
import { refused } from './refusal.js';
import { KEY, KEYSPACE, MIB, PARTITIONS, specOf } from './scene.js';

export type KvMethod = 'Get' | 'Put' | 'Delete' | 'Batch' | 'Scan';

const key = Buffer.from(KEY);
const write = { key, value: Buffer.from('x') };
const elsewhere = (): Buffer => {
  const { partitionOf } = createPartitioner(specOf().scheme);
  for (let i = 0; ; i += 1)
    if (partitionOf(Buffer.from(`other-${i}`)) !== partitionOf(key)) return Buffer.from(`other-${i}`);
};
const EPOCH = refused('INVALID_ARGUMENT', 'target.epoch', /map/);
const SCAN_LIMIT = refused('INVALID_ARGUMENT', 'limit', /go on from/);

/** To be sent to the leader of KEY, without a client; `target` is merged into the right one, null leaves it out. */
export const BAD_KV_REQUESTS: readonly [string, KvMethod, () => object, Expected][] = [
  [
    'an unknown keyspace',
    'Get',
    () => ({ target: { keyspace: 'nope', partition: 0, epoch: 1 }, key }),
    refused('NOT_FOUND', 'target.keyspace', /exists/),
  ],
  [
    'a partition out of range',
    'Get',
    () => ({ target: { keyspace: KEYSPACE, partition: PARTITIONS, epoch: 1 }, key }),
    refused('INVALID_ARGUMENT', 'target.partition', /compute the partition/),
  ],
  [
    'partition -1',
    'Get',
    () => ({ target: { keyspace: KEYSPACE, partition: -1, epoch: 1 }, key }),
    refused('INVALID_ARGUMENT', 'target.partition', /compute the partition/),
  ],
  ['no target', 'Put', () => ({ target: null, ...write }), refused('INVALID_ARGUMENT', 'target', /name keyspace/)],
  ['epoch 2^53', 'Get', () => ({ target: { epoch: 2 ** 53 }, key }), EPOCH],
  ['epoch 2^63', 'Put', () => ({ target: { epoch: 2 ** 63 }, ...write }), EPOCH],
  ['an empty key', 'Get', () => ({ key: Buffer.alloc(0) }), refused('INVALID_ARGUMENT', 'key', /at least 1 byte/)],
  [
    'a key of 5 KiB',
    'Put',
    () => ({ ...write, key: Buffer.alloc(5 * 1024, 1) }),
    refused('INVALID_ARGUMENT', 'key', /shorten/),
  ],
  [
    'a key of another partition',
    'Put',
    () => ({ ...write, key: elsewhere() }),
    refused('INVALID_ARGUMENT', 'key', /compute the partition/),
  ],
  [
    'a value of 2 MiB',
    'Put',
    () => ({ key, value: Buffer.alloc(2 * MIB) }),
    refused('INVALID_ARGUMENT', 'value', /split the value/),
  ],
  [
    'a message of 9 MiB',
    'Put',
    () => ({ key, value: Buffer.alloc(9 * MIB) }),
    refused('RESOURCE_EXHAUSTED', '', /smaller/),
  ],
  [
    'a long request id',
    'Put',
    () => ({ ...write, requestId: 'r'.repeat(129) }),
    refused('INVALID_ARGUMENT', 'request_id', /client:number/),
  ],
  ['a batch of nothing', 'Batch', () => ({ ops: [] }), refused('INVALID_ARGUMENT', 'ops', /at least one/)],
  [
    'a batch of 1001',
    'Batch',
    () => ({ ops: Array.from({ length: LIMITS.batchOpsMax + 1 }, () => write) }),
    refused('INVALID_ARGUMENT', 'ops', /split/),
  ],
  [
    'a batch of 3 MiB',
    'Batch',
    () => ({ ops: [1, 2, 3, 4].map(() => ({ key, value: Buffer.alloc(0.75 * MIB) })) }),
    refused('INVALID_ARGUMENT', 'ops', /split/),
  ],
  [
    'a batch with one bad key',
    'Batch',
    () => ({ ops: [write, { ...write, key: Buffer.alloc(0) }] }),
    refused('INVALID_ARGUMENT', 'ops[1].key', /at least 1 byte/),
  ],
  ['a scan of 0', 'Scan', () => ({ limit: 0 }), SCAN_LIMIT],
  ['a scan of 10,001', 'Scan', () => ({ limit: LIMITS.scanLimitMax + 1 }), SCAN_LIMIT],
  ['a scan of 2^32 - 1', 'Scan', () => ({ limit: 2 ** 32 - 1 }), SCAN_LIMIT],
  [
    'a scan backwards',
    'Scan',
    () => ({ limit: 1, start: Buffer.from('b'), end: Buffer.from('a') }),
    refused('INVALID_ARGUMENT', 'end', /start <= end/),
  ],
];
