import { CadastreError } from '@cadastre/core';
import type {
  Compare,
  CompareOperator,
  KeyValue,
  Op,
  OpResult,
  RangeOptions,
  Txn,
  TxnOutcome,
  WatchEvent,
} from '../store.js';
import type { WireEvent, WireKeyValue, WireOpResponse, WireTxnResponse } from './wire.js';

// Enum values go out as numbers: the loader turns a name that it does not know into 0 without a word.
const RESULTS: Record<CompareOperator, number> = { '=': 0, '>': 1, '<': 2, '!=': 3 };
const TARGETS = {
  version: { target: 0, field: 'version' },
  createRevision: { target: 1, field: 'create_revision' },
  modRevision: { target: 2, field: 'mod_revision' },
  value: { target: 3, field: 'value' },
  lease: { target: 4, field: 'lease' },
} as const;
const EVENT_TYPES: Record<string, 'put' | 'delete'> = { Put: 'put', Delete: 'delete' };
const NOTHING = new Uint8Array(0);

/** Translates between the port and etcd's messages, and puts every key under `namespace`. */
export class EtcdCodec {
  private readonly namespaceBytes: number;

  constructor(private readonly namespace: string) {
    this.namespaceBytes = Buffer.byteLength(namespace);
  }

  key(key: string): Buffer {
    return Buffer.from(this.namespace + key);
  }

  /** `[key, range_end)` of all keys that begin with `prefix`; `after` continues behind a key that has been read. */
  prefix(prefix: string, after?: string): { key: Buffer; range_end: Buffer } {
    const begin = this.key(prefix);
    const key =
      after === undefined
        ? begin.length === 0
          ? Buffer.of(0)
          : begin
        : Buffer.concat([this.key(after), Buffer.of(0)]);
    return { key, range_end: endOfPrefix(begin) };
  }

  range(prefix: string, options: RangeOptions): object {
    return {
      ...this.prefix(prefix, options.after),
      limit: options.limit ?? 0,
      keys_only: options.keysOnly ?? false,
      revision: (options.revision ?? 0n).toString(),
    };
  }

  txn(txn: Txn): object {
    return {
      compare: txn.compare.map((item) => this.compare(item)),
      success: txn.success.map((change) => this.op(change)),
      failure: (txn.failure ?? []).map((change) => this.op(change)),
    };
  }

  outcome(wire: WireTxnResponse): TxnOutcome {
    return {
      kind: wire.succeeded ? 'committed' : 'conflict',
      revision: BigInt(wire.header.revision),
      results: wire.responses.map((response) => this.result(response)),
    };
  }

  keyValue(wire: WireKeyValue): KeyValue {
    return {
      key: wire.key.toString('utf8', this.namespaceBytes),
      value: wire.value,
      version: BigInt(wire.version),
      createRevision: BigInt(wire.create_revision),
      modRevision: BigInt(wire.mod_revision),
      leaseId: BigInt(wire.lease),
    };
  }

  event(wire: WireEvent): WatchEvent {
    const type = EVENT_TYPES[wire.type];
    if (!type) throw new CadastreError('INTERNAL', `etcd sent an event of unknown type ${wire.type}`);
    const kv = this.keyValue(wire.kv);
    return { type, kv: type === 'delete' ? { ...kv, value: NOTHING } : kv };
  }

  private compare(item: Compare): object {
    const { target, field } = TARGETS[item.target];
    const value = typeof item.value === 'bigint' ? item.value.toString() : item.value;
    return { result: RESULTS[item.op], target, key: this.key(item.key), [field]: value };
  }

  private op(change: Op): object {
    if (change.kind === 'put') {
      return {
        request_put: { key: this.key(change.key), value: change.value, lease: (change.leaseId ?? 0n).toString() },
      };
    }
    const where = 'key' in change ? { key: this.key(change.key) } : this.prefix(change.prefix);
    return change.kind === 'get' ? { request_range: where } : { request_delete_range: where };
  }

  private result(wire: WireOpResponse): OpResult {
    if (wire.response === 'response_range')
      return { kind: 'get', kvs: (wire.response_range?.kvs ?? []).map((kv) => this.keyValue(kv)) };
    if (wire.response === 'response_delete_range')
      return { kind: 'delete', deleted: Number(wire.response_delete_range?.deleted ?? 0) };
    return { kind: 'put' };
  }
}

/** The first key after all those that begin with `prefix`; a single zero byte means "to the end". */
export function endOfPrefix(prefix: Uint8Array): Buffer {
  for (let index = prefix.length - 1; index >= 0; index -= 1) {
    const byte = prefix[index] as number;
    if (byte < 0xff) return Buffer.concat([prefix.subarray(0, index), Buffer.of(byte + 1)]);
  }
  return Buffer.of(0);
}
