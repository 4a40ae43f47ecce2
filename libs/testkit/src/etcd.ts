import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:http';
import { request as requestSecured } from 'node:https';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CredentialFiles } from '@cadastre/contracts';

const pemOf = ({ cert, key, ca }: CredentialFiles) => ({
  cert: readFileSync(cert),
  key: readFileSync(key),
  ca: readFileSync(ca),
});

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));
const HEALTHY_WITHIN_MS = 20_000;
const LOG_LINES = 200;

export interface StartEtcdOptions {
  readonly binary?: string;
  /** Kept when given, a temporary one is removed by `stop`. */
  readonly dir?: string;
  readonly members?: 1 | 3;
  /** Client port of the first member; free ports otherwise. */
  readonly port?: number;
  readonly extraArgs?: readonly string[];
  /** Clients come by TLS and show a certificate of the same authority; members talk in plaintext. */
  readonly tls?: CredentialFiles;
}

export interface EtcdMember {
  readonly name: string;
  /** `127.0.0.1:port` */
  readonly endpoint: string;
  readonly port: number;
  readonly pid: number | undefined;
}

export interface EtcdCluster {
  readonly binary: string;
  readonly endpoints: readonly string[];
  readonly members: readonly EtcdMember[];
  /** Of the first member. */
  readonly pid: number | undefined;
  /** SIGKILL; resolves when the process is gone. */
  kill(member?: number): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  pause(member?: number): void;
  resume(member?: number): void;
  /** Starts a killed member on its data; resolves when it is healthy. */
  restart(member?: number): Promise<void>;
  stop(): Promise<void>;
  /** The last lines that a member wrote. */
  log(member?: number): string;
}

/** Starts an etcd on loopback, without fsync; resolves when every member is healthy. */
export async function startEtcd(options: StartEtcdOptions = {}): Promise<EtcdCluster> {
  const binary = options.binary ?? (await findEtcdBinary());
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'cadastre-etcd-'));
  const count = options.members ?? 1;
  const ports = await freePorts(count * 2);
  if (options.port !== undefined) ports[0] = options.port;
  const processes = Array.from(
    { length: count },
    (_, index) =>
      new Member(
        binary,
        dir,
        `m${index}`,
        ports[index] as number,
        ports[count + index] as number,
        options.extraArgs ?? [],
        options.tls,
      ),
  );
  const cluster = processes.map((member) => `${member.name}=${member.peerUrl}`).join(',');
  try {
    await Promise.all(processes.map((member) => member.start(cluster)));
  } catch (error) {
    await Promise.all(processes.map((member) => member.kill()));
    throw error;
  }
  const at = (index = 0): Member => {
    const member = processes[index];
    if (!member) throw new Error(`no etcd member ${index} of ${count}`);
    return member;
  };
  return {
    binary,
    members: processes,
    endpoints: processes.map((member) => member.endpoint),
    get pid() {
      return at().pid;
    },
    kill: (index) => at(index).kill(),
    pause: (index) => at(index).signal('SIGSTOP'),
    resume: (index) => at(index).signal('SIGCONT'),
    restart: (index) => at(index).start(cluster),
    log: (index) => at(index).log(),
    stop: async () => {
      await Promise.all(processes.map((member) => member.kill()));
      if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
    },
  };
}

class Member implements EtcdMember {
  private child: ChildProcess | undefined;
  private lines: string[] = [];

  constructor(
    private readonly binary: string,
    private readonly dir: string,
    readonly name: string,
    readonly port: number,
    private readonly peerPort: number,
    private readonly extraArgs: readonly string[],
    private readonly tls: CredentialFiles | undefined,
  ) {}

  get endpoint(): string {
    return `127.0.0.1:${this.port}`;
  }

  get peerUrl(): string {
    return `http://127.0.0.1:${this.peerPort}`;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  async start(cluster: string): Promise<void> {
    const client = `${this.tls ? 'https' : 'http'}://${this.endpoint}`;
    const args = [
      ['--name', this.name, '--data-dir', join(this.dir, this.name), '--unsafe-no-fsync', '--log-level', 'warn'],
      ['--listen-client-urls', client, '--advertise-client-urls', client],
      ['--listen-peer-urls', this.peerUrl, '--initial-advertise-peer-urls', this.peerUrl],
      [
        '--initial-cluster',
        cluster,
        '--initial-cluster-state',
        'new',
        '--initial-cluster-token',
        `cadastre-${cluster}-${this.dir}`,
      ],
    ].flat();
    if (this.tls) {
      const { cert, key, ca } = this.tls;
      args.push('--cert-file', cert, '--key-file', key, '--trusted-ca-file', ca, '--client-cert-auth');
    }
    // A test that ends without `stop` takes its etcd along.
    const child = spawn(this.binary, [...args, ...this.extraArgs], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ETCD_UNSUPPORTED_ARCH: process.arch },
    });
    this.child = child;
    const onExit = () => child.kill('SIGKILL');
    process.once('exit', onExit);
    child.once('exit', () => process.removeListener('exit', onExit));
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => this.record(chunk));
    await this.untilHealthy(child);
  }

  async kill(): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  log(): string {
    return this.lines.join('\n');
  }

  private record(chunk: Buffer): void {
    this.lines.push(...chunk.toString().trimEnd().split('\n'));
    this.lines.splice(0, this.lines.length - LOG_LINES);
  }

  private async untilHealthy(child: ChildProcess): Promise<void> {
    const giveUpAt = performance.now() + HEALTHY_WITHIN_MS;
    while (performance.now() < giveUpAt) {
      if (child.exitCode !== null) break;
      if (await isHealthy(this.port, this.tls)) return;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    throw new Error(`etcd ${this.name} did not become healthy:\n${this.log()}`);
  }
}

const isHealthy = (port: number, tls: CredentialFiles | undefined): Promise<boolean> =>
  new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, path: '/health', timeout: 1_000 };
    const onResponse = (response: IncomingMessage) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve(/"health":\s*"true"/.test(body)));
    };
    const probe = tls ? requestSecured({ ...options, ...pemOf(tls) }, onResponse) : request(options, onResponse);
    probe.on('timeout', () => probe.destroy());
    probe.on('error', () => resolve(false));
    probe.end();
  });

/** CADASTRE_ETCD_BIN, PATH, `.cadastre/etcd/<version>/etcd`; else the repository's fetcher. @throws Error naming the remedy */
export async function findEtcdBinary(): Promise<string> {
  const kept = join(REPOSITORY, '.cadastre', 'etcd');
  const versions = newestFirst(kept).map((version) => join(kept, version, 'etcd'));
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'etcd'));
  const candidates = [process.env['CADASTRE_ETCD_BIN'] ?? '', ...onPath, ...versions];
  const found = candidates.find((path) => path !== '' && isExecutable(path));
  if (found) return found;
  const fetcher = (await import(new URL('tools/etcd.mjs', `file://${REPOSITORY}`).href)) as {
    findEtcd(): Promise<{ path: string }>;
  };
  return (await fetcher.findEtcd()).path;
}

function newestFirst(folder: string): string[] {
  try {
    return readdirSync(folder).sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  } catch {
    return [];
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Ports that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<typeof server>((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
