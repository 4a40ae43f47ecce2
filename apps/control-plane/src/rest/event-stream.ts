import type { IncomingMessage, ServerResponse } from 'node:http';
import { CadastreError } from '@cadastre/core';
import type { Cancellable, Clock } from '@cadastre/runtime';
import type { OperationsPort } from '../operations/ports.js';
import type { PlanJson, StateJson } from './schemas.js';
import { nodeJson, planJson, statusJson } from './views.codec.js';

export interface EventStreamOptions {
  readonly operations: OperationsPort;
  readonly clock: Clock;
  /** At most one event in this time, default 250 ms. */
  readonly periodMs?: number;
  readonly maxClients?: number;
}

interface Client {
  readonly response: ServerResponse;
  /** Who reads may have lost the right to. */
  readonly isAllowed: () => boolean;
  sent: string;
}

const HEARTBEAT_MS = 15_000;
/** Reports of the agents change no register: this often the state is looked at without cause. */
const IDLE_LOOK_MS = 2_000;
/** Looking may take at most this share of the time. */
const BUSY_SHARE = 0.1;
const MOVES_SHOWN = 500;
const RUNNING = ['executing', 'paused', 'approved'];

/** Server-sent events: the whole state as one object, whenever it differs. A reader that is behind misses what is outdated anyway. */
export class EventStream {
  private readonly clients = new Set<Client>();
  private counter = 0;
  private dirty = true;
  private running = false;
  private lookedAt = -Infinity;
  private restMs = 0;
  private text = '';
  private timers: readonly Cancellable[] = [];

  constructor(private readonly options: EventStreamOptions) {}

  /** The register changed: look at the next opportunity. */
  touch(): void {
    this.dirty = true;
  }

  serve(request: IncomingMessage, response: ServerResponse, isAllowed: () => boolean = () => true): void {
    const { maxClients = 200 } = this.options;
    if (this.clients.size >= maxClients)
      throw new CadastreError('RESOURCE_EXHAUSTED', `${maxClients} pages are open`, {
        limit: `${maxClients} event streams a replica`,
        remedy: 'close one, or use another replica',
      });
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    response.write('retry: 1000\n\n');
    const client: Client = { response, isAllowed, sent: '' };
    this.clients.add(client);
    request.on('close', () => this.drop(client));
    response.on('error', () => this.drop(client));
    this.start();
    this.look();
    this.send(client);
  }

  close(): void {
    for (const client of this.clients) client.response.end();
    this.clients.clear();
    this.stopTimers();
  }

  private start(): void {
    if (this.timers.length > 0) return;
    const { clock, periodMs = 250 } = this.options;
    this.timers = [clock.every(periodMs, () => this.onTick()), clock.every(HEARTBEAT_MS, () => this.heartbeat())];
  }

  private stopTimers(): void {
    for (const timer of this.timers) timer.cancel();
    this.timers = [];
  }

  private drop(client: Client): void {
    this.clients.delete(client);
    if (this.clients.size === 0) this.stopTimers();
  }

  private onTick(): void {
    const restedMs = this.options.clock.monotonicMs() - this.lookedAt;
    if (restedMs < this.restMs || !(this.dirty || this.running || restedMs >= IDLE_LOOK_MS)) return;
    this.look();
    for (const client of this.clients) this.send(client);
  }

  private look(): void {
    const { clock } = this.options;
    const began = clock.monotonicMs();
    this.dirty = false;
    const state = readState(this.options.operations);
    this.running = RUNNING.includes(state.plan?.state ?? '');
    const text = JSON.stringify(state);
    if (text !== this.text) this.counter += 1;
    this.text = text;
    this.lookedAt = clock.monotonicMs();
    this.restMs = (this.lookedAt - began) / BUSY_SHARE;
  }

  private send(client: Client): void {
    if (!client.isAllowed()) return this.refuse(client);
    if (client.sent === this.text || client.response.writableNeedDrain) return;
    client.sent = this.text;
    client.response.write(`id: ${this.counter}\nevent: state\ndata: ${this.text}\n\n`);
  }

  /** The page asks again, is told that it must sign in, and shows it. */
  private refuse(client: Client): void {
    client.response.end();
    this.drop(client);
  }

  private heartbeat(): void {
    for (const client of this.clients) if (!client.isAllowed()) this.refuse(client);
    for (const { response } of this.clients) if (!response.writableNeedDrain) response.write(': still here\n\n');
  }
}

const readState = (operations: OperationsPort): StateJson => {
  const status = statusJson(operations.status());
  const id = status.openPlan === '' ? operations.listPlans()[0]?.id : status.openPlan;
  return {
    status,
    nodes: operations.listNodes().map(nodeJson),
    plan: id === undefined ? null : shortened(planJson(operations.getPlan(id))),
  };
};

const rank = (phase: string): number => (phase === 'pending' || phase === '' ? 1 : phase === 'done' ? 2 : 0);

const shortened = (plan: PlanJson): PlanJson => {
  if (plan.moves.length <= MOVES_SHOWN) return plan;
  const moves = [...plan.moves]
    .sort((a, b) => rank(a.phase) - rank(b.phase) || a.index - b.index)
    .slice(0, MOVES_SHOWN);
  return { ...plan, moves };
};
