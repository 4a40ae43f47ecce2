import { CadastreError, invalid } from '@cadastre/core';
import { MAX_KEY_BYTES, MAX_VALUE_BYTES, type LogEntry, type PartitionId, type PartitionState } from '../engine.js';
import type { Partition } from './partition.js';

export const MAX_REQUEST_ID_BYTES = 256;

export const nameOf = (id: PartitionId): string => `${id.keyspace}/${id.partition}`;

export const refuse = (field: string, message: string, remedy: string): CadastreError =>
  new CadastreError('FAILED_PRECONDITION', message, { field, remedy });

export const checkKey = (key: Uint8Array): void => {
  if (key.length >= 1 && key.length <= MAX_KEY_BYTES) return;
  throw invalid('key', `has ${key.length} bytes`, 'use a key within the limit', `1 to ${MAX_KEY_BYTES} bytes`);
};

export const checkPair = (key: Uint8Array, value: Uint8Array): void => {
  checkKey(key);
  if (value.length > MAX_VALUE_BYTES)
    throw invalid('value', `has ${value.length} bytes`, 'split the value', `${MAX_VALUE_BYTES} bytes`);
};

export const checkNumber = (field: string, value: number, least = 0): void => {
  if (!Number.isSafeInteger(value) || value < least)
    throw invalid(field, `is ${value}`, `give a whole number from ${least} up`);
};

export const checkId = (id: PartitionId): void => {
  const length = Buffer.byteLength(id.keyspace);
  if (length < 1 || length > 255)
    throw invalid('keyspace', `has ${length} bytes`, 'use a name within the limit', '1 to 255 bytes');
  checkNumber('partition', id.partition);
};

export const checkEntries = (partition: Partition, entries: readonly LogEntry[]): void => {
  entries.forEach((entry, index) => {
    const wanted = partition.lastSeq + 1 + index;
    if (entry.seq !== wanted)
      throw refuse(
        'seq',
        `${nameOf(partition.id)}: entry ${entry.seq} where ${wanted} is next`,
        'append in order, without gaps',
      );
    checkNumber('epoch', entry.epoch);
    if (Buffer.byteLength(entry.requestId) > MAX_REQUEST_ID_BYTES)
      throw invalid('requestId', 'is too long', 'shorten it', `${MAX_REQUEST_ID_BYTES} bytes`);
    for (const op of entry.ops) op.kind === 'put' ? checkPair(op.key, op.value) : checkKey(op.key);
  });
};

export const checkState = (partition: Partition, ...wanted: readonly PartitionState[]): void => {
  if (wanted.includes(partition.state)) return;
  throw refuse(
    'state',
    `${nameOf(partition.id)} is ${partition.state}, not ${wanted.join(' or ')}`,
    `bring it to state ${wanted[0]} first`,
  );
};
