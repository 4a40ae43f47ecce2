import type { RpcServer } from '@cadastre/contracts';
import { agentService, mapService, operatorService } from '@cadastre/contracts';
import type { OperatorHandlerOptions } from '../operator/operator.grpc.js';
import { operatorHandlers } from '../operator/operator.grpc.js';
import type { AgentHandlerOptions } from '../sessions/agent.grpc.js';
import { agentHandlers } from '../sessions/agent.grpc.js';
import type { MapHandlerOptions } from '../watch/map.grpc.js';
import { mapHandlers } from '../watch/map.grpc.js';

export interface GrpcHostOptions extends MapHandlerOptions, AgentHandlerOptions, OperatorHandlerOptions {}

type Implementation = Parameters<RpcServer['add']>[1];

const GRACE_MS = 3_000;

/** Hosts the native gRPC server; Nest's microservices would put a layer between a stream and its back-pressure. */
export class GrpcHost {
  constructor(
    private readonly server: RpcServer,
    options: GrpcHostOptions,
  ) {
    server.add(mapService, mapHandlers(options) as unknown as Implementation);
    server.add(agentService, agentHandlers(options) as unknown as Implementation);
    server.add(operatorService, operatorHandlers(options) as unknown as Implementation);
  }

  listen(host: string, port: number): Promise<number> {
    return this.server.listen({ host, port });
  }

  stop(): Promise<void> {
    return this.server.stop(GRACE_MS);
  }
}
