import type { Generation, KeyspaceSpec, NodeEntry, PartitionRecord } from '@cadastre/core';
import { CadastreError, growInSync, KeyspaceMap, leaderOf, shrinkInSync } from '@cadastre/core';
import type { DuplexCall, Wire } from '@cadastre/contracts';
import {
  agentService,
  decodeKnown,
  decodeNode,
  encodeDelta,
  encodeProgress,
  encodeRecord,
  encodeSnapshot,
  GrpcServer,
  mapService,
  streaming,
  unary,
} from '@cadastre/contracts';

type MapCall = DuplexCall<Wire.WatchMapRequest__Output, Buffer>;
type SessionCall = DuplexCall<Wire.SessionRequest__Output, Wire.SessionReply>;

/** Test only: a control plane of one process whose register is a table that the test writes by hand. */
export class FakeControlPlane {
  readonly nodes = new Map<string, NodeEntry>();
  readonly reports = new Map<string, Wire.ReplicaReport__Output>();
  readonly applied = new Map<string, Generation>();
  readonly changes: string[] = [];
  refuseAdds = false;
  grants: { node: string; grant: Wire.PurgeGrant }[] = [];
  private map: KeyspaceMap | undefined;
  private readonly watchers = new Set<MapCall>();
  private server = new GrpcServer();
  address = '';

  async start(port = 0): Promise<this> {
    this.server.add(mapService, {
      watchMap: streaming((call: MapCall) => this.watch(call)) as never,
      locate: (() => undefined) as never,
    });
    this.server.add(agentService, {
      session: streaming((call: SessionCall) => this.session(call)) as never,
      report: unary((request: Wire.ReportRequest__Output) => this.report(request)),
      changeInSync: unary((request: Wire.ChangeInSyncRequest__Output) => this.change(request)),
      changeInSyncMany: unary((request: Wire.ChangeInSyncManyRequest__Output) => ({
        answers: request.changes.map((change) => this.answer(change)),
      })),
    } as never);
    this.address = `127.0.0.1:${await this.server.listen({ host: '127.0.0.1', port })}`;
    return this;
  }

  cut(): void {
    this.server.cut();
  }

  record(partition: number): PartitionRecord {
    return this.map!.record(partition);
  }

  get generation(): Generation {
    return this.map!.generation;
  }

  createKeyspace(spec: KeyspaceSpec, records: PartitionRecord[]): void {
    this.map = KeyspaceMap.fromRecords(spec, { incarnation: 1, number: 1 }, records, [...this.nodes.values()]);
    for (const call of this.watchers) for (const chunk of encodeSnapshot(this.map)) call.write(chunk);
  }

  publish(record: PartitionRecord): void {
    const map = this.map!;
    const delta = {
      keyspace: map.spec.name,
      from: map.generation,
      to: { incarnation: 1, number: map.generation.number + 1 },
      records: [record],
      nodes: [...this.nodes.values()].filter((n) => !map.node(n.id)),
    };
    this.map = map.withDelta(delta);
    const bytes = encodeDelta(delta);
    for (const call of this.watchers) call.write(bytes);
  }

  report(request: Wire.ReportRequest__Output): Wire.ReportReply {
    for (const r of request.replicas) this.reports.set(`${request.node}/${r.partition}`, r);
    for (const k of decodeKnown(request.applied)) this.applied.set(request.node, k.generation);
    return { purge: this.grants.filter((g) => g.node === request.node).map((g) => g.grant) };
  }

  private watch(call: MapCall): void {
    call.on('data', (request: Wire.WatchMapRequest__Output) => {
      if (!request.subscribe) return;
      this.watchers.add(call);
      if (this.map) for (const chunk of encodeSnapshot(this.map)) call.write(chunk);
      call.write(
        encodeProgress('test', this.map ? [{ keyspace: this.map.spec.name, generation: this.map.generation }] : []),
      );
    });
    call.on('end', () => call.end());
    call.on('close', () => this.watchers.delete(call));
  }

  private session(call: SessionCall): void {
    call.on('data', (request: Wire.SessionRequest__Output) => {
      if (request.hello?.node) {
        this.nodes.set(request.hello.node.id, decodeNode(request.hello.node));
        call.write({ welcome: { clusterId: 'test', leaseId: 'lease', ttlMs: 10_000, activeAddress: this.address } });
      } else if (request.keepAlive) call.write({ kept: { activeAddress: this.address } });
    });
    call.on('end', () => call.end());
  }

  private answer(request: Wire.ChangeInSyncRequest__Output): Wire.ChangeInSyncAnswer {
    try {
      const { record } = this.change(request);
      return { record: record ?? null, errorCode: '', errorMessage: '' };
    } catch (error) {
      const { code, message, info } = CadastreError.from(error);
      const newer = (info as { record?: PartitionRecord } | undefined)?.record;
      return { errorCode: code, errorMessage: message, ...(newer && { record: encodeRecord(newer) }) };
    }
  }

  private change(request: Wire.ChangeInSyncRequest__Output): Wire.ChangeInSyncReply {
    let record = this.record(request.partition);
    if (record.epoch !== request.epoch || leaderOf(record) !== request.node)
      throw new CadastreError('FAILED_PRECONDITION', 'the record has changed', {
        info: { keyspace: request.keyspace, record },
      });
    if (this.refuseAdds && request.add.length > 0) throw new CadastreError('FAILED_PRECONDITION', 'not now');
    for (const receipt of request.add) {
      const report = this.reports.get(`${receipt.node}/${request.partition}`);
      this.changes.push(`add ${receipt.node} ${report ? 'reported' : 'unseen'}`);
      record = growInSync(record, receipt.node);
    }
    for (const node of request.remove) {
      this.changes.push(`remove ${node}`);
      record = shrinkInSync(record, node);
    }
    this.publish(record);
    return { record: encodeRecord(record), generation: this.generation };
  }
}
