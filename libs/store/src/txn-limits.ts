import { invalid } from '@cadastre/core';
import type { Compare, Op, PutOp, Txn } from './store.js';

/** etcd's `--max-txn-ops` default: compares, success ops and failure ops are counted apart. */
export const MAX_TXN_OPS = 128;
/** etcd's `--max-request-bytes` default. */
export const MAX_TXN_BYTES = 1.5 * 1024 * 1024;
/** Field tags, lengths, lease number and request header around one op. */
const OP_OVERHEAD_BYTES = 24;
const REQUEST_OVERHEAD_BYTES = 256;

/** Holds a transaction against etcd's limits before it is sent. @throws CadastreError INVALID_ARGUMENT */
export function checkTxn(txn: Txn, namespace = ''): void {
  for (const branch of ['compare', 'success', 'failure'] as const) {
    const count = txn[branch]?.length ?? 0;
    if (count > MAX_TXN_OPS)
      throw invalid(
        branch,
        `${count} operations in one transaction`,
        'split the change, or pack records together',
        `${MAX_TXN_OPS} operations`,
      );
  }
  for (const item of [...txn.compare, ...txn.success, ...(txn.failure ?? [])]) checkKey(item);
  checkDuplicates('success', txn.success);
  checkDuplicates('failure', txn.failure ?? []);
  const bytes = txnBytes(txn, Buffer.byteLength(namespace));
  if (bytes > MAX_TXN_BYTES)
    throw invalid('success', `${bytes} bytes in one transaction`, 'split the change', `${MAX_TXN_BYTES} bytes`);
}

const checkKey = (item: Compare | Op): void => {
  if ('key' in item && item.key === '') throw invalid('key', 'is empty', 'name a key');
};

function checkDuplicates(branch: string, ops: readonly Op[]): void {
  const puts = new Set<string>();
  for (const put of ops) {
    if (put.kind !== 'put') continue;
    if (puts.has(put.key)) throw duplicate(branch, put.key);
    puts.add(put.key);
  }
  for (const remove of ops) {
    if (remove.kind !== 'delete') continue;
    const clash =
      'key' in remove ? (puts.has(remove.key) ? remove.key : undefined) : firstWithPrefix(ops, remove.prefix);
    if (clash !== undefined) throw duplicate(branch, clash);
  }
}

const firstWithPrefix = (ops: readonly Op[], prefix: string): string | undefined =>
  ops.find((candidate): candidate is PutOp => candidate.kind === 'put' && candidate.key.startsWith(prefix))?.key;

const duplicate = (branch: string, key: string) =>
  invalid(branch, `key ${key} is written twice`, 'write each key once in a transaction');

function txnBytes(txn: Txn, namespaceBytes: number): number {
  let bytes = REQUEST_OVERHEAD_BYTES;
  for (const item of [...txn.compare, ...txn.success, ...(txn.failure ?? [])]) {
    bytes += OP_OVERHEAD_BYTES + namespaceBytes + Buffer.byteLength('key' in item ? item.key : item.prefix);
    if ('value' in item && typeof item.value !== 'bigint') bytes += item.value.length;
  }
  return bytes;
}
