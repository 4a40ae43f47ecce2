import type { Logger } from '@cadastre/runtime';
import type {
  KeyValue,
  LeaseId,
  RecordCodec,
  Revision,
  Store,
  UserRecord,
  Watch,
  WebSessionRecord,
} from '@cadastre/store';
import { keys, userCodec, webSessionCodec } from '@cadastre/store';

interface Known<T> {
  readonly value: T;
  readonly revision: Revision;
  readonly leaseId: LeaseId;
}

/**
 * Users and sessions in memory, fed by a watch of their own: every replica knows every session, so that a page goes on at another
 * replica without signing in again. A record that cannot be read lets nobody in.
 */
export class AccessDirectory {
  private readonly people = new Map<string, Known<UserRecord>>();
  private readonly signedIn = new Map<string, Known<WebSessionRecord>>();
  private watch: Watch | undefined;
  private shownRevision: Revision = 0n;
  private readonly waiting = new Set<{ revision: Revision; resolve: () => void }>();

  constructor(
    private readonly store: Store,
    private readonly logger: Logger,
    private readonly onFatal: (error: Error) => void,
  ) {}

  get users(): ReadonlyMap<string, Known<UserRecord>> {
    return this.people;
  }

  /** By the hash of their token. */
  get sessions(): ReadonlyMap<string, Known<WebSessionRecord>> {
    return this.signedIn;
  }

  start(): Promise<void> {
    return new Promise((resolve) => {
      this.watch = this.store.watch(keys.access, {
        onResync: ({ kvs, revision }) => {
          this.people.clear();
          this.signedIn.clear();
          for (const kv of kvs) this.take(kv);
          this.advance(revision);
          resolve();
        },
        onBatch: ({ events, revision }) => {
          for (const { type, kv } of events) {
            if (type === 'put') this.take(kv);
            else this.forget(kv.key);
          }
          this.advance(revision);
        },
        onProgress: (revision) => this.advance(revision),
        onError: (error) => this.onFatal(error),
      });
    });
  }

  /** Resolves when what was written at `revision` can be seen here. */
  reached(revision: Revision): Promise<void> {
    if (this.shownRevision >= revision) return Promise.resolve();
    return new Promise((resolve) => this.waiting.add({ revision, resolve }));
  }

  stop(): void {
    this.watch?.close();
    for (const waiter of this.waiting) waiter.resolve();
    this.waiting.clear();
  }

  private advance(revision: Revision): void {
    if (revision > this.shownRevision) this.shownRevision = revision;
    for (const waiter of this.waiting) {
      if (waiter.revision > this.shownRevision) continue;
      this.waiting.delete(waiter);
      waiter.resolve();
    }
  }

  private take(kv: KeyValue): void {
    if (kv.key.startsWith(keys.accessUsers)) this.keep(this.people, kv, keys.accessUsers, userCodec);
    else if (kv.key.startsWith(keys.accessSessions)) this.keep(this.signedIn, kv, keys.accessSessions, webSessionCodec);
  }

  private keep<T>(into: Map<string, Known<T>>, kv: KeyValue, prefix: string, codec: RecordCodec<T>): void {
    const name = kv.key.slice(prefix.length);
    try {
      into.set(name, { value: codec.decode(kv.value), revision: kv.modRevision, leaseId: kv.leaseId });
    } catch (error) {
      into.delete(name);
      this.logger.error('a record of access cannot be read and lets nobody in', {
        key: prefix,
        reason: String(error),
      });
    }
  }

  private forget(key: string): void {
    if (key.startsWith(keys.accessUsers)) this.people.delete(key.slice(keys.accessUsers.length));
    else this.signedIn.delete(key.slice(keys.accessSessions.length));
  }
}
