import { CadastreClient } from '@cadastre/client';
import type { KvServe, RpcServer, Transport } from '@cadastre/contracts';
import {
  grpcTransport,
  Health,
  healthService,
  KvMeter,
  kvService,
  kvSurface,
  listenHealth,
  tracedServe,
} from '@cadastre/contracts';
import type { Clock, Logger, Readings, Tracer } from '@cadastre/runtime';
import { silentLogger, systemClock } from '@cadastre/runtime';
import { KvFront } from './kv-front.js';
import type { ROUTER_METRICS } from './router-metrics.js';
import { routerReadings } from './router-metrics.js';

export interface RouterConfig {
  /** What operators see of it in the list of watchers. */
  readonly id: string;
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly controlPlanes: readonly string[];
  /** Last-known-good map, to start from when no control plane answers. */
  readonly cacheFile?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** host:port of a second server that answers health checks alone. */
  readonly health?: string;
  readonly inFlightMax?: number;
  readonly logger?: Logger;
  /** Spans of requests and of what follows from them; without one nothing is recorded. */
  readonly tracer?: Tracer;
  readonly clock?: Clock;
  readonly transport?: Transport;
}

/** A running router. */
export interface Router {
  /** host:port that it listens on. */
  readonly address: string;
  /** What it says of itself, for who asks. */
  readonly readings: Readings<typeof ROUTER_METRICS>;
  /** Says that it is not serving, answers what it has taken, closes. Within about 2 s. */
  stop(): Promise<void>;
}

const IN_FLIGHT_MAX = 20_000;
const GRACE_MS = 2_000;
/** gRPC names of what is served, for health checks. */
const SERVICES = ['cadastre.v1.Kv'];

/** @throws CadastreError INVALID_ARGUMENT naming the option, UNAVAILABLE when there is no map to start from or the port is taken */
export const startRouter = async (config: RouterConfig): Promise<Router> => {
  const { transport = grpcTransport, clock = systemClock, logger = silentLogger } = config;
  const { id, host, port, controlPlanes, cacheFile, labels = {}, inFlightMax = IN_FLIGHT_MAX } = config;
  const client = await CadastreClient.connect({
    controlPlanes,
    name: id,
    labels,
    logger,
    clock,
    transport,
    ...(config.tracer && { tracer: config.tracer }),
    ...(cacheFile !== undefined && { cacheFile }),
  });
  const front = new KvFront({ client, clock, inFlightMax });
  const meter = new KvMeter();
  const { tracer } = config;
  const serve: KvServe = (op, caller) => front.serve(op, caller);
  const traced = tracer ? tracedServe(serve, tracer, { name: 'router', roots: true }) : serve;
  const kv = kvSurface(clock, traced, meter.note);
  const health = new Health(SERVICES);
  const server: RpcServer = transport.server().add(kvService, kv.handlers).add(healthService, health.handlers);
  let probed: RpcServer | undefined;
  try {
    const bound = await server.listen({ host, port });
    if (config.health !== undefined) probed = await listenHealth(health, config.health, transport);
    health.set('SERVING');
    return {
      address: `${host}:${bound}`,
      readings: routerReadings({ client, meter, inFlight: () => front.inFlight, inFlightMax }),
      async stop() {
        health.set('NOT_SERVING');
        health.close();
        kv.frames.drain();
        await Promise.all([server.stop(GRACE_MS), probed?.stop(GRACE_MS)]);
        await client.close();
      },
    };
  } catch (error) {
    server.cut();
    await client.close();
    throw error;
  }
};
