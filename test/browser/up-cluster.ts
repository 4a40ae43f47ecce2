import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../apps/cli/bin/cadastre.mjs', import.meta.url));
const CLI_MS = 60_000;

interface Entry {
  readonly id: string;
  readonly pid?: number;
}

/** What `cadastre up` says of itself, and keeps in its cluster file. */
interface ClusterState {
  readonly socket: string;
  readonly etcd: { readonly endpoints: readonly string[] };
  readonly controlPlanes: readonly (Entry & { readonly grpc: string; readonly http: string })[];
  readonly agents: readonly Entry[];
}

export interface Said<Json> {
  readonly code: number | null;
  readonly json: Json;
  readonly stderr: string;
}

const startCli = (args: readonly string[], input: string): ChildProcess => {
  const child = spawn(process.execPath, [CLI, '--json', ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, HOME: '/nonexistent', XDG_CONFIG_HOME: '' },
  });
  const endWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', endWithUs);
  child.once('exit', () => process.removeListener('exit', endWithUs));
  child.stdin!.end(input);
  return child;
};

/** The whole cluster that `cadastre up --ephemeral` runs, and the command line beside it. Needs a build. */
export class UpCluster {
  private constructor(
    private readonly child: ChildProcess,
    private readonly first: ClusterState,
  ) {}

  static async start(...args: string[]): Promise<UpCluster> {
    const child = startCli(['up', '--ephemeral', ...args], '');
    let said = '';
    let complaints = '';
    child.stderr!.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
    const ready = new Promise<ClusterState>((resolve, reject) => {
      child.stdout!.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        const line = said.split('\n').find((l, i, all) => i < all.length - 1 && l.includes('"event":"ready"'));
        if (line) resolve(JSON.parse(line) as ClusterState);
      });
      child.once('close', () => reject(new Error(`cadastre up ended: ${said}${complaints}`)));
    });
    return new UpCluster(child, await ready);
  }

  get folder(): string {
    return dirname(this.first.socket);
  }

  get etcd(): readonly string[] {
    return this.first.etcd.endpoints;
  }

  get controlPlanes(): readonly string[] {
    return this.first.controlPlanes.map((c) => c.grpc);
  }

  /** May do all, as whoever starts the cluster. */
  get tokenFile(): string {
    return join(this.folder, 'bootstrap-token');
  }

  get token(): string {
    return readFileSync(this.tokenFile, 'utf8').trim();
  }

  /** As a browser on this machine sees it: only `localhost` may keep a `__Host-` cookie without TLS. */
  url(id: string): string {
    const { http } = this.first.controlPlanes.find((c) => c.id === id)!;
    return `http://${http.replace('127.0.0.1', 'localhost')}`;
  }

  /** Of whatever runs under that id now. */
  pidOf(id: string): number {
    const now = JSON.parse(readFileSync(join(this.folder, 'cluster.json'), 'utf8')) as ClusterState;
    return [...now.controlPlanes, ...now.agents].find((e) => e.id === id)!.pid!;
  }

  /** The command line with --json and the token that may do all; `input` is what it reads from standard input. */
  async cli<Json = unknown>(args: readonly string[], input = ''): Promise<Said<Json>> {
    const where = ['--server', this.controlPlanes.join(','), '--token-file', this.tokenFile];
    const http = this.first.controlPlanes.map((c) => c.http).join(',');
    const local = args[0] === 'agent' ? ['--data', this.folder] : [...where, '--http', http];
    const child = startCli([...args, ...local], input);
    const timer = setTimeout(() => child.kill('SIGKILL'), CLI_MS);
    let stdout = '';
    let stderr = '';
    child.stdout!.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    clearTimeout(timer);
    return { code, json: JSON.parse(stdout || 'null') as Json, stderr };
  }

  /** The same, which has to go well; 2 says that something waits. @throws Error with what it said */
  async does<Json = unknown>(args: readonly string[], input = ''): Promise<Json> {
    const { code, json, stderr } = await this.cli<Json>(args, input);
    if (code !== 0 && code !== 2) throw new Error(`cadastre ${args.join(' ')}: ${code} ${stderr}`);
    return json;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await gone;
  }
}
