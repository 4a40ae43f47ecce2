import { CadastreError } from '@cadastre/core';
import type { Logger } from '@cadastre/runtime';

/** What a program can follow of a client's inner life. Cheap to ignore: nothing is made for who does not listen. */
export type ClientEvent =
  | {
      readonly kind: 'not-owner';
      readonly keyspace: string;
      readonly partition: number;
      /** Under which the request was made. */
      readonly epoch: number;
      /** The answer was newer than the map, which took it over. */
      readonly healed: boolean;
    }
  | {
      readonly kind: 'retry';
      readonly op: string;
      readonly keyspace: string;
      readonly partition: number;
      readonly attempts: number;
      /** Error code of the attempt before. */
      readonly because: string;
    }
  | { readonly kind: 'hedge'; readonly keyspace: string; readonly partition: number; readonly afterMs: number }
  | { readonly kind: 'channel-opened' | 'channel-closed'; readonly address: string };

export type ClientListener = (event: ClientEvent) => void;

type Attributes = Readonly<Record<string, string | number>>;

/**
 * The part of a Meter of @opentelemetry/api (1.x) that is used: give `metrics.getMeter('your-service')`. By shape and not by import, so that
 * a program without OpenTelemetry does not install it.
 */
export interface MeterLike {
  createCounter(
    name: string,
    options?: { description?: string; unit?: string },
  ): {
    add(value: number, attributes?: Attributes): void;
  };
  createHistogram(
    name: string,
    options?: { description?: string; unit?: string },
  ): {
    record(value: number, attributes?: Attributes): void;
  };
  createObservableGauge(
    name: string,
    options?: { description?: string; unit?: string },
  ): {
    addCallback(callback: (result: { observe(value: number, attributes?: Attributes): void }) => void): void;
  };
}

/** Figures that are looked at when somebody collects them. */
export interface Gauges {
  channels(): number;
  requestsUnderWay(): number;
  mapGenerations(): Iterable<readonly [keyspace: string, number: number]>;
}

const attributesOf = (partitions: 'one' | 'many') => ({
  read: { effect: 'read', partitions },
  write: { effect: 'write', partitions },
});
const ONE = attributesOf('one');
const MANY = attributesOf('many');

interface Instruments {
  readonly operations: ReturnType<MeterLike['createCounter']>;
  readonly requests: ReturnType<MeterLike['createCounter']>;
  readonly duration: ReturnType<MeterLike['createHistogram']>;
  readonly events: ReturnType<MeterLike['createCounter']>;
}

export class Telemetry {
  private readonly instruments: Instruments | undefined;
  private readonly listeners = new Set<ClientListener>();

  constructor(
    meter: MeterLike | undefined,
    gauges: Gauges,
    private readonly logger: Logger,
  ) {
    this.instruments = meter && instrumentsOf(meter, gauges);
  }

  /** @returns a function that ends the subscription */
  onEvent(listener: ClientListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  operation(effect: 'read' | 'write', many: boolean): void {
    this.instruments?.operations.add(1, many ? MANY[effect] : ONE[effect]);
  }

  done(op: string, keyspace: string, tookMs: number, error: unknown): void {
    if (!this.instruments) return;
    const outcome = error === undefined ? 'ok' : CadastreError.from(error).code;
    const attributes = { op, keyspace, outcome };
    this.instruments.requests.add(1, attributes);
    this.instruments.duration.record(tookMs / 1000, attributes);
  }

  event(event: ClientEvent): void {
    this.instruments?.events.add(1, { kind: event.kind });
    for (const listener of this.listeners) {
      try {
        listener(event);
      } catch (error) {
        this.logger.warn('a listener of client events has thrown', { event: 'listener-failed', error });
      }
    }
  }
}

const instrumentsOf = (meter: MeterLike, gauges: Gauges): Instruments => {
  meter
    .createObservableGauge('cadastre.client.channels', { description: 'open channels to nodes' })
    .addCallback((result) => result.observe(gauges.channels()));
  meter
    .createObservableGauge('cadastre.client.requests.in_flight', { description: 'requests that wait or are under way' })
    .addCallback((result) => result.observe(gauges.requestsUnderWay()));
  meter
    .createObservableGauge('cadastre.client.map.generation', { description: 'generation of the map in use' })
    .addCallback((result) => {
      for (const [keyspace, number] of gauges.mapGenerations()) result.observe(number, { keyspace });
    });
  return {
    operations: meter.createCounter('cadastre.client.operations', {
      description: 'what callers asked for, by how many partitions it took',
    }),
    requests: meter.createCounter('cadastre.client.requests', { description: 'whole requests, retries included' }),
    duration: meter.createHistogram('cadastre.client.request.duration', {
      unit: 's',
      description: 'of whole requests',
    }),
    events: meter.createCounter('cadastre.client.events', { description: 'redirections, retries, hedges, channels' }),
  };
};
