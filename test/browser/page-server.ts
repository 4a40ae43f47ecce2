import { silentLogger, systemClock } from '@cadastre/runtime';
import { createApp, listenHttp } from '../../apps/control-plane/src/host/http-host.js';
import { Identity } from '../../apps/control-plane/src/access/identify.js';
import { EventStream } from '../../apps/control-plane/src/rest/event-stream.js';
import type { FakeOperations } from './fake-operations.js';

export interface PageServer {
  readonly url: string;
  readonly port: number;
  /** Tells the pages that something changed. */
  touch(): void;
  /** Another world from now on: a server of its own for each test would take longer than most of them. */
  use(next: FakeOperations): void;
  stop(): Promise<void>;
}

/** The real HTTP side over fake operations; gRPC is wired but does not listen. */
export const startPageServer = async (operations: FakeOperations, port = 0): Promise<PageServer> => {
  const events = new EventStream({ clock: systemClock });
  let current = operations;
  const whatever = new Proxy(operations, {
    get: (_, name) => {
      const value: unknown = Reflect.get(current, name);
      return typeof value === 'function' ? (value.bind(current) as unknown) : value;
    },
  });
  const app = await createApp(
    {
      identity: new Identity({ operations: whatever, clock: systemClock, guarded: undefined }),
      events,
      readiness: { unreadyBecause: () => undefined },
    },
    true,
    silentLogger,
  );
  const bound = await listenHttp(app, '127.0.0.1', port);
  return {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    touch: () => events.touch(),
    use: (next) => {
      current = next;
      events.touch();
    },
    stop: async () => {
      events.close();
      await app.close();
    },
  };
};
