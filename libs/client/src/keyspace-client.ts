import type { KeyspaceMap } from '@cadastre/core';
import { checkKey, checkName, checkValue, compareBytes } from '@cadastre/core';
import type { KvKind, KvOp, KvReplies, Wire } from '@cadastre/contracts';
import type { BatchOp, BatchPart, BatchResult } from './batch.js';
import { compileBatch, settleBatch, splitBatch } from './batch.js';
import { BulkWriter } from './bulk-writer.js';
import type { Bytes } from './bytes.js';
import { toBytes } from './bytes.js';
import type { Entry } from './merge.js';
import { Gate } from './merge.js';
import type { ReadOptions } from './replica-reads.js';
import { compileRead } from './replica-reads.js';
import type { Effect } from './retry-policy.js';
import type { RequestOptions, Router } from './router.js';
import type { Page, ReadPage, ScanOptions, ScanRange } from './scan.js';
import { compileRange, scanEntries } from './scan.js';
import type { ScatterOptions } from './scatter.js';
import { compileScatter, Scatter } from './scatter.js';

/** What a write returns: where it lies in its partition's log. */
export interface WriteResult {
  readonly epoch: number;
  readonly seq: number;
}

/** What a write may be told besides. */
export interface WriteOptions extends RequestOptions {
  /** "client:number" of who asks through this client: a write with the same id takes effect once. */
  readonly requestId?: string;
}

/** What a read returns. */
export interface ReadResult {
  /** Undefined when there is none. */
  readonly value: Uint8Array | undefined;
  /** Every write that was acknowledged longer ago than this is in it; 0 of the leader's answers, which are linearizable. */
  readonly stalenessMs: number;
  readonly fromFollower: boolean;
}

/** What a keyspace needs of the client that it belongs to. */
export interface KeyspaceHost {
  readonly router: Router;
  /** The map as it is known now. */
  current(): KeyspaceMap | undefined;
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
  async get(key: Bytes, options: ReadOptions = NONE): Promise<Uint8Array | undefined> {
    return (await this.read(key, options)).value;
  }

  /** As `get`, with what is known of the answer's age. */
  async read(key: Bytes, options: ReadOptions = NONE): Promise<ReadResult> {
    const bytes = keyBytes(key);
    const map = this.host.current() ?? (await this.host.mapOf(this.name, options));
    this.host.router.tally('read', 1);
    const reply = await this.host.router.call(
      {
        kind: 'get',
        effect: 'read',
        keyspace: this.name,
        partition: map.partitionOf(bytes),
        read: options === NONE ? undefined : compileRead(options),
        at: (target, staleMs) => ({
          kind: 'get',
          request:
            staleMs === undefined
              ? { target, key: bytes }
              : { target, key: bytes, follower: true, maxStalenessMs: staleMs },
        }),
      },
      options,
    );
    const value = reply.found ? ownBytes(reply.value) : undefined;
    // An epoch comes with a follower's answer only.
    return { value, stalenessMs: reply.epoch === 0 ? 0 : reply.stalenessMs, fromFollower: reply.epoch !== 0 };
  }

  async put(key: Bytes, value: Bytes, options: WriteOptions = NONE): Promise<WriteResult> {
    const bytes = keyBytes(key);
    const content = toBytes('value', value);
    checkValue(content);
    const requestId = options.requestId ?? this.host.nextRequestId();
    return this.routed('put', 'write', bytes, options, (target) => ({
      kind: 'put',
      request: { target, requestId, key: bytes, value: content },
    }));
  }

  /** Deleting what is not there succeeds. */
  async delete(key: Bytes, options: WriteOptions = NONE): Promise<WriteResult> {
    const bytes = keyBytes(key);
    const requestId = options.requestId ?? this.host.nextRequestId();
    return this.routed('delete', 'write', bytes, options, (target) => ({
      kind: 'delete',
      request: { target, requestId, key: bytes },
    }));
  }

  /**
   * Up to 1000 operations and 2 MiB. NOT atomic as a whole: it is split by partition, and each part happens all or not at all.
   * When a part fails, the error's `info` (BatchFailure) says which operations were applied and which were not.
   */
  async batch(ops: readonly BatchOp[], options: RequestOptions = {}): Promise<BatchResult> {
    const compiled = compileBatch(ops);
    const parts = splitBatch(await this.host.mapOf(this.name, options), compiled);
    this.host.router.tally('write', parts.length);
    const gate = new Gate(BATCH_CONCURRENCY);
    return settleBatch(
      parts,
      await Promise.allSettled(parts.map((part) => gate.run(() => this.sendPart(part, options, parts)))),
    );
  }

  /** For loading: many writes in few requests. */
  bulkWriter(options: RequestOptions = {}): BulkWriter {
    const flow = {};
    return new BulkWriter({
      map: () => this.host.mapOf(this.name, options),
      send: (part) => {
        this.host.router.tally('write', 1);
        return this.sendPart(part, options, flow);
      },
    });
  }

  /** Entries in key order. A hash-partitioned keyspace asks all partitions and merges; an ordered one goes through them in turn. */
  async *scan(options: ScanOptions = {}): AsyncGenerator<Entry> {
    const range = compileRange(options);
    const map = await this.host.mapOf(this.name, requestOptionsOf(options));
    this.tallyRead(map, range);
    yield* scanEntries(map, range, this.pageReader(options));
  }

  /** For questions to many partitions: bounded, streaming, in key order or as they come, with a report of what failed. */
  scatter(options: ScatterOptions = {}): Scatter {
    const read = this.pageReader(options);
    const compiled = compileScatter(options);
    return new Scatter(compiled, async () => {
      const map = await this.host.mapOf(this.name, requestOptionsOf(options));
      this.tallyRead(map, compiled.range);
      return { map, read };
    });
  }

  private tallyRead(map: KeyspaceMap, { start, end }: ScanRange): void {
    const empty = end !== undefined && compareBytes(start, end) >= 0;
    this.host.router.tally('read', empty ? 0 : map.partitionsFor(start, end).length);
  }

  private sendPart({ partition, ops }: BatchPart, options: RequestOptions, flow: object): Promise<WriteResult> {
    const requestId = this.host.nextRequestId();
    return this.host.router.call(
      {
        kind: 'batch',
        effect: 'write',
        keyspace: this.name,
        partition,
        flow,
        at: (target) => ({ kind: 'batch', request: { target, requestId, ops } }),
      },
      options,
    );
  }

  private pageReader({ signal, from, maxStalenessMs }: ScanOptions): ReadPage {
    const flow = {};
    const options = requestOptionsOf({ signal });
    const wanted = compileRead({ ...(from && { from }), ...(maxStalenessMs !== undefined && { maxStalenessMs }) });
    return async (partition, start, end, limit): Promise<Page> => {
      const reply = await this.host.router.call(
        {
          kind: 'scan',
          effect: 'read',
          keyspace: this.name,
          partition,
          flow,
          read: wanted,
          at: (target, staleMs) => ({
            kind: 'scan',
            request: {
              target,
              start,
              end: end ?? EMPTY,
              limit,
              reverse: false,
              follower: staleMs !== undefined,
              maxStalenessMs: staleMs ?? 0,
            },
          }),
        },
        options,
      );
      return { entries: reply.entries, next: reply.more ? reply.next : undefined };
    };
  }

  private async routed<K extends KvKind>(
    kind: K,
    effect: Effect,
    key: Uint8Array,
    options: RequestOptions,
    at: (target: Wire.Target__Output) => KvOp,
  ): Promise<KvReplies[K]> {
    const map = this.host.current() ?? (await this.host.mapOf(this.name, options));
    this.host.router.tally(effect, 1);
    return this.host.router.call({ kind, effect, keyspace: this.name, partition: map.partitionOf(key), at }, options);
  }
}

const NONE = {};
const requestOptionsOf = ({ signal }: { signal?: AbortSignal | undefined }): RequestOptions =>
  signal ? { signal } : {};
const EMPTY = new Uint8Array();
/** Below so many bytes a frame is not worth freeing. */
const SMALL_FRAME_BYTES = 1024;

/** Replies are views of their frame: a small value is copied, so that who keeps it does not keep the frame. */
const ownBytes = (value: Uint8Array): Uint8Array =>
  value.buffer.byteLength > SMALL_FRAME_BYTES + 4 * value.length ? Buffer.from(value) : value;

const keyBytes = (key: Bytes): Uint8Array => {
  const bytes = toBytes('key', key);
  checkKey(bytes);
  return bytes;
};
