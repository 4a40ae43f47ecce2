import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ClientOptions } from '@cadastre/client';
import { CadastreClient } from '@cadastre/client';
import type { KeyspaceSpec } from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import type { CredentialFiles, Peer, Transport } from '@cadastre/contracts';
import { callUnary, CredentialSource, encodeSpec, grpcTransport, tlsTransport, type Wire } from '@cadastre/contracts';
import { silentLogger, systemClock } from '@cadastre/runtime';
import type { EtcdCluster } from './etcd.js';
import { startEtcd } from './etcd.js';
import type { Ended } from './process.js';
import { runToEnd, ServerProcess } from './process.js';
import { TestAuthority } from './test-authority.js';
import { until } from './until.js';

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));
const script = (app: string): string => join(REPOSITORY, 'apps', app, 'dist', 'main.js');

export interface ClusterOptions {
  readonly controlPlanes?: number;
  readonly agents?: number;
  readonly zones?: number;
  readonly racksPerZone?: number;
  readonly controlPlaneArgs?: readonly string[];
  readonly agentArgs?: readonly string[];
  /** All by mutual TLS, etcd too; tests act as an operator. */
  readonly tls?: boolean;
}

interface Security {
  readonly dir: string;
  readonly own: TestAuthority;
  /** For the register alone. */
  readonly etcd: TestAuthority;
}

const newSecurity = (): Security => {
  const dir = mkdtempSync(join(tmpdir(), 'cadastre-tls-'));
  return { dir, own: new TestAuthority(join(dir, 'own')), etcd: new TestAuthority(join(dir, 'etcd')) };
};

const tlsArgs = ({ cert, key, ca }: CredentialFiles, flag = '--tls'): string[] => [
  ...[`${flag}-cert`, cert],
  ...[`${flag}-key`, key],
  ...[`${flag}-ca`, ca],
];

const transportOf = (files: CredentialFiles): Transport =>
  tlsTransport(new CredentialSource(files, { clock: systemClock, logger: silentLogger }).start(), systemClock);

const DEADLINE_MS = 10_000;

/** A whole Cadastre of real processes on loopback: etcd, control planes, agents. For tests and benches. Needs a build. */
export class TestCluster {
  readonly dir = mkdtempSync(join(tmpdir(), 'cadastre-cluster-'));
  readonly controlPlanes = new Map<string, ServerProcess>();
  readonly agents = new Map<string, ServerProcess>();
  readonly routers = new Map<string, ServerProcess>();
  private readonly peers = new Map<string, Peer>();
  private readonly clients: CadastreClient[] = [];
  private readonly addresses = new Map<string, string>();

  private readonly transport: Transport;

  private constructor(
    private register: EtcdCluster,
    private readonly options: ClusterOptions,
    private readonly security: Security | undefined,
  ) {
    this.transport = security ? transportOf(security.own.files('operator', 'test')) : grpcTransport;
  }

  get etcd(): EtcdCluster {
    return this.register;
  }

  /** Another etcd, new and empty, for control planes that are started from now on; the one before is gone. */
  async replaceEtcd(): Promise<void> {
    await this.register.stop();
    this.register = await startEtcd();
  }

  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    const security = options.tls ? newSecurity() : undefined;
    const etcd = await startEtcd(security ? { tls: security.etcd.files('etcd', 'm0') } : {});
    const cluster = new TestCluster(etcd, options, security);
    try {
      for (let i = 1; i <= (options.controlPlanes ?? 2); i += 1) await cluster.startControlPlane(`cp${i}`);
      await Promise.all(Array.from({ length: options.agents ?? 6 }, (_, i) => cluster.startAgent(i + 1)));
      await cluster.until('all nodes up and a controller', async () => {
        const status = await cluster.status();
        return status.active !== '' && status.nodesUp === cluster.agents.size;
      });
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  async startControlPlane(id: string): Promise<ServerProcess> {
    const endpoints = this.etcd.endpoints.map((e) => `${this.security ? 'https' : 'http'}://${e}`).join(',');
    const grpc = this.addresses.get(id) ?? '127.0.0.1:0';
    const args = [
      '--id',
      id,
      '--grpc',
      grpc,
      '--http',
      '127.0.0.1:0',
      '--etcd',
      endpoints,
      ...this.securityOf('control-plane', id),
      ...this.etcdSecurity(),
      ...(this.options.controlPlaneArgs ?? []),
    ];
    const server = await ServerProcess.start({ name: id, script: script('control-plane'), args });
    this.controlPlanes.set(id, server);
    this.addresses.set(id, server.listening['grpc']!);
    return server;
  }

  /** Agent i stands in zone (i - 1) mod zones, in rack ((i - 1) / zones) mod racks of that zone. */
  async startAgent(
    i: number,
    { data = join(this.dir, `n${i}`), more = [] }: { data?: string; more?: readonly string[] } = {},
  ): Promise<ServerProcess> {
    const id = `n${i}`;
    const listen = this.addresses.get(id) ?? '127.0.0.1:0';
    const args = [...this.agentArgs(i, { data, listen }), ...more];
    const server = await ServerProcess.start({ name: id, script: script('storage-agent'), args });
    this.agents.set(id, server);
    this.addresses.set(id, server.listening['address']!);
    return server;
  }

  /** A router of this cluster, `more` after its own flags. */
  async startRouter(id: string, ...more: string[]): Promise<ServerProcess> {
    const listen = this.addresses.get(id) ?? '127.0.0.1:0';
    const args = ['--id', id, '--listen', listen, '--control-plane', this.controlPlaneAddresses().join(',')];
    args.push(...this.securityOf('router', id), ...more);
    const server = await ServerProcess.start({ name: id, script: script('router'), args });
    this.routers.set(id, server);
    this.addresses.set(id, server.listening['address']!);
    return server;
  }

  /** Runs an agent that is expected to end by itself. `more` comes last, so its flags win. */
  runAgent(i: number, more: readonly string[] = []): Promise<Ended> {
    const base = this.agentArgs(i, { data: join(this.dir, 'refused'), listen: '127.0.0.1:0' });
    return runToEnd(script('storage-agent'), [...base, ...more]);
  }

  /** The command line with --json, against the control planes of this cluster unless `args` bring their own server. */
  cli(...args: string[]): Promise<Ended> {
    const server = args.includes('--server') ? [] : ['--server', this.controlPlaneAddresses().join(',')];
    const own = this.security ? tlsArgs(this.security.own.files('operator', 'test')) : [];
    return runToEnd(join(REPOSITORY, 'apps', 'cli', 'bin', 'cadastre.mjs'), ['--json', ...server, ...own, ...args]);
  }

  private securityOf(role: 'agent' | 'control-plane' | 'router', name: string): string[] {
    return this.security ? tlsArgs(this.security.own.files(role, name)) : ['--insecure'];
  }

  private etcdSecurity(): string[] {
    return this.security ? tlsArgs(this.security.etcd.files('etcd', 'client'), '--etcd-tls') : [];
  }

  /** Every process finds another certificate in its place, and takes it within ten seconds. */
  renewCertificates(): void {
    this.security?.own.renewAll();
    this.security?.etcd.renewAll();
  }

  private agentArgs(i: number, { data, listen }: { data: string; listen: string }): string[] {
    const { zones = 3, racksPerZone = 2, agentArgs = [] } = this.options;
    const zone = String.fromCharCode(97 + ((i - 1) % zones));
    const rack = `r${(Math.floor((i - 1) / zones) % racksPerZone) + 1}`;
    const place = ['--label', `zone=${zone}`, '--label', `rack=${rack}`];
    const controlPlane = this.controlPlaneAddresses().join(',');
    return [
      '--id',
      `n${i}`,
      '--data',
      data,
      '--listen',
      listen,
      '--control-plane',
      controlPlane,
      ...this.securityOf('agent', `n${i}`),
      ...place,
      ...agentArgs,
    ];
  }

  /** Of a control plane (gRPC) or an agent. */
  addressOf(id: string): string {
    return this.addresses.get(id)!;
  }

  /** The HTTP side of the first control plane that runs, `http://host:port`. */
  get url(): string {
    const server = [...this.controlPlanes.values()].find((c) => c.running);
    if (!server) throw new Error('no control plane is running');
    return `${this.security ? 'https' : 'http'}://${server.listening['http']}`;
  }

  controlPlaneAddresses(): string[] {
    return [...this.controlPlanes.keys()].map((id) => this.addresses.get(id)!);
  }

  async client(options: Partial<ClientOptions> = {}): Promise<CadastreClient> {
    const client = await CadastreClient.connect({
      controlPlanes: this.controlPlaneAddresses(),
      ...(this.security && { tls: this.security.own.files('client', 'test') }),
      ...options,
    });
    this.clients.push(client);
    return client;
  }

  /** An operator's call at any control plane that answers. */
  async operator<Reply>(call: (peer: Peer) => Promise<Reply>): Promise<Reply> {
    let last: unknown;
    for (const [id, server] of this.controlPlanes) {
      if (!server.running) continue;
      try {
        return await call(this.peer(this.addresses.get(id)!));
      } catch (error) {
        if (CadastreError.from(error).code !== 'UNAVAILABLE') throw error;
        last = error;
      }
    }
    throw last ?? new Error('no control plane is running');
  }

  status(): Promise<Wire.StatusReply__Output> {
    return this.operator((p) =>
      callUnary<Wire.StatusRequest, Wire.StatusReply__Output>(
        p.operator,
        p.operator.Status,
        {},
        { deadlineMs: DEADLINE_MS },
      ),
    );
  }

  createKeyspace(spec: KeyspaceSpec): Promise<Wire.Keyspace__Output> {
    return this.operator((p) =>
      callUnary<Wire.CreateKeyspaceRequest, Wire.Keyspace__Output>(
        p.operator,
        p.operator.CreateKeyspace,
        { spec: encodeSpec(spec), actor: 'test' },
        { deadlineMs: DEADLINE_MS },
      ),
    );
  }

  keyspace(name: string): Promise<Wire.Keyspace__Output> {
    return this.operator((p) =>
      callUnary<Wire.GetKeyspaceRequest, Wire.Keyspace__Output>(
        p.operator,
        p.operator.GetKeyspace,
        { name, withPartitions: true },
        { deadlineMs: DEADLINE_MS },
      ),
    );
  }

  nodes(): Promise<Wire.ListNodesReply__Output> {
    return this.operator((p) =>
      callUnary<Wire.ListNodesRequest, Wire.ListNodesReply__Output>(
        p.operator,
        p.operator.ListNodes,
        {},
        { deadlineMs: DEADLINE_MS },
      ),
    );
  }

  changeSettings(change: Wire.ChangeSettingsRequest): Promise<Wire.Settings__Output> {
    return this.operator((p) =>
      callUnary<Wire.ChangeSettingsRequest, Wire.Settings__Output>(
        p.operator,
        p.operator.ChangeSettings,
        { ...change, actor: 'test', reason: 'a test' },
        { deadlineMs: DEADLINE_MS },
      ),
    );
  }

  drain(id: string, undo = false): Promise<Wire.Node__Output> {
    return this.operator((p) =>
      callUnary<Wire.DrainNodeRequest, Wire.Node__Output>(
        p.operator,
        p.operator.DrainNode,
        { id, undo, actor: 'test', reason: 'a test' },
        { deadlineMs: DEADLINE_MS },
      ),
    );
  }

  propose(): Promise<Wire.ProposePlanReply__Output> {
    return this.operator((p) =>
      callUnary<Wire.ProposePlanRequest, Wire.ProposePlanReply__Output>(
        p.operator,
        p.operator.ProposePlan,
        { actor: 'test' },
        { deadlineMs: DEADLINE_MS },
      ),
    );
  }

  plan(id: string): Promise<Wire.Plan__Output> {
    return this.operator((p) =>
      callUnary<Wire.GetPlanRequest, Wire.Plan__Output>(
        p.operator,
        p.operator.GetPlan,
        { id },
        { deadlineMs: DEADLINE_MS },
      ),
    );
  }

  report(plan: string): Promise<Wire.Report__Output> {
    return this.operator((p) =>
      callUnary<Wire.GetReportRequest, Wire.Report__Output>(
        p.operator,
        p.operator.GetReport,
        { plan },
        { deadlineMs: DEADLINE_MS },
      ),
    );
  }

  /** Of reads, in the last ten minutes. */
  heat(keyspace: string): Promise<Wire.Heat__Output> {
    return this.operator((p) =>
      callUnary<Wire.GetHeatRequest, Wire.Heat__Output>(
        p.operator,
        p.operator.GetHeat,
        { keyspace, metric: 'reads' },
        { deadlineMs: DEADLINE_MS },
      ),
    );
  }

  actOnPlan(id: string, action: string, digest = ''): Promise<Wire.Plan__Output> {
    return this.operator((p) =>
      callUnary<Wire.ActOnPlanRequest, Wire.Plan__Output>(
        p.operator,
        p.operator.ActOnPlan,
        { id, action, digest, actor: 'test', reason: 'a test' },
        { deadlineMs: DEADLINE_MS },
      ),
    );
  }

  /** Polls a condition of the world; what fails meanwhile counts as not yet. */
  until(what: string, test: () => Promise<boolean>, withinMs = 60_000): Promise<void> {
    return until(what, withinMs, test, { everyMs: 100, more: () => `\n${this.logs()}` });
  }

  logs(lines = 15): string {
    return [...this.controlPlanes.values(), ...this.agents.values(), ...this.routers.values()]
      .map((p) => `--- ${p.name}${p.running ? '' : ' (ended)'}\n${p.log(lines)}`)
      .join('\n');
  }

  async stop(): Promise<void> {
    await Promise.all(this.clients.map((c) => c.close()));
    for (const peer of this.peers.values()) peer.close();
    await Promise.all([...this.routers.values(), ...this.agents.values()].map((a) => a.end('SIGKILL')));
    await Promise.all([...this.controlPlanes.values()].map((c) => c.end('SIGKILL')));
    await this.etcd.stop();
    rmSync(this.dir, { recursive: true, force: true });
    if (this.security) rmSync(this.security.dir, { recursive: true, force: true });
  }

  /** One connection each, closed with the cluster. */
  peer(address: string): Peer {
    let peer = this.peers.get(address);
    if (!peer) this.peers.set(address, (peer = this.transport.peer(address)));
    return peer;
  }
}
