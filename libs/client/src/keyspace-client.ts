import type { KeyspaceMap } from '@cadastre/core';
import { checkKey, checkName, checkValue } from '@cadastre/core';
import type { CallLimits, Peer, Wire } from '@cadastre/contracts';
import { callUnary } from '@cadastre/contracts';
import type { BatchOp, BatchPart, BatchResult } from './batch.js';
import { compileBatch, settleBatch, splitBatch } from './batch.js';
import { BulkWriter } from './bulk-writer.js';
import type { Bytes } from './bytes.js';
import { toBytes } from './bytes.js';
import type { Entry } from './merge.js';
import { Gate } from './merge.js';
import type { Effect } from './retry-policy.js';
import type { RequestOptions, Router } from './router.js';
import type { Page, ReadPage, ScanOptions } from './scan.js';
import { compileRange, scanEntries } from './scan.js';

/** What a write returns: where it lies in its partition's log. */
export interface WriteResult {
  readonly epoch: number;
  readonly seq: number;
}

/** What a keyspace needs of the client that it belongs to. */
export interface KeyspaceHost {
  readonly router: Router;
  /** @throws CadastreError NOT_FOUND, or UNAVAILABLE while no control plane has answered */
  mapOf(keyspace: string, options: RequestOptions): Promise<KeyspaceMap>;
  /** "client:number": the same for all attempts of one write. */
  nextRequestId(): string;
}

const BATCH_CONCURRENCY = 16;

/**
 * Reads and writes of one keyspace. Keys have 1 to 4096 bytes, values up to 1 MiB; text is UTF-8. A write that returns is held by
 * every in-sync replica. Errors are CadastreErrors; after DEADLINE_EXCEEDED of a write `info.mayHaveHappened` says whether to look.
 */
export class KeyspaceClient {
  constructor(
    readonly name: string,
    private readonly host: KeyspaceHost,
  ) {
    checkName('keyspace', name);
  }

  /** @returns the value, or undefined when there is none */
  async get(key: Bytes, options: RequestOptions = {}): Promise<Uint8Array | undefined> {
    const bytes = keyBytes(key);
    const reply = await this.routed('get', 'read', bytes, options, (peer, target, limits) =>
      callUnary<Wire.GetRequest, Wire.GetReply__Output>(peer.kv, peer.kv.Get, { target, key: bytes }, limits),
    );
    return reply.found ? reply.value : undefined;
  }

  async put(key: Bytes, value: Bytes, options: RequestOptions = {}): Promise<WriteResult> {
    const bytes = keyBytes(key);
    const content = toBytes('value', value);
    checkValue(content);
    const requestId = this.host.nextRequestId();
    return this.routed('put', 'write', bytes, options, (peer, target, limits) =>
      callUnary<Wire.PutRequest, Wire.WriteReply__Output>(
        peer.kv,
        peer.kv.Put,
        { target, requestId, key: bytes, value: content },
        limits,
      ),
    );
  }

  /** Deleting what is not there succeeds. */
  async delete(key: Bytes, options: RequestOptions = {}): Promise<WriteResult> {
    const bytes = keyBytes(key);
    const requestId = this.host.nextRequestId();
    return this.routed('delete', 'write', bytes, options, (peer, target, limits) =>
      callUnary<Wire.DeleteRequest, Wire.WriteReply__Output>(
        peer.kv,
        peer.kv.Delete,
        { target, requestId, key: bytes },
        limits,
      ),
    );
  }

  /**
   * Up to 1000 operations and 2 MiB. NOT atomic as a whole: it is split by partition, and each part happens all or not at all.
   * When a part fails, the error's `info` (BatchFailure) says which operations were applied and which were not.
   */
  async batch(ops: readonly BatchOp[], options: RequestOptions = {}): Promise<BatchResult> {
    const compiled = compileBatch(ops);
    const parts = splitBatch(await this.host.mapOf(this.name, options), compiled);
    const gate = new Gate(BATCH_CONCURRENCY);
    return settleBatch(
      parts,
      await Promise.allSettled(parts.map((part) => gate.run(() => this.sendPart(part, options)))),
    );
  }

  /** For loading: many writes in few requests. */
  bulkWriter(options: RequestOptions = {}): BulkWriter {
    return new BulkWriter({
      map: () => this.host.mapOf(this.name, options),
      send: (part) => this.sendPart(part, options),
    });
  }

  /** Entries in key order. A hash-partitioned keyspace asks all partitions and merges; an ordered one goes through them in turn. */
  async *scan(options: ScanOptions = {}): AsyncGenerator<Entry> {
    const range = compileRange(options);
    const requestOptions = options.signal ? { signal: options.signal } : {};
    const map = await this.host.mapOf(this.name, requestOptions);
    yield* scanEntries(map, range, this.pageReader(requestOptions));
  }

  private sendPart({ partition, ops }: BatchPart, options: RequestOptions): Promise<WriteResult> {
    const requestId = this.host.nextRequestId();
    const send = (peer: Peer, target: Wire.Target, limits: CallLimits) =>
      callUnary<Wire.BatchRequest, Wire.WriteReply__Output>(
        peer.kv,
        peer.kv.Batch,
        { target, requestId, ops: [...ops] },
        limits,
      );
    return this.host.router.call({ verb: 'batch', effect: 'write', keyspace: this.name, partition, send }, options);
  }

  private pageReader(options: RequestOptions): ReadPage {
    return async (partition, start, end, limit): Promise<Page> => {
      const send = (peer: Peer, target: Wire.Target, limits: CallLimits) =>
        callUnary<Wire.ScanRequest, Wire.ScanReply__Output>(
          peer.kv,
          peer.kv.Scan,
          { target, start, end: end ?? new Uint8Array(), limit },
          limits,
        );
      const reply = await this.host.router.call(
        { verb: 'scan', effect: 'read', keyspace: this.name, partition, send },
        options,
      );
      return { entries: reply.entries, next: reply.more ? reply.next : undefined };
    };
  }

  private async routed<Reply>(
    verb: string,
    effect: Effect,
    key: Uint8Array,
    options: RequestOptions,
    send: (peer: Peer, target: Wire.Target, limits: CallLimits) => Promise<Reply>,
  ): Promise<Reply> {
    const map = await this.host.mapOf(this.name, options);
    return this.host.router.call({ verb, effect, keyspace: this.name, partition: map.partitionOf(key), send }, options);
  }
}

const keyBytes = (key: Bytes): Uint8Array => {
  const bytes = toBytes('key', key);
  checkKey(bytes);
  return bytes;
};
