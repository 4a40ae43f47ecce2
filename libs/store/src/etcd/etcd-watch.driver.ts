import { CadastreError } from '@cadastre/core';
import { Backoff, delay } from '@cadastre/runtime';
import type { Cancellable, Clock, Logger, Random } from '@cadastre/runtime';
import { KnownKeys } from '../known-keys.js';
import { errorMessage, isRegisterChanged } from '../store-errors.js';
import type { RangeOptions, RangeResult, Resync, Watch, WatchBatch, WatchOptions } from '../store.js';
import type { EtcdConnection, Endpoint, RpcStream } from './connection.js';
import type { EtcdCodec } from './etcd.codec.js';
import { asRpcError, isStaleToken } from './etcd-errors.js';
import type { RegisterGuard } from './register-guard.js';
import { WatchAssembler } from './watch-assembler.js';
import type { WireWatchResponse } from './wire.js';

export interface EtcdWatchHost {
  readonly connection: EtcdConnection;
  readonly codec: EtcdCodec;
  readonly guard: RegisterGuard;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly progressPeriodMs: number;
  range(prefix: string, options?: RangeOptions): Promise<RangeResult>;
  /** False for members whose answer to a progress request can overtake events (etcd issue 15220). */
  isProgressExact(endpoint: Endpoint): Promise<boolean>;
  onEnd(watch: EtcdWatch): void;
}

const CONNECT_MS = 5_000;
/** The watch id of an answer to a progress request. */
const ALL_WATCHES = '-1';

/** Keeps one watch going across connections, members and compactions until it is closed or the register is another one. */
export class EtcdWatch implements Watch {
  private readonly stop = new AbortController();
  private readonly assembler: WatchAssembler;
  private readonly known = new KnownKeys();
  private readonly backoff: Backoff;
  private missing: Resync['reason'] | undefined;
  private cancelStream: (() => void) | undefined;
  private progressIsExact = false;

  constructor(
    private readonly host: EtcdWatchHost,
    private readonly prefix: string,
    private readonly options: WatchOptions,
  ) {
    this.assembler = new WatchAssembler(options.fromRevision ?? 0n);
    this.missing = options.fromRevision === undefined ? 'start' : undefined;
    this.backoff = new Backoff({ initialMs: 20, maxMs: 2_000 }, host.random);
    void this.run();
  }

  close(): void {
    if (this.stop.signal.aborted) return;
    this.stop.abort();
    this.cancelStream?.();
    this.host.onEnd(this);
  }

  private async run(): Promise<void> {
    const { signal } = this.stop;
    while (!signal.aborted) {
      try {
        await (this.missing ? this.resync(this.missing) : this.probe());
        if (!signal.aborted) await this.follow();
      } catch (error) {
        if (isFinal(error)) return this.fail(error as Error);
        this.host.logger.debug('watch: interrupted', {
          prefix: this.prefix,
          error: errorMessage(error),
          resumeFrom: `${this.assembler.resumeFrom}`,
        });
        await delay(this.host.clock, this.backoff.nextMs(), signal);
      }
    }
  }

  /** A linearizable read before each stream: another or an older register is noticed before any of its events. */
  private async probe(): Promise<void> {
    this.host.guard.raise(this.assembler.resumeFrom - 1n);
    await this.host.range(this.prefix, { limit: 1, keysOnly: true });
  }

  private async resync(reason: Resync['reason']): Promise<void> {
    const { revision, kvs } = await this.host.range(this.prefix);
    if (this.stop.signal.aborted) return;
    this.assembler.reset(revision + 1n);
    this.missing = undefined;
    const resync = this.known.resync(reason, revision, kvs);
    this.guarded(() => this.options.onResync(resync));
  }

  /** Resolves when closed or compacted, rejects when the stream breaks. */
  private async follow(): Promise<void> {
    const { stream, endpoint } = await this.host.connection.stream('Watch', 'watch', CONNECT_MS);
    this.assembler.reset();
    this.progressIsExact = false;
    void this.host.isProgressExact(endpoint).then((exact) => {
      this.progressIsExact = exact;
    });
    try {
      await this.consume(stream);
    } catch (error) {
      if (!isFinal(error)) this.host.connection.avoid(endpoint);
      throw error;
    }
  }

  private consume(stream: RpcStream): Promise<void> {
    return new Promise((resolve, reject) => {
      const { clock, progressPeriodMs } = this.host;
      let heardAt = clock.monotonicMs();
      let over = false;
      const end = (error?: unknown) => {
        if (over) return;
        over = true;
        this.cancelStream = undefined;
        ticker.cancel();
        stream.cancel();
        if (error === undefined) resolve();
        else reject(error);
      };
      const tick = () => {
        if (clock.monotonicMs() - heardAt > 2 * progressPeriodMs)
          return end(new Error('silent for two progress periods'));
        stream.write({ progress_request: {} });
      };
      const ticker: Cancellable = clock.every(progressPeriodMs, tick);
      this.cancelStream = () => end();
      stream.on('data', (message: WireWatchResponse) => {
        if (over) return;
        heardAt = clock.monotonicMs();
        try {
          if (this.onMessage(message)) end();
        } catch (error) {
          end(error);
        }
      });
      stream.on('error', (error) => {
        if (isStaleToken(asRpcError(error))) this.host.connection.forgetToken();
        end(error);
      });
      stream.on('end', () => end(new Error('ended by the server')));
      if (this.stop.signal.aborted) end();
      else stream.write({ create_request: this.createRequest() });
    });
  }

  private createRequest(): object {
    return {
      ...this.host.codec.prefix(this.prefix),
      start_revision: this.assembler.resumeFrom.toString(),
      progress_notify: true,
      fragment: true,
    };
  }

  /** True when the stream has served its time. */
  private onMessage(message: WireWatchResponse): boolean {
    this.host.guard.checkCluster(message.header);
    if (message.canceled) return this.onCanceled(message);
    if (message.created) return false;
    this.backoff.reset();
    const assembled = this.assembler.accept({
      events: message.events.map((event) => this.host.codec.event(event)),
      fragment: message.fragment,
      headerRevision: BigInt(message.header.revision),
      isProgress: message.watch_id !== ALL_WATCHES || this.progressIsExact,
    });
    if (assembled.kind === 'batches') for (const batch of assembled.batches) this.deliver(batch);
    if (assembled.kind === 'progress') {
      this.host.guard.raise(assembled.revision);
      this.guarded(() => this.options.onProgress?.(assembled.revision));
    }
    return false;
  }

  private onCanceled(message: WireWatchResponse): boolean {
    const reason = message.cancel_reason || 'no reason given';
    if (message.compact_revision !== '0' || /compacted/.test(reason)) {
      this.host.logger.info('watch: compacted, reading anew', {
        prefix: this.prefix,
        from: `${this.assembler.resumeFrom}`,
        compacted: message.compact_revision,
      });
      this.missing = 'compacted';
      return true;
    }
    if (/permission denied/i.test(reason))
      throw new CadastreError('PERMISSION_DENIED', `watch ${this.prefix}: ${reason}`);
    this.host.connection.forgetToken();
    throw new Error(`watch canceled: ${reason}`);
  }

  private deliver(batch: WatchBatch): void {
    if (this.stop.signal.aborted) return;
    this.host.guard.raise(batch.revision);
    this.known.apply(batch);
    this.guarded(() => this.options.onBatch(batch));
  }

  /** A consumer that throws has lost count of its state: its watch ends, the stream handler survives. */
  private guarded(run: () => void): void {
    if (this.stop.signal.aborted) return;
    try {
      run();
    } catch (error) {
      throw new CadastreError('INTERNAL', `watch callback: ${errorMessage(error)}`, { cause: error });
    }
  }

  private fail(error: Error): void {
    if (this.stop.signal.aborted) return;
    this.close();
    this.options.onError(error);
  }
}

const isFinal = (error: unknown): boolean =>
  isRegisterChanged(error) ||
  (error instanceof CadastreError &&
    (error.code === 'PERMISSION_DENIED' || error.code === 'INTERNAL' || error.code === 'INVALID_ARGUMENT'));
