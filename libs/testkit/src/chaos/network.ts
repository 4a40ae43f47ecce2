import { execFile, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { freePorts } from '../etcd.js';
import { TcpProxy } from '../tcp-proxy.js';

/** A machine of the run: where its process listens, and how a command is run on it. */
export interface Host {
  readonly name: string;
  readonly ip: string;
  readonly prefix: readonly string[];
  /** By purpose. */
  readonly ports: Readonly<Record<string, number>>;
}

export type Pair = readonly [from: string, to: string];

/** The network between processes, with cuts of one direction each. */
export interface Network {
  readonly kind: 'namespaces' | 'loopback';
  host(name: string, purposes: readonly string[]): Promise<Host>;
  /** host:port at which `from` (`*`: everybody) reaches a port of `to`. */
  route(from: string, to: Host, purpose: string): Promise<string>;
  /** What `from` sends to `to` vanishes, silently, until it is healed as often as it was cut. */
  cut(pairs: readonly Pair[]): Promise<void>;
  heal(pairs: readonly Pair[]): Promise<void>;
  stop(): Promise<void>;
}

const run = promisify(execFile);

const runWith = async (command: string, args: readonly string[], input: string): Promise<void> => {
  const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${said}`);
};

const SUBNET = '10.77.0';
const PORTS: Readonly<Record<string, number>> = { client: 2379, peer: 2380, grpc: 7400, http: 7480, kv: 7600 };
/** Nobody has this address, so a frame to it is lost in the bridge without a word to its sender. */
const NOWHERE = '02:de:ad:00:00:01';

/**
 * A network namespace for each process, joined by a bridge. For root, inside namespaces of this run's own (network, mounts, processes), so
 * that the machine's are not touched and nothing is left behind. A cut is a wrong neighbour entry: packets of one direction vanish.
 */
export class NamespaceNetwork implements Network {
  readonly kind = 'namespaces';
  private readonly hosts = new Map<string, Host>();
  private readonly cuts = new Map<string, number>();

  static async create(): Promise<NamespaceNetwork> {
    mkdirSync('/run/netns', { recursive: true });
    await run('mount', ['-t', 'tmpfs', 'tmpfs', '/run/netns']);
    await runWith(
      'ip',
      ['-batch', '-'],
      `link set lo up\nlink add br0 type bridge\naddr add ${SUBNET}.1/24 dev br0\nlink set br0 up\n`,
    );
    return new NamespaceNetwork();
  }

  async host(name: string): Promise<Host> {
    const number = this.hosts.size + 2;
    const ip = `${SUBNET}.${number}`;
    const host = { name, ip, prefix: ['ip', 'netns', 'exec', name], ports: PORTS };
    this.hosts.set(name, host);
    await run('ip', ['netns', 'add', name]);
    const outside = `link add v${number} type veth peer name eth0 netns ${name}\nlink set v${number} master br0 up\n`;
    await runWith('ip', ['-batch', '-'], outside);
    await runWith('ip', ['-n', name, '-batch', '-'], `addr add ${ip}/24 dev eth0\nlink set eth0 up\nlink set lo up\n`);
    return host;
  }

  route(_from: string, to: Host, purpose: string): Promise<string> {
    return Promise.resolve(`${to.ip}:${to.ports[purpose]}`);
  }

  cut(pairs: readonly Pair[]): Promise<void> {
    const fresh = pairs.filter((pair) => this.count(pair, 1) === 1);
    return this.change(fresh, (ip) => `neigh replace ${ip} lladdr ${NOWHERE} dev eth0 nud permanent`);
  }

  heal(pairs: readonly Pair[]): Promise<void> {
    const over = pairs.filter((pair) => this.count(pair, -1) === 0);
    return this.change(over, (ip) => `neigh del ${ip} dev eth0`);
  }

  /** Namespaces end with the processes of the run. */
  stop(): Promise<void> {
    return Promise.resolve();
  }

  private count([from, to]: Pair, by: number): number {
    const key = `${from} ${to}`;
    const cuts = (this.cuts.get(key) ?? 0) + by;
    this.cuts.set(key, cuts);
    return cuts;
  }

  private async change(pairs: readonly Pair[], line: (ip: string) => string): Promise<void> {
    const bySource = new Map<string, string>();
    for (const [from, to] of pairs) bySource.set(from, `${bySource.get(from) ?? ''}${line(this.hosts.get(to)!.ip)}\n`);
    await Promise.all([...bySource].map(([from, lines]) => runWith('ip', ['-n', from, '-batch', '-'], lines)));
  }
}

/** On one loopback, every connection through a proxy. Coarser: what goes to an agent or from one member of etcd to another shares a proxy, or has none. */
export class LoopbackNetwork implements Network {
  readonly kind = 'loopback';
  private readonly proxies: { readonly from: string; readonly to: string; readonly proxy: TcpProxy }[] = [];
  private readonly routes = new Map<string, Promise<string>>();

  async host(name: string, purposes: readonly string[]): Promise<Host> {
    const ports = await freePorts(purposes.length);
    return {
      name,
      ip: '127.0.0.1',
      prefix: [],
      ports: Object.fromEntries(purposes.map((purpose, i) => [purpose, ports[i]!])),
    };
  }

  route(from: string, to: Host, purpose: string): Promise<string> {
    const key = `${from} ${to.name} ${purpose}`;
    let route = this.routes.get(key);
    if (!route) {
      route = TcpProxy.start(to.ports[purpose]!).then((proxy) => {
        this.proxies.push({ from, to: to.name, proxy });
        return proxy.endpoint;
      });
      this.routes.set(key, route);
    }
    return route;
  }

  cut(pairs: readonly Pair[]): Promise<void> {
    for (const [from, to] of pairs) {
      for (const link of this.proxies) {
        if (link.to === to && (link.from === from || link.from === '*')) link.proxy.blackhole('up');
        if (link.to === from && (link.from === to || link.from === '*')) link.proxy.blackhole('down');
      }
    }
    return Promise.resolve();
  }

  heal(pairs: readonly Pair[]): Promise<void> {
    const names = new Set(pairs.flat());
    for (const { to, proxy } of this.proxies) if (names.has(to)) proxy.heal();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    await Promise.all(this.proxies.map(({ proxy }) => proxy.stop()));
  }
}
