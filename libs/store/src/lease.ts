import type { Cancellable, Clock, MonotonicMs } from '@cadastre/runtime';
import type { CallOptions, Lease, LeaseId, LeaseLoss } from './store.js';

/** The share of its TTL during which a lease counts as ours: clocks drift, and we must stop before the store lets others in. */
const USABLE_SHARE = 0.8;

export interface LeaseHost {
  readonly clock: Clock;
  keepAliveOnce(id: LeaseId, options: CallOptions): Promise<{ readonly ttlMs: number } | 'gone'>;
  revokeLease(id: LeaseId): Promise<void>;
  /** The lease needs no more keepalives. */
  onEnd?(lease: Lease): void;
}

/** A lease with its keepalive loop and its own deadline; every store uses this one. Times are monotonic milliseconds. */
export class KeptLease implements Lease {
  private deadline: MonotonicMs;
  private loss: LeaseLoss | undefined;
  private readonly callbacks = new Set<(reason: LeaseLoss) => void>();
  private nextKeepAlive: Cancellable | undefined;
  private watchdog: Cancellable | undefined;

  constructor(
    private readonly host: LeaseHost,
    readonly id: LeaseId,
    readonly ttlMs: number,
    sentAt: MonotonicMs,
  ) {
    this.deadline = sentAt + ttlMs * USABLE_SHARE;
    this.armWatchdog();
    this.schedule(ttlMs / 3);
  }

  expiresAt(): MonotonicMs {
    return this.deadline;
  }

  isAlive(): boolean {
    return this.loss === undefined && this.host.clock.monotonicMs() < this.deadline;
  }

  onLost(callback: (reason: LeaseLoss) => void): () => void {
    if (this.loss !== undefined) callback(this.loss);
    else this.callbacks.add(callback);
    return () => this.callbacks.delete(callback);
  }

  async revoke(): Promise<void> {
    this.lose('revoked');
    await this.host.revokeLease(this.id);
  }

  release(): void {
    this.lose('released');
  }

  private schedule(delayMs: number): void {
    this.nextKeepAlive = this.host.clock.after(delayMs, () => void this.keepAlive(), { background: true });
  }

  private async keepAlive(): Promise<void> {
    const sentAt = this.host.clock.monotonicMs();
    try {
      const answer = await this.host.keepAliveOnce(this.id, { deadlineMs: this.ttlMs / 4 });
      this.onAnswer(answer, sentAt);
    } catch {
      if (this.loss === undefined) this.schedule(Math.min(this.ttlMs / 20, 500));
    }
  }

  private onAnswer(answer: { readonly ttlMs: number } | 'gone', sentAt: MonotonicMs): void {
    if (this.loss !== undefined) return;
    if (answer === 'gone') return this.lose('gone');
    // A process that was suspended can read an old acknowledgement before its own overdue timer runs.
    if (!this.isAlive()) return this.lose('deadline');
    this.deadline = Math.max(this.deadline, sentAt + answer.ttlMs * USABLE_SHARE);
    this.armWatchdog();
    this.schedule(Math.max(0, sentAt + this.ttlMs / 3 - this.host.clock.monotonicMs()));
  }

  private armWatchdog(): void {
    this.watchdog?.cancel();
    const left = Math.max(0, this.deadline - this.host.clock.monotonicMs());
    // A timer may fire a fraction of a millisecond early.
    const check = () => (this.isAlive() ? this.armWatchdog() : this.lose('deadline'));
    this.watchdog = this.host.clock.after(Math.ceil(left), check, { background: true });
  }

  private lose(reason: LeaseLoss): void {
    if (this.loss !== undefined) return;
    this.loss = reason;
    this.nextKeepAlive?.cancel();
    this.watchdog?.cancel();
    this.host.onEnd?.(this);
    const callbacks = [...this.callbacks];
    this.callbacks.clear();
    for (const callback of callbacks) callback(reason);
  }
}
