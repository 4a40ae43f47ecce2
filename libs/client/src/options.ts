import { invalid, printable } from '@cadastre/core';
import type { TlsFiles, Transport } from '@cadastre/contracts';
import { CredentialSource, grpcTransport, tlsTransport } from '@cadastre/contracts';
import type { Clock, Logger, NewId, OpenTelemetryApi, Random, Tracer } from '@cadastre/runtime';
import type { LinkLimits } from './link/node-link.js';
import { LINK_LIMITS } from './link/node-link.js';
import type { MeterLike } from './telemetry.js';
import { openTelemetryTracer, randomId, silentLogger, systemClock, systemRandom } from '@cadastre/runtime';

export interface ClientOptions {
  /** host:port of control-plane replicas; any one is enough. */
  readonly controlPlanes: readonly string[];
  /** host:port of nodes to learn the map from while no control plane answers; those of a map that is known are asked anyway. */
  readonly nodes?: readonly string[];
  /** Last-known-good map, used at start when no control plane answers within 500 ms. Its folder must exist. */
  readonly cacheFile?: string;
  /** What operators see of this client in the list of watchers. */
  readonly name?: string;
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly newId?: NewId;
  /** PEM files: what this program shows (role client), and whose certificates it believes; read anew when they change. Without: plaintext. */
  readonly tls?: TlsFiles;
  /** Default gRPC, with `tls` where that is given. */
  readonly transport?: Transport;
  /** Total time of one request with all its retries; the default, 20 s, outlasts the failover of a leader that is dead (a second or so) or silent (some 6 s). */
  readonly requestTimeoutMs?: number;
  /** Time of one attempt at one node. */
  readonly attemptTimeoutMs?: number;
  /** Traces: the module @opentelemetry/api, in a program that has set up its SDK. */
  readonly tracing?: OpenTelemetryApi;
  /** Instead of `tracing`: what spans are made by. */
  readonly tracer?: Tracer;
  /** Metrics: a Meter of @opentelemetry/api. */
  readonly meter?: MeterLike;
  /** Where this program runs, e.g. `{ zone: 'a' }`: reads that may go to any replica go to the nearest. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Bounds on what waits and what is under way, for each node. */
  readonly limits?: Partial<LinkLimits>;
}

export interface CompiledOptions extends Required<
  Omit<ClientOptions, 'cacheFile' | 'meter' | 'tracing' | 'tracer' | 'limits' | 'tls'>
> {
  /** Followed while the client lives. */
  readonly credentials: CredentialSource | undefined;
  readonly cacheFile: string | undefined;
  readonly meter: MeterLike | undefined;
  readonly tracer: Tracer | undefined;
  readonly limits: LinkLimits;
}

export const compileOptions = (raw: ClientOptions): CompiledOptions => {
  const {
    cacheFile,
    logger = silentLogger,
    clock = systemClock,
    random = systemRandom,
    newId = randomId,
    requestTimeoutMs = 20_000,
    attemptTimeoutMs = 2_000,
    meter,
    tracing,
    labels = {},
    nodes = [],
  } = raw;
  checkMs('requestTimeoutMs', requestTimeoutMs);
  checkMs('attemptTimeoutMs', attemptTimeoutMs);
  if (raw.tls && raw.transport)
    throw invalid('tls', 'goes with the transport that is given', 'give tls or transport, not both');
  const controlPlanes = checkAddresses(raw.controlPlanes);
  nodes.forEach((address, i) => checkAddress(`nodes[${i}]`, address));
  const credentials = raw.tls && new CredentialSource(raw.tls, { clock, logger });
  const transport = raw.transport ?? (credentials ? tlsTransport(credentials, clock) : grpcTransport);
  return {
    credentials,
    controlPlanes,
    nodes,
    cacheFile,
    name: raw.name ?? `client-${newId(4)}`,
    logger,
    clock,
    random,
    newId,
    transport,
    requestTimeoutMs,
    attemptTimeoutMs,
    meter,
    tracer: raw.tracer ?? (tracing && openTelemetryTracer(tracing, '@cadastre/client')),
    labels,
    limits: compileLimits(raw.limits ?? {}),
  };
};

const compileLimits = (raw: Partial<LinkLimits>): LinkLimits => {
  const limits = { ...LINK_LIMITS, ...raw };
  for (const [name, value] of Object.entries(limits))
    if (!Number.isInteger(value) || value < 1)
      throw invalid(`limits.${name}`, `${value} is no bound`, 'give a whole number', 'at least 1');
  return limits;
};

const checkMs = (field: string, value: number): void => {
  if (!Number.isFinite(value) || value <= 0)
    throw invalid(field, `${value} is no time`, 'give milliseconds', 'more than 0');
};

const checkAddresses = (addresses: readonly string[]): readonly string[] => {
  if (!Array.isArray(addresses) || addresses.length === 0)
    throw invalid('controlPlanes', 'is empty', 'give host:port of at least one control-plane replica');
  addresses.forEach((address, i) => checkAddress(`controlPlanes[${i}]`, address));
  return addresses;
};

const checkAddress = (field: string, address: string): void => {
  if (!/^\S+:\d{1,5}$/.test(address))
    throw invalid(field, `"${printable(String(address))}" is no address`, 'give host:port, such as 127.0.0.1:7400');
};
