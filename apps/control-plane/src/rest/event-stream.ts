import type { IncomingMessage, ServerResponse } from 'node:http';
import { CadastreError } from '@cadastre/core';
import { type Cancellable, type Clock, sha256Hex } from '@cadastre/runtime';
import type { OperationsPort } from '../operations/ports.js';
import type { PlanJson, StateJson } from './schemas.js';
import { nodeJson, planJson, statusJson } from './views.codec.js';

export interface EventStreamOptions {
  readonly clock: Clock;
  /** At most one event in this time, default 250 ms. */
  readonly periodMs?: number;
  readonly maxClients?: number;
}

/** Who reads: what it may do is in what it is sent. */
export interface Reader {
  /** The right to read may have been lost. */
  readonly isAllowed: () => boolean;
  /** Readers of one key are sent the same text. */
  readonly key: string;
  readonly operations: OperationsPort;
}

interface Client {
  readonly response: ServerResponse;
  readonly reader: Reader;
  /** Id of the last event that this client has. */
  sent: string;
}

interface Sent {
  readonly id: string;
  readonly text: string;
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
  /** By the reader's key, of the last look. */
  private readonly texts = new Map<string, Sent>();
  private dirty = true;
  private running = false;
  private lookedAt = -Infinity;
  private restMs = 0;
  private timers: readonly Cancellable[] = [];

  constructor(private readonly options: EventStreamOptions) {}

  /** The register changed: look at the next opportunity. */
  touch(): void {
    this.dirty = true;
  }

  /**
   * Each event is the whole state and its id stands for its content, on every replica: a reader that comes back with the id of what it
   * has (Last-Event-ID) is sent nothing before that differs, and misses nothing either.
   */
  serve(request: IncomingMessage, response: ServerResponse, reader: Reader): void {
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
    const last = request.headers['last-event-id'];
    const client: Client = { response, reader, sent: typeof last === 'string' ? last : '' };
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
    this.texts.clear();
    for (const { reader } of this.clients) this.read(reader);
    this.lookedAt = clock.monotonicMs();
    this.restMs = (this.lookedAt - began) / BUSY_SHARE;
  }

  private read({ key, operations, isAllowed }: Reader): void {
    if (this.texts.has(key) || !isAllowed()) return;
    const state = readState(operations);
    this.running = RUNNING.includes(state.plan?.state ?? '');
    const text = JSON.stringify(state);
    this.texts.set(key, { id: sha256Hex(text).slice(0, 16), text });
  }

  private send(client: Client): void {
    if (!client.reader.isAllowed()) return this.refuse(client);
    const now = this.texts.get(client.reader.key);
    if (!now || client.sent === now.id || client.response.writableNeedDrain) return;
    client.sent = now.id;
    client.response.write(`id: ${now.id}\nevent: state\ndata: ${now.text}\n\n`);
  }

  /** The page asks again, is told that it must sign in, and shows it. */
  private refuse(client: Client): void {
    client.response.end();
    this.drop(client);
  }

  private heartbeat(): void {
    for (const client of this.clients) if (!client.reader.isAllowed()) this.refuse(client);
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
