import type { ServerWritableStream, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { CadastreError, printable } from '@cadastre/core';
import { PROTO_ROOT } from './proto-root.js';
import { CONVERSION } from './proto.js';
import type { RpcServer } from './server.js';
import { streaming, unary } from './server.js';
import type { Transport } from './transport.js';

const definition = loadSync('grpc/health/v1/health.proto', { ...CONVERSION, includeDirs: [PROTO_ROOT] });

export const healthService = definition['grpc.health.v1.Health'] as unknown as ServiceDefinition;

export type HealthStatus = 'SERVING' | 'NOT_SERVING';
interface HealthRequest {
  readonly service: string;
}
type Watcher = ServerWritableStream<HealthRequest, { status: HealthStatus | 'SERVICE_UNKNOWN' }>;

/** Whoever gets an answer for it knows that the process is not stuck; nothing else is needed for it, least of all etcd. */
const LIVENESS = 'liveness';
const READINESS = 'readiness';

/** grpc.health.v1 of one process; the services '' and `readiness` stand for all of it, and `liveness` is always serving. */
export class Health {
  private readonly statuses = new Map<string, HealthStatus>();
  private readonly watchers = new Map<Watcher, string>();

  constructor(services: readonly string[]) {
    for (const service of ['', READINESS, ...services]) this.statuses.set(service, 'NOT_SERVING');
    this.statuses.set(LIVENESS, 'SERVING');
  }

  /** Of all services but `liveness` at once. Watchers are told when it changes. */
  set(status: HealthStatus): void {
    for (const [service, before] of this.statuses) {
      if (before === status || service === LIVENESS) continue;
      this.statuses.set(service, status);
      for (const [call, watched] of this.watchers) if (watched === service) call.write({ status });
    }
  }

  /** Ends all watches, so that a graceful stop does not wait for them. */
  close(): void {
    for (const call of this.watchers.keys()) call.end();
    this.watchers.clear();
  }

  get handlers(): UntypedServiceImplementation {
    return {
      check: unary(({ service }: HealthRequest) => ({ status: this.statusOf(service) })),
      watch: streaming((call: Watcher) => this.watch(call)),
    } as unknown as UntypedServiceImplementation;
  }

  private statusOf(service: string): HealthStatus {
    const status = this.statuses.get(service);
    if (status) return status;
    throw new CadastreError('NOT_FOUND', `service: "${printable(service)}" is not served here`, {
      field: 'service',
      remedy: `ask for one of ${[...this.statuses.keys()].map((name) => `"${name}"`).join(', ')}`,
    });
  }

  private watch(call: Watcher): void {
    const { service } = call.request;
    this.watchers.set(call, service);
    for (const event of ['cancelled', 'close']) call.on(event, () => this.watchers.delete(call));
    call.write({ status: this.statuses.get(service) ?? 'SERVICE_UNKNOWN' });
  }
}

/** Health alone on a server of its own. Kubelets speak no TLS to gRPC, and need none for this. @returns the running server */
export const listenHealth = async (health: Health, address: string, transport: Transport): Promise<RpcServer> => {
  const server = transport.server({ plaintext: true }).add(healthService, health.handlers);
  const colon = address.lastIndexOf(':');
  await server.listen({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) });
  return server;
};
