import type { KeyspaceMap } from '@cadastre/core';
import { CadastreError, checkKey, checkValue, invalid, LIMITS } from '@cadastre/core';
import type { Bytes } from './bytes.js';
import { toBytes } from './bytes.js';

export type BatchOp =
  | { readonly type: 'put'; readonly key: Bytes; readonly value: Bytes }
  | { readonly type: 'delete'; readonly key: Bytes };

export interface CompiledOp {
  readonly delete: boolean;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** The operations of one partition: they happen all or not at all. */
export interface BatchPart {
  readonly partition: number;
  readonly ops: readonly CompiledOp[];
  /** Places in the batch as given. */
  readonly indices: readonly number[];
}

export interface BatchResult {
  /** Atomic parts into which the batch was split. */
  readonly partitions: number;
}

/** Comes as `info` with the error of a batch of which some parts failed. */
export interface BatchFailure {
  readonly applied: readonly number[];
  readonly failed: readonly {
    readonly indices: readonly number[];
    readonly partition: number;
    readonly error: CadastreError;
  }[];
}

/** @throws CadastreError INVALID_ARGUMENT naming the operation; nothing was sent then */
export const compileBatch = (ops: readonly BatchOp[]): CompiledOp[] => {
  if (ops.length === 0) throw invalid('ops', 'is empty', 'give at least one operation', `1 to ${LIMITS.batchOpsMax}`);
  if (ops.length > LIMITS.batchOpsMax)
    throw invalid('ops', `has ${ops.length} operations`, 'send several batches', `1 to ${LIMITS.batchOpsMax}`);
  const compiled = ops.map(compileOp);
  const bytes = compiled.reduce((sum, op) => sum + op.key.length + op.value.length, 0);
  if (bytes > LIMITS.batchBytesMax)
    throw invalid('ops', `hold ${bytes} bytes`, 'send several batches', `${LIMITS.batchBytesMax} bytes`);
  return compiled;
};

const compileOp = (op: BatchOp, i: number): CompiledOp => {
  const key = toBytes(`ops[${i}].key`, op.key);
  checkKey(key, `ops[${i}].key`);
  if (op.type === 'delete') return { delete: true, key, value: new Uint8Array() };
  if (op.type !== 'put')
    throw invalid(`ops[${i}].type`, `"${String((op as { type: unknown }).type)}" is unknown`, 'use put or delete');
  const value = toBytes(`ops[${i}].value`, op.value);
  checkValue(value, `ops[${i}].value`);
  return { delete: false, key, value };
};

/** The order of operations on the same key is kept: they are in the same part. */
export const splitBatch = (map: KeyspaceMap, ops: readonly CompiledOp[]): BatchPart[] => {
  const parts = new Map<number, { partition: number; ops: CompiledOp[]; indices: number[] }>();
  ops.forEach((op, index) => {
    const partition = map.partitionOf(op.key);
    const part = parts.get(partition) ?? { partition, ops: [], indices: [] };
    parts.set(partition, part);
    part.ops.push(op);
    part.indices.push(index);
  });
  return [...parts.values()];
};

/** @throws CadastreError with `info: BatchFailure` when a part failed */
export const settleBatch = (
  parts: readonly BatchPart[],
  results: readonly PromiseSettledResult<unknown>[],
): BatchResult => {
  const failed = parts.flatMap(({ indices, partition }, i) => {
    const result = results[i]!;
    return result.status === 'rejected' ? [{ indices, partition, error: CadastreError.from(result.reason) }] : [];
  });
  const first = failed[0]?.error;
  if (!first) return { partitions: parts.length };
  const applied = parts.filter((_, i) => results[i]!.status === 'fulfilled').flatMap((part) => part.indices);
  const info: BatchFailure = { applied, failed };
  const message = `${failed.length} of ${parts.length} parts of the batch failed, ${applied.length} operations were applied; first: ${first.message}`;
  throw new CadastreError(first.code, message, {
    field: 'ops',
    remedy: first.remedy ?? 'see info.failed for the operations to send again',
    info,
    cause: first,
  });
};
