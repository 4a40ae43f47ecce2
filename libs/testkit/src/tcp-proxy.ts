import { createServer, connect } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/** `up`: from client to server. */
export type Direction = 'up' | 'down';
/** What becomes of a chunk: forwarded, or the connection ends before it. */
export type Verdict = 'pass' | 'cut';

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Bytes forwarded in each direction. */
  readonly bytes: Record<Direction, number>;
  /** Chunks that arrived during a black hole, in order. */
  readonly held: Record<Direction, Buffer[]>;
}

/** What becomes of one chunk, given the bytes that its connection has carried before. */
export type ChunkRule = (
  direction: Direction,
  link: { readonly bytes: Readonly<Record<Direction, number>> },
  chunk: Buffer,
) => Verdict;

/** A TCP proxy on 127.0.0.1 that can be cut, refuse, swallow and slow down: the network between a client and one server. */
export class TcpProxy {
  private readonly links = new Set<Link>();
  private readonly holes = new Set<Direction>();
  private refusing = false;
  private delayMs = 0;
  private accepted = 0;
  private onChunk: ChunkRule | undefined;

  private constructor(
    private readonly listener: Server,
    private target: number,
  ) {
    listener.on('connection', (client) => this.accept(client));
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    const listener = createServer({ noDelay: true });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    return new TcpProxy(listener, targetPort);
  }

  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Connections accepted so far. */
  get connections(): number {
    return this.accepted;
  }

  /** Drops every connection; new ones are accepted. */
  cut(): void {
    for (const link of [...this.links]) this.drop(link);
  }

  /** Drops every connection and accepts none until `heal`. */
  refuse(): void {
    this.refusing = true;
    this.cut();
  }

  /** Connections stay open, and nothing passes until `heal`: what comes is held back, as a network does that loses packets for a while. */
  blackhole(direction: Direction | 'both' = 'both'): void {
    if (direction !== 'down') this.holes.add('up');
    if (direction !== 'up') this.holes.add('down');
  }

  heal(): void {
    this.refusing = false;
    this.holes.clear();
    for (const link of this.links) {
      for (const direction of ['up', 'down'] as const) {
        for (const chunk of link.held[direction].splice(0)) this.forward(link, direction, chunk);
      }
    }
  }

  /** Milliseconds that each chunk waits, each way. */
  setDelay(ms: number): void {
    this.delayMs = ms;
  }

  /** Asked for each chunk with the bytes its connection has carried before; undefined lets all pass. */
  intercept(rule: ChunkRule | undefined): void {
    this.onChunk = rule;
  }

  /** New connections go to another server. */
  retarget(port: number): void {
    this.target = port;
  }

  async stop(): Promise<void> {
    this.refuse();
    await new Promise<void>((resolve) => this.listener.close(() => resolve()));
  }

  private accept(client: Socket): void {
    client.on('error', () => undefined);
    if (this.refusing) return void client.resetAndDestroy();
    this.accepted += 1;
    const server = connect({ port: this.target, host: '127.0.0.1', noDelay: true });
    const link: Link = { client, server, bytes: { up: 0, down: 0 }, held: { up: [], down: [] } };
    this.links.add(link);
    server.on('error', () => undefined);
    client.on('data', (chunk: Buffer) => this.receive(link, 'up', chunk));
    server.on('data', (chunk: Buffer) => this.receive(link, 'down', chunk));
    client.on('close', () => this.drop(link));
    server.on('close', () => this.drop(link));
  }

  private receive(link: Link, direction: Direction, chunk: Buffer): void {
    if (this.holes.has(direction)) {
      link.held[direction].push(chunk);
      return;
    }
    if (this.delayMs === 0) return this.forward(link, direction, chunk);
    setTimeout(
      () => (this.holes.has(direction) ? link.held[direction].push(chunk) : this.forward(link, direction, chunk)),
      this.delayMs,
    );
  }

  private forward(link: Link, direction: Direction, chunk: Buffer): void {
    if (!this.links.has(link)) return;
    if (this.onChunk?.(direction, link, chunk) === 'cut') return this.drop(link);
    link.bytes[direction] += chunk.length;
    (direction === 'up' ? link.server : link.client).write(chunk);
  }

  private drop(link: Link): void {
    if (!this.links.delete(link)) return;
    link.client.destroy();
    link.server.destroy();
  }
}
