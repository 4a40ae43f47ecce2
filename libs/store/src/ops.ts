import type { Compare, CompareOperator, DeleteOp, GetOp, LeaseId, PutOp, Revision } from './store.js';

export const op = {
  put: (key: string, value: Uint8Array, leaseId?: LeaseId): PutOp =>
    leaseId === undefined ? { kind: 'put', key, value } : { kind: 'put', key, value, leaseId },
  delete: (key: string): DeleteOp => ({ kind: 'delete', key }),
  deletePrefix: (prefix: string): DeleteOp => ({ kind: 'delete', prefix }),
  get: (key: string): GetOp => ({ kind: 'get', key }),
  getPrefix: (prefix: string): GetOp => ({ kind: 'get', prefix }),
} as const;

export const compare = {
  absent: (key: string): Compare => ({ target: 'createRevision', key, op: '=', value: 0n }),
  exists: (key: string): Compare => ({ target: 'createRevision', key, op: '>', value: 0n }),
  modRevision: (key: string, value: Revision, operator: CompareOperator = '='): Compare => ({
    target: 'modRevision',
    key,
    op: operator,
    value,
  }),
  createRevision: (key: string, value: Revision, operator: CompareOperator = '='): Compare => ({
    target: 'createRevision',
    key,
    op: operator,
    value,
  }),
  version: (key: string, value: bigint, operator: CompareOperator = '='): Compare => ({
    target: 'version',
    key,
    op: operator,
    value,
  }),
  lease: (key: string, value: LeaseId, operator: CompareOperator = '='): Compare => ({
    target: 'lease',
    key,
    op: operator,
    value,
  }),
  value: (key: string, value: Uint8Array, operator: CompareOperator = '='): Compare => ({
    target: 'value',
    key,
    op: operator,
    value,
  }),
} as const;
