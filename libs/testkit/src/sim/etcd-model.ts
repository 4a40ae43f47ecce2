import { CadastreError } from '@cadastre/core';
import type { Random } from '@cadastre/runtime';
import type { CallOptions, MemoryCall } from '@cadastre/store';
import { MemoryDatabase, MemoryStore } from '@cadastre/store';
import type { Links } from './links.js';
import { Pipe } from './links.js';
import type { SimProcess } from './process.js';

const DEADLINE_MS = 5_000;
/** Made all the time, whatever goes on. */
const IDLE_CALLS: ReadonlySet<string> = new Set(['keepalive', 'status']);

/**
 * etcd as control planes see it: one register behind a network. Calls get lost on the way there or back, arrive late, find no leader;
 * watches stand still and catch up in batches; leases run out by etcd's own clock, or all at once.
 */
export class SimEtcd {
  readonly database: MemoryDatabase;
  private readonly stores = new Map<SimProcess, MemoryStore>();
  private leader = true;
  /** Share of answers that do not come back. */
  lostReplies = 0;
  /** Share of requests that never arrive. */
  lostRequests = 0;
  /** Looks at each call when it has been done or refused. */
  onCall: ((process: SimProcess, call: MemoryCall, done: boolean) => void) | undefined;

  constructor(
    readonly process: SimProcess,
    private readonly links: Links,
    private readonly random: Random,
  ) {
    this.database = new MemoryDatabase(process.clock, { clusterId: 'simulated' });
  }

  /** The register as one process reaches it. */
  storeOf(process: SimProcess): MemoryStore {
    const store = new MemoryStore({
      database: this.database,
      clock: process.clock,
      carry: (call, run, options) => this.carry(process, call, run, options),
      watchDelayMs: () => this.links.delayMs(this.links.link(this.process.host, process.host)),
    });
    this.stores.set(process, store);
    return store;
  }

  onKilled(process: SimProcess): void {
    this.stores.get(process)?.close();
    this.stores.delete(process);
  }

  /** Without a leader nothing is written or read, and nothing expires. */
  setLeader(leader: boolean): void {
    this.leader = leader;
    this.onLinksChanged();
  }

  onLinksChanged(): void {
    const { host } = this.process;
    for (const [{ host: client }, store] of this.stores)
      store.setConnected(
        this.leader && !this.process.frozen && !this.links.isCut(host, client) && !this.links.isCut(client, host),
      );
  }

  private carry<T>(process: SimProcess, call: MemoryCall, run: () => T, options: CallOptions | undefined): Promise<T> {
    const { host } = this.process;
    const up = new Pipe(this.links, process.host, host);
    const down = new Pipe(this.links, host, process.host);
    return new Promise((resolve, reject) => {
      const label = `${process.host}>${host} ${call.kind}`;
      const late = process.clock.after(options?.deadlineMs ?? DEADLINE_MS, () => reject(lost(call)));
      const answer = (settle: () => void): void => {
        if (this.random() < this.lostReplies) return;
        down.send(`${label} reply`, () =>
          process.enter(() => {
            late.cancel();
            settle();
          }),
        );
      };
      const perform = (): void => {
        this.onCall?.(process, call, this.leader);
        if (!this.leader) return answer(() => reject(lost(call)));
        try {
          const result = run();
          answer(() => resolve(result));
        } catch (error) {
          answer(() => reject(error as Error));
        }
        return undefined;
      };
      process.leave(label, host, IDLE_CALLS.has(call.kind), () => {
        if (this.random() >= this.lostRequests) up.send(label, () => this.process.enter(perform));
      });
    });
  }
}

/** What a caller knows that has no answer: of a transaction nothing, of all else that asking again does no harm. */
const lost = ({ kind }: MemoryCall): CadastreError =>
  kind === 'txn'
    ? new CadastreError('UNKNOWN_OUTCOME', 'etcd gave no answer', { remedy: 'read back what it would have written' })
    : new CadastreError('UNAVAILABLE', 'etcd gave no answer', { remedy: 'retry with backoff' });
