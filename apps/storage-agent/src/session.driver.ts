import type { NodeEntry } from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { encodeNode, fromServiceError } from '@cadastre/contracts';
import type { Cancellable, Clock, Logger, Random } from '@cadastre/runtime';
import { Backoff } from '@cadastre/runtime';
import type { ControlPlane } from './control-plane.js';

export interface SessionOptions {
  readonly node: NodeEntry;
  readonly capacity: Readonly<Record<string, number>>;
  readonly incarnation: string;
  readonly controlPlane: ControlPlane;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly onWelcome: () => void;
  readonly onFatal: (error: Error) => void;
}

type Stream = ReturnType<Wire.AgentClient['session']>;

/** Keeps the node's lease alive through any control-plane replica; the lease outlives the replica, so another one takes it on. */
export class Session {
  private readonly backoff: Backoff;
  private stream: Stream | undefined;
  private leaseId = '';
  private beat: Cancellable | undefined;
  private unanswered = 0;
  private stopped = false;
  private failures = 0;
  private kept = false;

  constructor(private readonly options: SessionOptions) {
    this.backoff = new Backoff({ initialMs: 100, maxMs: 2000 }, options.random);
  }

  /** A control plane has welcomed this node and has answered since. */
  get up(): boolean {
    return this.kept;
  }

  connect(): void {
    if (this.stopped) return;
    const stream = this.options.controlPlane.next().agent.session();
    this.stream = stream;
    this.unanswered = 0;
    stream.on('data', (reply: Wire.SessionReply__Output) => this.take(stream, reply));
    stream.on('error', (error) => this.lost(stream, error));
    stream.on('end', () => this.lost(stream, undefined));
    const { node, capacity, incarnation } = this.options;
    stream.write({ hello: { node: encodeNode(node), capacity: { ...capacity }, incarnation, leaseId: this.leaseId } });
    this.beatEvery(stream, 3000);
  }

  /** Says goodbye, so that the map need not wait for the lease to run out. */
  stop(): Promise<void> {
    this.stopped = true;
    this.beat?.cancel();
    const { stream } = this;
    this.stream = undefined;
    if (!stream) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.options.clock.after(500, () => stream.cancel());
      stream.on('close', () => {
        timer.cancel();
        resolve();
      });
      stream.write({ goodbye: {} });
      stream.end();
    });
  }

  private take(stream: Stream, reply: Wire.SessionReply__Output): void {
    if (stream !== this.stream) return;
    this.unanswered = 0;
    if (reply.kept) return this.options.controlPlane.learnActive(reply.kept.activeAddress);
    if (!reply.welcome) return undefined;
    this.backoff.reset();
    this.failures = 0;
    this.kept = true;
    this.leaseId = reply.welcome.leaseId;
    this.options.controlPlane.learnActive(reply.welcome.activeAddress);
    this.beatEvery(stream, Math.max(100, reply.welcome.ttlMs / 3));
    return this.options.onWelcome();
  }

  private beatEvery(stream: Stream, periodMs: number): void {
    this.beat?.cancel();
    this.beat = this.options.clock.every(periodMs, () => {
      // Two beats without an answer leave one third of the term to go elsewhere.
      if (this.unanswered >= 2)
        return this.lost(stream, new CadastreError('UNAVAILABLE', 'the session is not answered'));
      this.unanswered += 1;
      stream.write({ keepAlive: {} });
    });
  }

  private lost(stream: Stream, error: unknown): void {
    if (stream !== this.stream) return;
    this.stream = undefined;
    this.kept = false;
    this.beat?.cancel();
    stream.cancel();
    if (this.stopped) return;
    const cause = error instanceof CadastreError ? error : error ? fromServiceError(error as never) : undefined;
    if (cause?.code === 'ALREADY_EXISTS') return this.options.onFatal(cause);
    if (cause?.code === 'NOT_FOUND' || cause?.code === 'INVALID_ARGUMENT') this.leaseId = '';
    const delayMs = cause?.code === 'FAILED_PRECONDITION' ? 2000 : this.backoff.nextMs();
    this.failures += 1;
    // The first failure is news, its repetition is not.
    const say = this.failures === 1 || this.failures % 60 === 0 ? 'warn' : 'debug';
    this.options.logger[say]('session lost', {
      event: 'session-lost',
      delayMs,
      failures: this.failures,
      ...(cause && { error: cause }),
    });
    this.options.clock.after(delayMs, () => this.connect(), { background: true });
  }
}
