import { CadastreError, KeyspaceMap, newRecord, partitionCount } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import {
  decodeSpec,
  encodeGeneration,
  encodeNode,
  encodeProgress,
  encodeRecord,
  encodeSnapshot,
  GrpcServer,
  kvService,
  mapService,
  operatorService,
  streaming,
  unary,
} from '@cadastre/contracts';

const WATCHERS: Wire.ListWatchersReply = {
  replica: 'cp1',
  watchers: 3,
  keyspaces: [
    {
      keyspace: 'orders',
      generation: { incarnation: 1, number: 9 },
      watchers: 3,
      converged: 2,
      lagReports: 7,
      lagP50Ms: 2,
      lagP99Ms: 40,
      lagMaxMs: 1_500,
    },
  ],
  laggards: [
    {
      watcher: 'slow',
      peer: '10.0.0.1:99',
      behind: 4,
      applied: [{ keyspace: 'orders', generation: { incarnation: 1, number: 5 } }],
    },
  ],
};

const SETTINGS: Wire.Settings = { repair: 'propose', repairGraceMs: 600_000 };

const LATENCY: Wire.RunLatency = {
  before: { answers: 1_000, p50Us: 400, p99Us: 1_200 },
  during: { answers: 5_000, p50Us: 420, p99Us: 12_000 },
};

/** Test-only: a control plane and a storage agent in one process, with just enough behind them for the command line. */
export class FakeOperator {
  readonly keyspaces = new Map<string, Wire.KeyspaceSpec__Output>();
  readonly data = new Map<string, Buffer>();
  readonly asked: { verb: string; request: Record<string, unknown> }[] = [];
  /** Thrown by the next call instead of an answer. */
  refuse: CadastreError | undefined;
  readonly policies = new Map<string, Wire.Policy>();
  plan: Wire.Plan = {};
  nodes: Wire.Node[] = [];
  watched: Wire.Plan[] = [];
  /** Answers to GetDrain, one after the other. */
  drains: Wire.Drain[] = [];
  heat: Wire.Heat = {
    keyspace: 'orders',
    metric: 'p99',
    fromMs: 0,
    stepMs: 60_000,
    steps: 3,
    buckets: 1,
    partitions: 64,
    values: [-1, 3, 12.4],
    measuredTogether: 1,
    hottest: [{ partition: 7, leader: 'n2', readsPerSecond: 1_240, writesPerSecond: 3.5, bytes: 2_048, p99Ms: 12.4 }],
  };
  address = '';
  private server: GrpcServer | undefined;

  async listen(): Promise<this> {
    const { server } = { server: new GrpcServer() };
    server.add(operatorService, {
      CreateKeyspace: this.on<Wire.CreateKeyspaceRequest__Output>('create', (r) => this.create(r)),
      DropKeyspace: this.on<Wire.DropKeyspaceRequest__Output>('drop', ({ name }) => ({
        partitions: this.keyspaces.delete(name) ? 4 : 0,
      })),
      GetKeyspace: this.on<Wire.GetKeyspaceRequest__Output>('getKeyspace', (r) => this.keyspace(r.name)),
      ListKeyspaces: this.on('listKeyspaces', () => ({
        keyspaces: [...this.keyspaces.keys()].map((name) => this.keyspace(name)),
      })),
      ListNodes: this.on('listNodes', () => ({ nodes: this.nodes })),
      DrainNode: this.on<Wire.DrainNodeRequest__Output>('drain', (r) => ({
        entry: { id: r.id },
        state: r.undo ? 'up' : 'draining',
      })),
      ProposePlan: this.on('propose', () =>
        this.plan.id ? { plan: this.plan } : { nothingBecause: 'all is balanced' },
      ),
      GetPolicy: this.on<Wire.GetPolicyRequest__Output>('getPolicy', (r) => this.policy(r.keyspace)),
      SetPolicy: this.on<Wire.SetPolicyRequest__Output>('setPolicy', (r) => {
        this.policies.set(r.keyspace, r.policy!);
        return this.policy(r.keyspace);
      }),
      Why: this.on<Wire.WhyRequest__Output>('why', (r) => ({
        ...r,
        role: 'none',
        verdict: 'cannot',
        rule: 'spread[0]',
        value: '2',
        limit: '1',
        because: 'zone a is full',
        checks: [{ rule: 'spread[0]', verdict: 'fail', value: '2', limit: '1', text: 'zone a is full' }],
      })),
      ListPlans: this.on('listPlans', () => ({ plans: this.plan.id ? [this.plan] : [] })),
      GetPlan: this.on('getPlan', () => this.plan),
      ActOnPlan: this.on<Wire.ActOnPlanRequest__Output>('act', (r) => ({
        ...this.plan,
        state: r.action === 'approve' ? 'approved' : r.action,
      })),
      WatchPlan: streaming<never>((call: { write(plan: Wire.Plan): void; end(): void }) => {
        for (const plan of this.watched) call.write(plan);
        call.end();
      }) as never,
      Freeze: this.on('freeze', () => ({ freezes: [] })),
      GetApprovalPolicy: this.on('getApprovalPolicy', () => ({ policy: { approvals: 2 }, version: 'v1' })),
      SetApprovalPolicy: this.on<Wire.SetApprovalPolicyRequest__Output>('setApprovalPolicy', ({ policy }) => ({
        policy,
        version: 'v2',
      })),
      UndoPlan: this.on('undo', () => ({ plan: { ...this.plan, id: 'p-undo', undoOf: this.plan.id } })),
      CancelAll: this.on('cancelAll', () => ({ plans: [this.plan] })),
      GetReport: this.on('report', () => ({
        plan: { ...this.plan, latency: LATENCY },
        final: true,
        sha256: 'feed',
        outcome: 'completed: all done',
      })),
      GetHeat: this.on('getHeat', () => this.heat),
      GetDrain: this.on('getDrain', () => this.drains.shift() ?? {}),
      ListAudit: this.on('listAudit', () => ({
        entries: [{ number: 7, actor: 'ann', verb: 'approve', subject: 'plan/p-1', reason: 'read it' }],
        next: 7,
      })),
      VerifyAudit: this.on<Wire.VerifyAuditRequest__Output>('verifyAudit', ({ checkpoints }) => ({
        intact: checkpoints.length === 0,
        faults: checkpoints.map((c) => ({ kind: 'cut', number: c.number, detail: 'the log ends before' })),
      })),
      Unfreeze: this.on('unfreeze', () => ({ nodes: ['n1', 'n2', 'n3'] })),
      GetSettings: this.on('getSettings', () => SETTINGS),
      ChangeSettings: this.on<Wire.ChangeSettingsRequest__Output>('changeSettings', ({ nodeBytesPerSecond = 0 }) => ({
        ...SETTINGS,
        nodeBytesPerSecond,
      })),
      Status: this.on('status', () => ({
        clusterId: 'c1',
        active: 'cp1',
        activeAddress: this.address,
        health: 'all is well',
        nodesUp: 1,
        nodesTotal: 1,
      })),
    });
    server.add(mapService, {
      Locate: this.on<Wire.LocateRequest__Output>('locate', (r) => this.locate(r)),
      ListWatchers: this.on('listWatchers', () => WATCHERS),
      WatchMap: streaming<never>(
        (call: { write(bytes: Buffer): void; on(event: string, task: () => void): void; end(): void }) => {
          for (const name of this.keyspaces.keys())
            for (const chunk of encodeSnapshot(this.map(name))) call.write(chunk);
          call.write(encodeProgress('c1', []));
          call.on('end', () => call.end());
        },
      ) as never,
    });
    server.add(kvService, {
      Get: this.on<Wire.GetRequest__Output>('get', (r) => ({
        found: this.data.has(r.key.toString()),
        value: this.data.get(r.key.toString()),
      })),
      Put: this.on<Wire.PutRequest__Output>('put', (r) => this.put(r)),
      Delete: this.on<Wire.DeleteRequest__Output>('delete', (r) => ({
        epoch: 1,
        seq: Number(this.data.delete(r.key.toString())),
      })),
      Batch: this.on<Wire.BatchRequest__Output>('batch', (r) => r.ops.map((op) => this.put(op)).at(-1)),
      Scan: this.on<Wire.ScanRequest__Output>('scan', () => ({
        entries: [...this.data].sort().map(([key, value]) => ({ key: Buffer.from(key), value })),
      })),
    });
    this.server = server;
    this.address = `127.0.0.1:${await server.listen({ host: '127.0.0.1', port: 0 })}`;
    return this;
  }

  cut(): void {
    this.server?.cut();
  }

  requests(verb: string): Record<string, unknown>[] {
    return this.asked.filter((a) => a.verb === verb).map((a) => a.request);
  }

  private on<Request>(verb: string, answer: (request: Request) => unknown) {
    return unary((request: Request) => {
      this.asked.push({ verb, request: request as Record<string, unknown> });
      const { refuse } = this;
      this.refuse = undefined;
      if (refuse) throw refuse;
      return answer(request);
    }) as never;
  }

  private create({ spec }: Wire.CreateKeyspaceRequest__Output): Wire.Keyspace {
    if (this.keyspaces.has(spec!.name))
      throw new CadastreError('ALREADY_EXISTS', `keyspace ${spec!.name} exists`, {
        field: 'name',
        remedy: 'choose another name',
      });
    this.keyspaces.set(spec!.name, spec!);
    return this.keyspace(spec!.name);
  }

  private policy(keyspace: string): Wire.PolicyReply {
    return { keyspace, policy: this.policies.get(keyspace) ?? {}, replicationFactor: 3, minInSync: 2, spread: [] };
  }

  private keyspace(name: string): Wire.Keyspace {
    const spec = this.keyspaces.get(name);
    if (!spec)
      throw new CadastreError('NOT_FOUND', `keyspace ${name} does not exist`, { field: 'name', remedy: 'make it' });
    const map = this.map(name);
    return {
      spec,
      generation: encodeGeneration(map.generation),
      partitions: map.partitions,
      records: map.records().map(encodeRecord),
      partitionBytes: map.records().map((r) => 10 * r.partition),
    };
  }

  /** All partitions on this one address. */
  private map(name: string): KeyspaceMap {
    const spec = { ...decodeSpec(this.keyspaces.get(name)!), replicationFactor: 1, minInSync: 1 };
    const partitions = partitionCount(spec.scheme);
    const records = Array.from({ length: partitions }, (_, p) => newRecord(p, ['n1']));
    return KeyspaceMap.fromRecords(spec, { incarnation: 1, number: 1 }, records, [
      { id: 'n1', address: this.address, labels: {}, weight: 1 },
    ]);
  }

  private locate({ keyspace, key }: Wire.LocateRequest__Output): Wire.LocateReply {
    const map = this.map(keyspace);
    const partition = map.partitionOf(key);
    return {
      partition,
      record: encodeRecord(map.record(partition)),
      generation: map.generation,
      nodes: map.nodes.map(encodeNode),
    };
  }

  private put({ key, value }: { key: Buffer; value: Buffer }): Wire.WriteReply {
    if (key.toString() === 'refused') throw new CadastreError('FAILED_PRECONDITION', 'refused by the test');
    this.data.set(key.toString(), value);
    return { epoch: 1, seq: this.data.size };
  }
}
