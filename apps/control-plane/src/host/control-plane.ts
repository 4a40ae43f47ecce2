import type { CredentialSource, Transport } from '@cadastre/contracts';
import { grpcTransport } from '@cadastre/contracts';
import type { Clock, Logger } from '@cadastre/runtime';
import { randomId, silentLogger, systemClock, systemRandom } from '@cadastre/runtime';
import type { Store } from '@cadastre/store';
import { EtcdStore } from '@cadastre/store';
import type { ControlPlaneConfig } from '../config.js';
import { etcdTlsOf } from '../etcd-tls.js';
import { bare, splitAddress } from './host-port.js';
import { createApp, listenHttp } from './http-host.js';
import type { ControlPlane, HttpParts, HttpSide } from './replica.js';
import { Replica } from './replica.js';
import { StoreCare } from './store-care.driver.js';

export type { ControlPlane } from './replica.js';

export interface ControlPlaneDependencies {
  /** Default: etcd at `config.etcd`. */
  readonly store?: Store;
  /** Default gRPC in plaintext. */
  readonly transport?: Transport;
  /** With them HTTP is HTTPS. */
  readonly credentials?: CredentialSource;
  readonly etcdCredentials?: CredentialSource;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** The register is not the one it was, or cannot be watched any more: the process must end. */
  readonly onFatal?: (error: Error) => void;
  readonly signal?: AbortSignal;
}

/**
 * One replica of the control plane, serving when it resolves.
 * @throws CadastreError UNAVAILABLE when etcd does not answer within `config.startTimeoutMs` or a port is taken
 */
export const startControlPlane = async (
  config: ControlPlaneConfig,
  dependencies: ControlPlaneDependencies = {},
): Promise<ControlPlane> => {
  const { clock = systemClock, logger = silentLogger, transport = grpcTransport } = dependencies;
  const { credentials, etcdCredentials, store = openStore(config, clock, logger, etcdCredentials) } = dependencies;
  const replica = new Replica(config, {
    store,
    care: new StoreCare({ store, clock, logger, quotaBytes: config.etcdQuotaBytes }),
    transport,
    clock,
    random: systemRandom,
    newId: randomId,
    logger,
    openHttp: (parts) => openHttp(config.http, parts, logger, credentials),
    writeOut: (line) => void process.stdout.write(line),
    onFatal: dependencies.onFatal ?? (() => undefined),
  });
  try {
    await replica.start(dependencies.signal);
    return replica;
  } catch (error) {
    await replica.stop();
    throw error;
  }
};

const openStore = (
  { etcd }: ControlPlaneConfig,
  clock: Clock,
  logger: Logger,
  credentials: CredentialSource | undefined,
): Store => {
  const store = new EtcdStore({ endpoints: etcd, clock, logger, ...(credentials && { tls: etcdTlsOf(credentials) }) });
  credentials?.onChange(() => store.renewTls(etcdTlsOf(credentials)));
  return store;
};

const openHttp = async (
  address: string,
  parts: HttpParts,
  logger: Logger,
  credentials: CredentialSource | undefined,
): Promise<HttpSide> => {
  const { host, port } = splitAddress(address);
  const app = await createApp(parts, isLoopback(bare(host)), logger, {
    onAnswered: (method, status) => parts.meters.onHttp(method, status),
    ...(credentials && { credentials }),
  });
  try {
    return { address: `${host}:${await listenHttp(app, bare(host), port)}`, close: () => app.close() };
  } catch (error) {
    await app.close();
    throw error;
  }
};

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.');
