import type { KeyspaceMap } from '@cadastre/core';
import { checkName, invalid } from '@cadastre/core';
import type { KvKind, KvReplies, ReceivedOp, Wire } from '@cadastre/contracts';
import { placeOf } from './place.js';
import type { ReplicaRead } from './replica-reads.js';
import { compileRead } from './replica-reads.js';
import type { RequestOptions, Router } from './router.js';

export interface RelayHost {
  readonly router: Router;
  current(keyspace: string): KeyspaceMap | undefined;
  mapOf(keyspace: string, options: RequestOptions): Promise<KeyspaceMap>;
  nextRequestId(): string;
}

export interface RelayOptions extends RequestOptions {
  /** Who asks: requests of one asker take turns with those of others. */
  readonly flow?: object | undefined;
}

/** Requests that others have put into words: sent to the leader of their partition, with retries and healing, as requests of the client's own. */
export class Relay {
  constructor(private readonly host: RelayHost) {}

  /** @throws CadastreError INVALID_ARGUMENT naming the field, NOT_FOUND, and what the requests of a keyspace throw */
  async ask(op: ReceivedOp, options: RelayOptions): Promise<KvReplies[KvKind]> {
    const { target } = op.request;
    if (!target) throw invalid('target', 'is missing', 'name keyspace, partition and epoch, or set by_key');
    checkName('target.keyspace', target.keyspace);
    const { keyspace } = target;
    const map = this.host.current(keyspace) ?? (await this.host.mapOf(keyspace, options));
    const partition = target.byKey ? placeOf(op, map) : checkPartition(target, map);
    const named = 'requestId' in op.request && op.request.requestId === '' ? this.named(op) : op;
    const effect = op.kind === 'get' || op.kind === 'scan' ? 'read' : 'write';
    this.host.router.tally(effect, 1);
    return this.host.router.call(
      {
        kind: op.kind,
        effect,
        keyspace,
        partition,
        flow: options.flow,
        read: readOf(op),
        at: (place, staleMs) =>
          ({ kind: op.kind, request: { ...named.request, target: place, ...age(op, staleMs) } }) as ReceivedOp,
      },
      options,
    );
  }

  /** Our own retries must not write twice either. */
  private named(op: ReceivedOp): ReceivedOp {
    return { kind: op.kind, request: { ...op.request, requestId: this.host.nextRequestId() } } as ReceivedOp;
  }
}

/** What may be answered by any copy goes to the one that is nearest to this process. */
const readOf = ({ request }: ReceivedOp): ReplicaRead | undefined =>
  'follower' in request && request.follower
    ? compileRead({ from: 'nearest', ...(request.maxStalenessMs > 0 && { maxStalenessMs: request.maxStalenessMs }) })
    : undefined;

const age = ({ kind }: ReceivedOp, staleMs: number | undefined): object => {
  if (kind !== 'get' && kind !== 'scan') return {};
  return { follower: staleMs !== undefined, maxStalenessMs: staleMs ?? 0 };
};

const checkPartition = ({ partition }: Wire.Target__Output, map: KeyspaceMap): number => {
  if (partition < map.partitions) return partition;
  throw invalid(
    'target.partition',
    `${partition} of ${map.partitions}`,
    'compute the partition from the key with the scheme of the map, or set by_key',
    `0 to ${map.partitions - 1}`,
  );
};
