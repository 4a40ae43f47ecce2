import { CadastreError } from '@cadastre/core';
import type { Peer, RpcServer, Transport } from '@cadastre/contracts';
import {
  agentService,
  kvService,
  livenessService,
  mapService,
  operatorService,
  transferService,
} from '@cadastre/contracts';
import type { Random } from '@cadastre/runtime';
import { delay } from '@cadastre/runtime';
import type { AnyCall } from './calls.js';
import { openCall } from './calls.js';
import type { Links } from './links.js';
import type { SimProcess } from './process.js';

/** As grpc-js describes a method. */
export interface Method {
  readonly path: string;
  readonly originalName?: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  requestSerialize(value: unknown): Buffer;
  requestDeserialize(bytes: Buffer): unknown;
  responseSerialize(value: unknown): Buffer;
  responseDeserialize(bytes: Buffer): unknown;
}

export type Handler = (call: unknown, callback?: unknown) => void;

interface Listener {
  readonly process: SimProcess;
  readonly handlers: ReadonlyMap<string, Handler>;
}

/** An idle or silent connection is found dead by pings within this time (10 s between pings, 5 s for the answer). */
const KEEPALIVE_MS = { min: 10_000, max: 15_000 };

/**
 * Processes call each other through it. Messages go through the real encoders; each stream keeps its order, streams among themselves
 * do not. A call whose connection breaks fails at both ends, each in its own time.
 */
export class SimNetwork {
  private readonly listeners = new Map<string, Listener>();
  private readonly calls = new Set<AnyCall>();
  private nextPort = 20_000;
  /** A client sends a message. */
  onSent: ((client: SimProcess, path: string, message: unknown) => void) | undefined;
  /** Looks at the bytes of each message, and may change them. */
  onMessage: ((path: string, from: string, to: string, bytes: Buffer) => Buffer) | undefined;

  constructor(
    readonly links: Links,
    readonly random: Random,
  ) {}

  transport(process: SimProcess): Transport {
    return { server: () => this.server(process), peer: (address) => this.peer(process, address) };
  }

  listener(address: string): Listener | undefined {
    const listener = this.listeners.get(address);
    return listener?.process.alive ? listener : undefined;
  }

  begin(call: AnyCall): void {
    this.calls.add(call);
    if (this.isSevered(call)) this.watchConnection(call);
  }

  end(call: AnyCall): void {
    this.calls.delete(call);
  }

  /** A cut, a freeze, a silent death: pings will find out. */
  onLinksChanged(only?: AnyCall): void {
    for (const call of only ? [only] : this.calls)
      if (this.calls.has(call) && this.isSevered(call)) this.watchConnection(call);
  }

  /** The process is gone. `silently`: nobody is told, as when a machine loses its power. */
  onKilled(process: SimProcess, silently: boolean): void {
    for (const [address, listener] of this.listeners) if (listener.process === process) this.listeners.delete(address);
    for (const call of [...this.calls]) {
      if (call.client !== process && call.serverProcess !== process) continue;
      if (silently) this.watchConnection(call);
      else call.breakFrom(process.host);
    }
  }

  /** All connections between two machines are reset at once. */
  reset(a: string, b: string): void {
    for (const call of [...this.calls]) {
      const hosts = [call.client.host, call.serverHost];
      if (hosts.includes(a) && hosts.includes(b)) call.reset();
    }
  }

  private isSevered({ client, serverHost, serverProcess }: AnyCall): boolean {
    return (
      this.links.isCut(client.host, serverHost) ||
      this.links.isCut(serverHost, client.host) ||
      client.frozen ||
      (serverProcess?.frozen ?? false) ||
      !client.alive ||
      serverProcess?.alive === false
    );
  }

  private watchConnection(call: AnyCall): void {
    if (call.watched) return;
    call.watched = true;
    const check = (): number => KEEPALIVE_MS.min + this.random() * (KEEPALIVE_MS.max - KEEPALIVE_MS.min);
    this.links.scheduler.after(check(), 'keepalive', () => {
      call.watched = false;
      if (this.calls.has(call) && this.isSevered(call)) call.reset();
    });
  }

  private server(process: SimProcess): RpcServer {
    const handlers = new Map<string, Handler>();
    const addresses: string[] = [];
    const close = (): void => {
      for (const address of addresses)
        if (this.listeners.get(address)?.process === process) this.listeners.delete(address);
    };
    const self: RpcServer = {
      add: (definition, implementation) => {
        for (const [name, method] of Object.entries(definition as unknown as Record<string, Method>)) {
          const handler = implementation[name] ?? implementation[method.originalName ?? ''];
          if (handler) handlers.set(method.path, handler as Handler);
        }
        return self;
      },
      listen: async ({ host, port }) => {
        const bound = port === 0 ? this.nextPort++ : port;
        const address = `${host}:${bound}`;
        if (this.listener(address)) throw new CadastreError('UNAVAILABLE', `cannot listen on ${address}: in use`);
        this.listeners.set(address, { process, handlers });
        addresses.push(address);
        return bound;
      },
      stop: async (graceMs) => {
        close();
        const own = (): AnyCall[] => [...this.calls].filter((call) => call.serverProcess === process);
        if (own().length > 0) await delay(process.clock, graceMs);
        for (const call of own()) call.breakFrom(process.host);
      },
      cut: close,
    };
    return self;
  }

  private peer(process: SimProcess, address: string): Peer {
    const stub = (service: unknown): never => {
      const client: Record<string, unknown> = {};
      for (const [name, method] of Object.entries(service as Record<string, Method>)) {
        const start = (...args: unknown[]): unknown => openCall(this, process, address, method, args);
        client[name] = start;
        if (method.originalName) client[method.originalName] = start;
      }
      return client as never;
    };
    const services: Record<string, unknown> = {};
    const lazily = (name: string, service: unknown): never => (services[name] ??= stub(service)) as never;
    return {
      address,
      get map() {
        return lazily('map', mapService);
      },
      get agent() {
        return lazily('agent', agentService);
      },
      get operator() {
        return lazily('operator', operatorService);
      },
      get kv() {
        return lazily('kv', kvService);
      },
      get liveness() {
        return lazily('liveness', livenessService);
      },
      get transfer() {
        return lazily('transfer', transferService);
      },
      close: () => undefined, // as with grpc-js, calls under way go on
    };
  }
}
