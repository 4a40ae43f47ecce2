import { EventEmitter } from 'node:events';
import type { ServiceStatus } from './status.js';
import { CODE, failure } from './status.js';
import { Pipe } from './links.js';
import type { Method, SimNetwork } from './network.js';
import type { SimProcess } from './process.js';

/** One call between two processes, as the network sees it. */
export interface AnyCall {
  readonly client: SimProcess;
  readonly serverHost: string;
  readonly serverProcess: SimProcess | undefined;
  /** Pings of its connection are being waited for. */
  watched: boolean;
  /** The end at `host` is gone, and the other one is told. */
  breakFrom(host: string): void;
  /** Both ends lose it, with all that is under way. */
  reset(): void;
}

type Callback = (error: Error | null, reply?: unknown) => void;
interface TimedOptions {
  readonly deadlineMs?: number;
}

/** Said all the time, whatever goes on: beats, keepalives, pings that nobody doubts. */
const IDLE_PATHS = ['/Session', '/Ping'];
const isIdle = (path: string, message?: unknown): boolean => {
  if (IDLE_PATHS.some((end) => path.endsWith(end))) return true;
  return (message as { beat?: unknown } | undefined)?.beat !== undefined;
};

/** Messages that a sender may have out before it is told to wait. */
const WINDOW = 8;

/** Starts a call the way a grpc-js stub does: `args` are (request?, options?, callback?). */
export const openCall = (
  network: SimNetwork,
  client: SimProcess,
  address: string,
  method: Method,
  args: readonly unknown[],
): unknown => {
  const exchange = new Exchange(network, client, address, method);
  if (method.requestStream) return exchange.openStream(undefined);
  if (method.responseStream) return exchange.openStream({ request: args[0] });
  const callback = args.at(-1) as Callback;
  const { deadlineMs = Infinity } = (args.length > 2 ? args[1] : {}) as TimedOptions;
  return exchange.callUnary(args[0], deadlineMs, callback);
};

class Exchange implements AnyCall {
  watched = false;
  serverProcess: SimProcess | undefined;
  readonly serverHost: string;
  readonly label: string;
  private readonly up: Pipe;
  private readonly down: Pipe;
  private clientEnded = false;
  private serverEnded = false;
  /** What the client's end does with a message, and with its end; undefined = well. */
  private onReply: (bytes: Buffer, taken: () => void) => void = () => undefined;
  private onStatus: (error: Error | undefined) => void = () => undefined;
  private server: ServerCall | undefined;

  constructor(
    readonly network: SimNetwork,
    readonly client: SimProcess,
    readonly address: string,
    readonly method: Method,
  ) {
    this.serverHost = address.slice(0, address.lastIndexOf(':'));
    this.label = `${client.host}>${this.serverHost} ${method.path.slice(method.path.lastIndexOf('/') + 1)}`;
    this.up = new Pipe(network.links, client.host, this.serverHost);
    this.down = new Pipe(network.links, this.serverHost, client.host);
    network.begin(this);
  }

  callUnary(request: unknown, deadlineMs: number, callback: Callback): { cancel(): void } {
    let bytes: Buffer;
    let reply: Buffer | undefined;
    const timer =
      deadlineMs === Infinity
        ? undefined
        : this.client.clock.after(deadlineMs, () => this.giveUp(CODE.deadlineExceeded));
    this.onReply = (message) => (reply = message);
    this.onStatus = (error) => {
      timer?.cancel();
      if (error || reply === undefined) callback(error ?? failure(CODE.internal, 'no reply'));
      else callback(null, this.method.responseDeserialize(reply));
    };
    try {
      bytes = this.method.requestSerialize(request);
    } catch (error) {
      this.client.later(0, this.label, () => this.endClient(failure(CODE.internal, String(error))));
      return { cancel: () => undefined };
    }
    this.open(bytes, deadlineMs);
    return { cancel: () => this.giveUp(CODE.cancelled) };
  }

  openStream(first: { readonly request: unknown } | undefined): ClientStream {
    const stream = new ClientStream(this);
    this.onReply = (bytes, taken) => {
      const message = decoded(this.method.responseDeserialize, bytes);
      if (message) stream.take(message.value, taken);
      else this.giveUp(CODE.internal);
    };
    this.onStatus = (error) => stream.finish(error);
    this.open(first && this.method.requestSerialize(first.request), Infinity);
    return stream;
  }

  /** The client wants no more of it. */
  giveUp(code: number): void {
    if (this.clientEnded) return;
    if (!this.client.muted) this.up.send(`${this.label} cancel`, () => this.atServer(() => this.server?.cancel()));
    this.endClient(failure(code, code === CODE.cancelled ? 'Cancelled on client' : 'Deadline exceeded'));
  }

  toServer(bytes: Buffer, idle: boolean): void {
    if (this.clientEnded) return;
    const take = (sent: Buffer): void => {
      const message = decoded(this.method.requestDeserialize, sent);
      if (message) this.server?.take(message.value);
      else this.server?.emit('error', { code: CODE.internal, details: 'Request message could not be decoded' });
    };
    this.client.leave(this.label, this.serverHost, idle, () => {
      const sent = this.pass(bytes, this.client.host, this.serverHost);
      this.up.send(this.label, () => this.atServer(() => take(sent)));
    });
  }

  halfClose(): void {
    if (!this.clientEnded && !this.client.muted)
      this.up.send(`${this.label} end`, () => this.atServer(() => this.server?.halfClosed()));
  }

  toClient(bytes: Buffer, idle: boolean, taken: () => void): void {
    this.serverProcess?.leave(`${this.label} reply`, this.client.host, idle, () => {
      const sent = this.pass(bytes, this.serverHost, this.client.host);
      this.down.send(`${this.label} reply`, () =>
        this.client.enter(() => {
          if (!this.clientEnded) this.onReply(sent, taken);
        }),
      );
    });
  }

  /** The server has said its last word. */
  conclude(status: ServiceStatus | undefined): void {
    if (this.serverProcess?.muted) return;
    this.serverEnded = true;
    const error = status && failure(status.code ?? CODE.unknown, status.details ?? '', status.metadata);
    this.down.send(`${this.label} status`, () => this.client.enter(() => this.endClient(error)));
    this.settle();
  }

  breakFrom(host: string): void {
    const gone = failure(CODE.unavailable, 'Connection dropped');
    if (host === this.client.host) {
      this.up.send(`${this.label} gone`, () => this.atServer(() => this.server?.cancel()));
      if (this.client.alive) this.endClient(gone);
      else this.clientEnded = true;
    } else {
      this.down.send(`${this.label} gone`, () => this.client.enter(() => this.endClient(gone)));
      this.serverEnded = true;
    }
    this.network.onLinksChanged(this);
    this.settle();
  }

  reset(): void {
    this.up.break();
    this.down.break();
    const { scheduler } = this.network.links;
    const server = this.serverProcess;
    scheduler.after(0, `${this.label} reset`, () =>
      this.client.enter(() => this.endClient(failure(CODE.unavailable, 'Connection reset'))),
    );
    if (server) scheduler.after(0, `${this.label} reset`, () => server.enter(() => this.server?.cancel()));
    this.network.end(this);
  }

  serverGone(): void {
    this.serverEnded = true;
    this.settle();
  }

  private pass(bytes: Buffer, from: string, to: string): Buffer {
    return this.network.onMessage?.(this.method.path, from, to, bytes) ?? bytes;
  }

  private open(bytes: Buffer | undefined, deadlineMs: number): void {
    this.client.leave(this.label, this.serverHost, isIdle(this.method.path), () => this.begin(bytes, deadlineMs));
  }

  private begin(bytes: Buffer | undefined, deadlineMs: number): void {
    const sent = bytes && this.pass(bytes, this.client.host, this.serverHost);
    this.up.send(this.label, () => {
      const listener = this.network.listener(this.address);
      if (!listener) return this.refuse(CODE.unavailable, `No connection established: ${this.address}`);
      const handler = listener.handlers.get(this.method.path);
      if (!handler) return this.refuse(CODE.unimplemented, `no method ${this.method.path}`);
      this.serverProcess = listener.process;
      return listener.process.enter(() => {
        const deadline = listener.process.clock.wallMs() + deadlineMs;
        this.server = new ServerCall(this, deadline, sent && this.method.requestDeserialize(sent));
        handler(this.server, this.server.callback);
      });
    });
  }

  private refuse(code: number, details: string): void {
    this.serverEnded = true;
    this.down.send(`${this.label} refused`, () => this.client.enter(() => this.endClient(failure(code, details))));
  }

  private atServer(task: () => void): void {
    this.serverProcess?.enter(task);
  }

  private endClient(error: Error | undefined): void {
    if (this.clientEnded) return;
    this.clientEnded = true;
    this.settle();
    this.onStatus(error);
  }

  private settle(): void {
    if (this.clientEnded && (this.serverEnded || !this.serverProcess?.alive)) this.network.end(this);
  }
}

const decoded = (decode: (bytes: Buffer) => unknown, bytes: Buffer): { readonly value: unknown } | undefined => {
  try {
    return { value: decode(bytes) };
  } catch {
    return undefined;
  }
};

/** The client's end of a stream. */
class ClientStream extends EventEmitter {
  private readonly waiting: { readonly message: unknown; readonly taken: () => void }[] = [];
  private wake: (() => void) | undefined;
  private ended = false;
  private paused = false;
  private error: Error | undefined;

  constructor(private readonly exchange: Exchange) {
    super();
  }

  write(message: unknown): boolean {
    if (this.ended) return true;
    const { network, client, method } = this.exchange;
    network.onSent?.(client, method.path, message);
    this.exchange.toServer(method.requestSerialize(message), isIdle(method.path, message));
    return true;
  }

  end(): void {
    this.exchange.halfClose();
  }

  cancel(): void {
    this.exchange.giveUp(CODE.cancelled);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    for (const { message, taken } of this.waiting.splice(0)) this.take(message, taken);
  }

  take(message: unknown, taken: () => void): void {
    if (!this.paused && this.listenerCount('data') > 0) {
      taken();
      this.emit('data', message);
      return;
    }
    this.waiting.push({ message, taken });
    this.wake?.();
  }

  finish(error: Error | undefined): void {
    this.ended = true;
    this.error = error;
    this.wake?.();
    // After what the caller does now, as with a socket.
    this.exchange.client.later(0, `${this.exchange.label} over`, () => {
      if (error) this.emit('error', error);
      else this.emit('end');
      this.emit('close');
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown> {
    for (;;) {
      const next = this.waiting.shift();
      if (next) {
        next.taken();
        yield next.message;
      } else if (this.ended) {
        if (this.error) throw this.error;
        return;
      } else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}

/** The server's end of a call: of a stream, or of a unary call, whose handler gets `callback` too. */
class ServerCall extends EventEmitter {
  cancelled = false;
  readonly metadata = { get: (): string[] => [] };
  private over = false;
  private out = 0;
  private blocked = false;
  /** What came while the handler would not read. */
  private unread: (() => void)[] | undefined;

  constructor(
    private readonly exchange: Exchange,
    private readonly deadline: number,
    readonly request: unknown,
  ) {
    super();
  }

  readonly callback = (error: ServiceStatus | null, reply?: unknown): void => {
    if (this.over) return;
    if (error) return this.close(error);
    const { method } = this.exchange;
    this.exchange.toClient(method.responseSerialize(reply), isIdle(method.path), () => undefined);
    return this.close(undefined);
  };

  getDeadline(): number {
    return this.deadline;
  }

  getPeer(): string {
    return this.exchange.client.host;
  }

  get writableLength(): number {
    return this.blocked ? this.out : 0;
  }

  /** What grpc-js keeps below: where a stream is reset. */
  readonly call = { stream: { close: (): void => this.close({ code: CODE.resourceExhausted, details: 'reset' }) } };

  write(message: unknown, flushed?: () => void): boolean {
    if (this.over) return true;
    this.out += 1;
    const { method } = this.exchange;
    this.exchange.toClient(method.responseSerialize(message), isIdle(method.path, message), () => this.taken(flushed));
    this.blocked ||= this.out >= WINDOW;
    return !this.blocked;
  }

  end(): void {
    this.close(undefined);
  }

  take(message: unknown): void {
    this.read(() => this.emit('data', message));
  }

  halfClosed(): void {
    this.read(() => this.emit('end'));
  }

  pause(): void {
    this.unread ??= [];
  }

  resume(): void {
    const { unread } = this;
    this.unread = undefined;
    for (const task of unread ?? []) this.read(task);
  }

  private read(task: () => void): void {
    if (this.over) return;
    if (this.unread) this.unread.push(task);
    else task();
  }

  cancel(): void {
    if (this.over) return;
    this.over = true;
    this.cancelled = true;
    this.exchange.serverGone();
    this.emit('cancelled');
    this.emit('close');
  }

  override emit(event: string, ...args: unknown[]): boolean {
    if (event !== 'error') return super.emit(event, ...args);
    const known = super.emit(event, ...args);
    this.close(args[0] as ServiceStatus);
    return known;
  }

  private close(status: ServiceStatus | undefined): void {
    if (this.over) return;
    this.over = true;
    this.exchange.conclude(status);
    if (this.listenerCount('close') > 0)
      this.exchange.serverProcess?.later(0, `${this.exchange.label} closed`, () => this.emit('close'));
  }

  /** The reader has made room: known at once, told only where somebody waits for it. */
  private taken(flushed: (() => void) | undefined): void {
    this.out -= 1;
    const room = this.blocked && this.out <= WINDOW / 2;
    if (!flushed && !room) return;
    this.exchange.serverProcess?.later(0, `${this.exchange.label} room`, () => {
      flushed?.();
      if (!room || !this.blocked) return;
      this.blocked = false;
      this.emit('drain');
    });
  }
}
