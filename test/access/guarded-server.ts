import { GrpcServer, operatorService } from '@cadastre/contracts';
import { silentLogger, randomId, systemClock, type Clock } from '@cadastre/runtime';
import { MemoryDatabase, type Register, type Store } from '@cadastre/store';
import { createApp, listenHttp } from '../../apps/control-plane/src/host/http-host.js';
import { EventStream } from '../../apps/control-plane/src/rest/event-stream.js';
import { openRegister } from '../../apps/control-plane/src/testing/register-kit.js';
import { Access } from '../../apps/control-plane/src/access/access.js';
import { parseAccessConfig } from '../../apps/control-plane/src/access/access-config.js';
import { Bearers, openKeys } from '../../apps/control-plane/src/access/bearer.js';
import { ClientAddresses } from '../../apps/control-plane/src/access/client-address.js';
import { AccessDirectory } from '../../apps/control-plane/src/access/directory.js';
import { Identity } from '../../apps/control-plane/src/access/identify.js';
import {
  holdsForCaller,
  inNameOfCaller,
  operationsOfCaller,
} from '../../apps/control-plane/src/access/caller-scope.js';
import { Oidc } from '../../apps/control-plane/src/access/oidc.js';
import { operatorHandlers } from '../../apps/control-plane/src/operator/operator.grpc.js';
import { PlanWatches } from '../../apps/control-plane/src/operator/plan-watches.js';
import type { FakeOperations } from '../browser/fake-operations.js';

export interface GuardedServer {
  readonly grpc: string;
  readonly url: string;
  readonly access: Access;
  readonly identity: Identity;
  readonly store: Store;
  readonly register: Register;
  stop(): Promise<void>;
}

export interface GuardedServerOptions {
  readonly operations: FakeOperations;
  readonly config?: object;
  /** Two servers of one cluster share it. */
  readonly database?: MemoryDatabase;
  readonly clock?: Clock;
  readonly bootstrapToken?: string;
  readonly trustedProxies?: readonly string[];
  /** Known beforehand where an identity provider has to send browsers back; else any free one. */
  readonly port?: number;
}

/** The real HTTP side with real sign-in over a register in memory, and verbs that only note what they are asked. */
export const startGuardedServer = async (options: GuardedServerOptions): Promise<GuardedServer> => {
  const { operations, clock = systemClock, bootstrapToken, database = new MemoryDatabase(clock) } = options;
  const kit = await openRegister(database, {}, clock);
  const directory = new AccessDirectory(kit.store, silentLogger, (error) => {
    throw error;
  });
  await directory.start();
  const around = { store: kit.store, register: kit.register, directory, clock, logger: silentLogger, newId: randomId };
  // Tests of what passwords cost are beside the code.
  const access = new Access({ ...around, passwordCost: { N: 2 ** 10, r: 8, p: 1 } });
  const events = new EventStream({ clock, periodMs: 50 });
  const planWatches = new PlanWatches({ operations, clock, periodMs: 50 });
  const config = parseAccessConfig(JSON.stringify(options.config ?? {}), 'test');
  const sessionMs = config.sessionHours * 3_600_000;
  const bearers = new Bearers({
    access,
    clock,
    logger: silentLogger,
    ...(bootstrapToken && { bootstrapToken }),
    ...(config.jwt && { jwt: { config: config.jwt, keys: await openKeys(config.jwt) } }),
  });
  const oidc = config.oidc && new Oidc(config.oidc, access, { clock, logger: silentLogger, sessionMs });
  const addresses = new ClientAddresses(options.trustedProxies);
  const guarded = {
    access,
    bearers,
    addresses,
    proveAgainMs: config.proveAgainMinutes * 60_000,
    ...(oidc && { oidc }),
  };
  const identity = new Identity({ operations, clock, guarded });
  const parts = { identity, events, readiness: { unreadyBecause: () => undefined } };
  const app = await createApp(parts, true, silentLogger);
  const port = await listenHttp(app, '127.0.0.1', options.port ?? 0);
  const grpc = new GrpcServer().add(operatorService, guardedHandlers(identity, planWatches) as never);
  const grpcPort = await grpc.listen({ host: '127.0.0.1', port: 0 });
  return {
    grpc: `127.0.0.1:${grpcPort}`,
    url: `http://127.0.0.1:${port}`,
    access,
    identity,
    store: kit.store,
    register: kit.register,
    stop: async () => {
      events.close();
      planWatches.close();
      await grpc.stop(100);
      await app.close();
      directory.stop();
      kit.stop();
    },
  };
};

const guardedHandlers = (identity: Identity, planWatches: PlanWatches) =>
  inNameOfCaller(
    operatorHandlers({
      operations: operationsOfCaller(identity),
      planWatches,
      holds: () => holdsForCaller(identity),
    }),
    identity,
  );
