import type { Cancellable, Clock } from '@cadastre/runtime';
import { errorMessage, unavailable } from '../store-errors.js';
import type { LeaseId } from '../store.js';
import type { EtcdConnection, Endpoint, RpcStream } from './connection.js';
import { asRpcError, isStaleToken } from './etcd-errors.js';
import type { RegisterGuard } from './register-guard.js';
import type { WireKeepAliveResponse } from './wire.js';

export type KeepAliveAnswer = { readonly ttlMs: number } | 'gone';

interface Waiter {
  readonly id: LeaseId;
  readonly resolve: (answer: KeepAliveAnswer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Cancellable;
  sent: boolean;
}

/**
 * One stream for all leases of a store. etcd answers the requests of a stream in order, so an answer belongs to the oldest
 * waiter of its lease. One overdue answer ends the stream: everyone who waits is told, and the next request goes elsewhere.
 */
export class KeepAliveStream {
  private waiters: Waiter[] = [];
  private stream: RpcStream | undefined;
  private endpoint: Endpoint | undefined;
  private opening = false;

  constructor(
    private readonly connection: EtcdConnection,
    private readonly guard: RegisterGuard,
    private readonly clock: Clock,
  ) {}

  request(id: LeaseId, deadlineMs: number): Promise<KeepAliveAnswer> {
    return new Promise((resolve, reject) => {
      const timer = this.clock.after(deadlineMs, () => this.onOverdue(waiter));
      const waiter: Waiter = { id, resolve, reject, timer, sent: false };
      this.waiters.push(waiter);
      if (this.stream) this.send(waiter);
      else if (!this.opening) void this.open(deadlineMs);
    });
  }

  close(): void {
    this.fail(unavailable('the store is closed'));
  }

  private async open(deadlineMs: number): Promise<void> {
    this.opening = true;
    try {
      const { stream, endpoint } = await this.connection.stream('Lease', 'leaseKeepAlive', deadlineMs);
      this.opening = false;
      this.attach(stream, endpoint);
    } catch (error) {
      this.opening = false;
      this.fail(unavailable(`keepalive: ${errorMessage(error)}`, error));
    }
  }

  private attach(stream: RpcStream, endpoint: Endpoint): void {
    this.stream = stream;
    this.endpoint = endpoint;
    stream.on('data', (message: WireKeepAliveResponse) => this.stream === stream && this.onAnswer(message));
    stream.on('error', (error) => this.onEnd(stream, error));
    stream.on('end', () => this.onEnd(stream, new Error('ended by the server')));
    for (const waiter of this.waiters) this.send(waiter);
  }

  private send(waiter: Waiter): void {
    if (waiter.sent) return;
    waiter.sent = true;
    this.stream?.write({ ID: waiter.id.toString() });
  }

  private onAnswer(message: WireKeepAliveResponse): void {
    try {
      this.guard.checkCluster(message.header);
    } catch (error) {
      return this.fail(error as Error);
    }
    const id = BigInt(message.ID);
    const index = this.waiters.findIndex((waiter) => waiter.sent && waiter.id === id);
    const [waiter] = index < 0 ? [] : this.waiters.splice(index, 1);
    if (!waiter) return;
    waiter.timer.cancel();
    const seconds = Number(message.TTL);
    waiter.resolve(seconds > 0 ? { ttlMs: seconds * 1000 } : 'gone');
  }

  private onOverdue(waiter: Waiter): void {
    if (this.endpoint) this.connection.avoid(this.endpoint);
    if (waiter.sent) return this.fail(unavailable('keepalive: no answer in time'));
    this.waiters = this.waiters.filter((other) => other !== waiter);
    waiter.reject(unavailable('keepalive: not connected in time'));
  }

  private onEnd(stream: RpcStream, error: Error): void {
    if (this.stream !== stream) return;
    if (isStaleToken(asRpcError(error))) this.connection.forgetToken();
    if (this.endpoint) this.connection.avoid(this.endpoint);
    this.fail(unavailable(`keepalive: ${errorMessage(error)}`, error));
  }

  private fail(error: Error): void {
    const { stream, waiters } = this;
    this.stream = undefined;
    this.endpoint = undefined;
    this.waiters = [];
    stream?.cancel();
    for (const waiter of waiters) {
      waiter.timer.cancel();
      waiter.reject(error);
    }
  }
}
