import { setTimeout as sleep } from 'node:timers/promises';
import type { KeyspaceSpec, NodeEntry, PartitionRecord } from '@cadastre/core';
import { CadastreError, compareBytes, KeyspaceMap, leaderOf, newRecord, partitionCount } from '@cadastre/core';
import { systemClock } from '@cadastre/runtime';
import type { DuplexCall, KvReply, OwnerInfo, ReceivedOp, Wire } from '@cadastre/contracts';
import {
  decodeKnown,
  encodeDelta,
  encodeProgress,
  encodeSnapshot,
  endWithError,
  GrpcServer,
  kvService,
  kvSurface,
  mapService,
  streaming,
  unary,
} from '@cadastre/contracts';

/** Test-only: control planes and storage agents in this process, on real sockets, doing what a test tells them. */
export type WatchCall = DuplexCall<Wire.WatchMapRequest__Output, Buffer>;
export type WatchScript = (call: WatchCall, subscribe: Wire.Subscribe__Output) => void;

export class FakeControlPlane {
  readonly subscriptions: Wire.Subscribe__Output[] = [];
  readonly applied: string[] = [];
  readonly calls = new Set<WatchCall>();
  clusterId = 'cluster-1';
  /** What a stream is given at its beginning; replaced by tests. */
  script: WatchScript = (call) => this.sendAll(call);
  private server: GrpcServer | undefined;
  address = '';

  constructor(readonly maps: KeyspaceMap[] = []) {}

  async listen(port = 0): Promise<this> {
    const watch = streaming<never>((call: WatchCall) => this.onWatch(call));
    this.server = new GrpcServer().add(mapService, { WatchMap: watch as never, Locate: unary(() => ({})) as never });
    this.address = `127.0.0.1:${await this.server.listen({ host: '127.0.0.1', port })}`;
    return this;
  }

  sendAll(call: WatchCall): void {
    for (const map of this.maps) for (const chunk of encodeSnapshot(map)) call.write(chunk);
    call.write(encodeProgress(this.clusterId, []));
  }

  /** Replaces records, tells all streams. */
  change(keyspace: string, records: readonly PartitionRecord[], nodes: readonly NodeEntry[] = []): KeyspaceMap {
    const at = this.maps.findIndex((m) => m.spec.name === keyspace);
    const held = this.maps[at]!;
    const delta = {
      keyspace,
      from: held.generation,
      to: { ...held.generation, number: held.generation.number + 1 },
      records,
      nodes,
    };
    this.maps[at] = held.withDelta(delta);
    for (const call of this.calls) call.write(encodeDelta(delta));
    return this.maps[at]!;
  }

  cutStreams(): void {
    for (const call of this.calls) endWithError(call, new CadastreError('UNAVAILABLE', 'cut by the test'));
  }

  stop(): void {
    this.server?.cut();
  }

  private onWatch(call: WatchCall): void {
    call.on('data', (request: Wire.WatchMapRequest__Output) => {
      if (request.subscribe) {
        this.subscriptions.push(request.subscribe);
        this.script(call, request.subscribe);
      }
      for (const { keyspace, generation } of decodeKnown(request.applied?.applied ?? []))
        this.applied.push(`${keyspace}@${generation.number}`);
    });
    call.on('end', () => call.end());
    call.on('close', () => this.calls.delete(call));
    this.calls.add(call);
  }
}

export interface Seen {
  readonly verb: string;
  readonly target: Wire.Target__Output;
  readonly requestId: string;
  /** Of a read: as a follower may answer it. */
  readonly staleMs: number | undefined;
}

/** Does what it is told before it serves: throws to refuse, waits, or returns nothing. */
export type BeforeHook = (seen: Seen) => void | Promise<void>;

const hex = (key: Uint8Array): string => Buffer.from(key).toString('hex');

export class FakeAgent {
  readonly seen: Seen[] = [];
  readonly data = new Map<string, Map<string, Buffer>>();
  readonly effects = new Map<string, number>();
  before: BeforeHook = () => undefined;
  /** After the write took effect, before the answer. */
  after: BeforeHook = () => undefined;
  address = '';
  /** To those who have asked it for the partition, in frames, of `orders`. */
  tell: (record: PartitionRecord, nodes: readonly NodeEntry[]) => void = () => undefined;
  private server: GrpcServer | undefined;

  constructor(
    readonly id: string,
    readonly labels: Readonly<Record<string, string>> = {},
  ) {}

  /** `pipeline: false` for a node of before there were frames. */
  async listen(port = 0, { pipeline = true } = {}): Promise<this> {
    const { handlers, frames: streams } = kvSurface(systemClock, (op) => this.serve(op));
    this.tell = (record, nodes) => streams.tell('orders', record.partition, notOwner('orders', record, nodes));
    const { pipeline: frames, ...unaries } = handlers;
    this.server = new GrpcServer().add(kvService, pipeline ? { ...unaries, pipeline: frames! } : unaries);
    this.address = `127.0.0.1:${await this.server.listen({ host: '127.0.0.1', port })}`;
    return this;
  }

  get entry(): NodeEntry {
    return { id: this.id, address: this.address, labels: this.labels, weight: 1 };
  }

  cut(): void {
    this.server?.cut();
  }

  private async serve(op: ReceivedOp): Promise<KvReply> {
    const { kind, request } = op;
    const seen: Seen = {
      verb: kind,
      target: request.target!,
      requestId: 'requestId' in request ? request.requestId : '',
      staleMs: 'follower' in request && request.follower ? request.maxStalenessMs : undefined,
    };
    this.seen.push(seen);
    await this.before(seen);
    const reply = this.perform(op);
    await this.after(seen);
    return reply;
  }

  private perform(op: ReceivedOp): KvReply {
    switch (op.kind) {
      case 'get':
        return this.get(op.request);
      case 'put':
        return this.write(op.request, [{ delete: false, key: op.request.key, value: op.request.value }]);
      case 'delete':
        return this.write(op.request, [{ delete: true, key: op.request.key, value: Buffer.alloc(0) }]);
      case 'batch':
        return this.write(op.request, op.request.ops);
      case 'scan':
        return this.scan(op.request);
    }
  }

  private partition(target: Wire.Target__Output | null): Map<string, Buffer> {
    const name = `${target!.keyspace}/${target!.partition}`;
    if (!this.data.has(name)) this.data.set(name, new Map());
    return this.data.get(name)!;
  }

  private get({ target, key, follower }: Wire.GetRequest__Output): Wire.GetReply {
    const value = this.partition(target).get(hex(key));
    const age = follower ? { epoch: target!.epoch, appliedSeq: 1, stalenessMs: 7 } : {};
    return value ? { found: true, value, ...age } : { found: false, ...age };
  }

  /** Once per request id, as a real agent. */
  private write(
    { target, requestId }: { target: Wire.Target__Output | null; requestId: string },
    ops: readonly Wire.WriteOp__Output[],
  ): Wire.WriteReply {
    if (!this.effects.has(requestId)) {
      this.effects.set(requestId, this.effects.size + 1);
      const records = this.partition(target);
      for (const op of ops) {
        if (op.delete) records.delete(hex(op.key));
        else records.set(hex(op.key), op.value);
      }
    }
    return { epoch: target!.epoch, seq: this.effects.get(requestId)! };
  }

  private scan({ target, start, end, limit }: Wire.ScanRequest__Output): Wire.ScanReply {
    const all = [...this.partition(target)].map(([key, value]) => ({ key: Buffer.from(key, 'hex'), value }));
    const within = all.filter(
      ({ key }) => compareBytes(key, start) >= 0 && (end.length === 0 || compareBytes(key, end) < 0),
    );
    within.sort((a, b) => compareBytes(a.key, b.key));
    const next = within[limit]?.key;
    return { entries: within.slice(0, limit), more: next !== undefined, ...(next && { next }) };
  }
}

export const slotsSpec = (name: string, slots: number): KeyspaceSpec => ({
  name,
  scheme: { kind: 'hash-slots', slots, hash: 'murmur3', hashTags: false },
  replicationFactor: 1,
  minInSync: 1,
  spread: [],
});

export const rangeSpec = (name: string, ...splitPoints: string[]): KeyspaceSpec => ({
  ...slotsSpec(name, 1),
  scheme: { kind: 'range', splitPoints: splitPoints.map((p) => Buffer.from(p)) },
});

/** Partition p is led by node p mod nodes. */
export const mapOn = (spec: KeyspaceSpec, nodes: readonly NodeEntry[], number = 1): KeyspaceMap => {
  const partitions = partitionCount(spec.scheme);
  const records = Array.from({ length: partitions }, (_, p) => newRecord(p, [nodes[p % nodes.length]!.id]));
  return KeyspaceMap.fromRecords(spec, { incarnation: 1, number }, records, nodes);
};

export const ledBy = (partition: number, epoch: number, node: string): PartitionRecord => ({
  partition,
  epoch,
  replicas: [{ node, role: 'leader', state: 'available', inSync: true }],
});

export const notOwner = (keyspace: string, record: PartitionRecord, nodes: readonly NodeEntry[]): CadastreError => {
  const leader = nodes.find((n) => n.id === leaderOf(record));
  const info: OwnerInfo = {
    keyspace,
    record,
    generation: { incarnation: 1, number: 1 },
    ...(leader && { leaderAddress: leader.address }),
  };
  return new CadastreError('NOT_OWNER', `partition ${record.partition} is led by ${leader?.id ?? 'nobody'}`, { info });
};

/** Waits for a condition, never for a time. @throws Error naming it after `limitMs` */
export const until = async (what: string, condition: () => boolean, limitMs = 5_000): Promise<void> => {
  const end = Date.now() + limitMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`never happened: ${what}`);
    await sleep(5);
  }
};
