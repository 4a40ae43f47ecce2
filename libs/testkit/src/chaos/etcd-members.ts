import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from './network.js';

const HEALTHY_WITHIN_MS = 40_000;
const CALL_MS = 2_000;

interface MemberStatus {
  readonly header?: { readonly member_id?: string };
  readonly leader?: string;
}

/** etcd members that can be killed, paused, compacted under and replaced one by one, each on a host of its own. */
export class EtcdMembers {
  private readonly children = new Map<string, ChildProcess>();
  /** A member that has been replaced joins what exists. */
  private readonly joined = new Set<string>();

  constructor(
    private readonly binary: string,
    readonly hosts: readonly Host[],
    private readonly dir: string,
  ) {}

  get names(): readonly string[] {
    return this.hosts.map((host) => host.name);
  }

  async startAll(): Promise<void> {
    await Promise.all(this.names.map((name) => this.start(name)));
  }

  /** Resolves when it is healthy. */
  async start(name: string): Promise<void> {
    await this.kill(name);
    const host = this.hostOf(name);
    const client = this.clientUrl(host);
    const peer = this.peerUrl(host);
    const cluster = this.hosts.map((h) => `${h.name}=${this.peerUrl(h)}`).join(',');
    const args = [
      ['--name', name, '--data-dir', join(this.dir, name), '--unsafe-no-fsync', '--log-level', 'warn'],
      ['--listen-client-urls', client, '--advertise-client-urls', client],
      ['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ['--initial-cluster', cluster, '--initial-cluster-token', `cadastre-${this.dir}`],
      ['--initial-cluster-state', this.joined.has(name) ? 'existing' : 'new'],
    ].flat();
    const [command, ...rest] = [...host.prefix, this.binary, ...args];
    const child = spawn(command!, rest, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ETCD_UNSUPPORTED_ARCH: process.arch },
    });
    child.stderr.pipe(createWriteStream(join(this.dir, `${name}.log`), { flags: 'a' }));
    const onExit = () => child.kill('SIGKILL');
    process.once('exit', onExit);
    child.once('exit', () => process.removeListener('exit', onExit));
    this.children.set(name, child);
    const giveUpAt = performance.now() + HEALTHY_WITHIN_MS;
    while (!(await this.isHealthy(host))) {
      if (child.exitCode !== null || performance.now() > giveUpAt)
        throw new Error(`etcd ${name} did not become healthy`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  isRunning(name: string): boolean {
    const child = this.children.get(name);
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  async kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.children.get(name);
    if (!child || !this.isRunning(name)) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  signal(name: string, signal: NodeJS.Signals): void {
    this.children.get(name)?.kill(signal);
  }

  /** The name of the leader as most members that answer see it; undefined while there is none. */
  async leader(): Promise<string | undefined> {
    const statuses = await Promise.all(
      this.hosts.map(async (host) => ({
        host,
        status: await this.call<MemberStatus>(host, 'maintenance/status').catch(() => undefined),
      })),
    );
    return statuses.find(
      ({ status }) =>
        status?.leader !== undefined && status.leader !== '0' && status.leader === status.header?.member_id,
    )?.host.name;
  }

  /** The member dies, is taken out of the cluster, and comes back with an empty disk as a new one. */
  async lose(name: string): Promise<void> {
    const other = this.hosts.find((h) => h.name !== name)!;
    await this.kill(name);
    const { members } = await this.call<{ members: { ID: string; name?: string }[] }>(other, 'cluster/member/list');
    const member = members.find((m) => m.name === name);
    if (!member) throw new Error(`etcd has no member ${name}`);
    await this.call(other, 'cluster/member/remove', { ID: member.ID });
    rmSync(join(this.dir, name), { recursive: true, force: true });
    this.joined.add(name);
  }

  async rejoin(name: string): Promise<void> {
    const other = this.hosts.find((h) => h.name !== name)!;
    const peer = this.peerUrl(this.hostOf(name));
    const { members } = await this.call<{ members: { peerURLs: string[] }[] }>(other, 'cluster/member/list');
    if (!members.some((m) => m.peerURLs.includes(peer)))
      await this.call(other, 'cluster/member/add', { peerURLs: [peer] });
    await this.start(name);
  }

  async stop(): Promise<void> {
    await Promise.all(this.names.map((name) => this.kill(name)));
  }

  private hostOf(name: string): Host {
    return this.hosts.find((h) => h.name === name)!;
  }

  private clientUrl(host: Host): string {
    return `http://${host.ip}:${host.ports['client']}`;
  }

  private peerUrl(host: Host): string {
    return `http://${host.ip}:${host.ports['peer']}`;
  }

  private async isHealthy(host: Host): Promise<boolean> {
    try {
      const reply = await fetch(`${this.clientUrl(host)}/health`, { signal: AbortSignal.timeout(CALL_MS) });
      return /"health":\s*"true"/.test(await reply.text());
    } catch {
      return false;
    }
  }

  private async call<Reply>(host: Host, method: string, body: object = {}): Promise<Reply> {
    const reply = await fetch(`${this.clientUrl(host)}/v3/${method}`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(CALL_MS * 2),
    });
    if (!reply.ok) throw new Error(`etcd ${method}: ${reply.status} ${await reply.text()}`);
    return (await reply.json()) as Reply;
  }
}
