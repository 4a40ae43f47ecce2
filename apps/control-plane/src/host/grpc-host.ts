import type { CallMeter, Health, RpcServer } from '@cadastre/contracts';
import { agentService, healthService, mapService, operatorService } from '@cadastre/contracts';
import { holdsForCaller, inNameOfCaller, operationsOfCaller, withTokenOrCertificate } from '../access/caller-scope.js';
import type { Identity } from '../access/identify.js';
import { operatorHandlers } from '../operator/operator.grpc.js';
import type { PlanWatches } from '../operator/plan-watches.js';
import type { AgentHandlerOptions } from '../sessions/agent.grpc.js';
import { agentHandlers } from '../sessions/agent.grpc.js';
import type { MapHandlerOptions } from '../watch/map.grpc.js';
import { mapHandlers } from '../watch/map.grpc.js';

export interface GrpcHostOptions extends MapHandlerOptions, AgentHandlerOptions {
  readonly identity: Identity;
  readonly planWatches: PlanWatches;
  readonly health: Health;
  readonly calls: CallMeter;
}

type Implementation = Parameters<RpcServer['add']>[1];

const GRACE_MS = 3_000;

/** Hosts the native gRPC server; Nest's microservices would put a layer between a stream and its back-pressure. */
export class GrpcHost {
  constructor(
    private readonly server: RpcServer,
    options: GrpcHostOptions,
  ) {
    const { identity, planWatches, health, calls, clock } = options;
    const add = (definition: Parameters<RpcServer['add']>[0], handlers: object): void =>
      void server.add(definition, calls.count(clock, definition, handlers as Implementation));
    const map = mapHandlers(options);
    const forPeople = identity.guarded && {
      Locate: withTokenOrCertificate(map.Locate, identity),
      ListWatchers: withTokenOrCertificate(map.ListWatchers, identity),
    };
    add(mapService, { ...map, ...forPeople });
    add(agentService, agentHandlers(options));
    server.add(healthService, health.handlers);
    const operator = operatorHandlers({
      operations: operationsOfCaller(identity),
      planWatches,
      holds: () => holdsForCaller(identity),
    });
    add(operatorService, inNameOfCaller(operator, identity));
  }

  listen(host: string, port: number): Promise<number> {
    return this.server.listen({ host, port });
  }

  stop(): Promise<void> {
    return this.server.stop(GRACE_MS);
  }
}
