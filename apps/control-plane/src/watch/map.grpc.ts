import type { CadastreError } from '@cadastre/core';
import { checkKey, checkName, invalid, printable } from '@cadastre/core';
import {
  bestForm,
  decodeKnown,
  encodeKnown,
  encodeNode,
  encodeRecord,
  endWithError,
  resetStream,
  serveGetMap,
  sharedWriter,
  streaming,
  unary,
} from '@cadastre/contracts';
import type { DuplexCall, GetMapCall, Wire } from '@cadastre/contracts';
import type { Cancellable, Clock } from '@cadastre/runtime';
import type { RegisterState } from '@cadastre/store';
import { requireKeyspace } from '@cadastre/store';
import { convergenceView } from './convergence.js';
import { refuseWithheld } from '../recovery/withheld.js';
import type { Subscription, WatchHub } from './watch-hub.js';

type WatchCall = DuplexCall<Wire.WatchMapRequest__Output, Wire.MapEvent>;

export interface MapHandlerOptions {
  readonly hub: WatchHub;
  readonly clock: Clock;
  readonly state: () => RegisterState;
  /** This replica's id. */
  readonly replica?: string;
}

const FIRST_WORD_MS = 10_000;
const KNOWN_MAX = 10_000;
const LAGGARDS_MAX = 20;

export const mapHandlers = (options: MapHandlerOptions) => ({
  WatchMap: streaming((call: WatchCall) => serveWatch(call, options)),
  GetMap: streaming((call: GetMapCall) => {
    refuseWithheld(options.state());
    return serveGetMap(call, {
      clusterId: () => options.state().cluster?.value.clusterId ?? '',
      current: () => [...options.hub.channels.values()].map(({ map }) => map),
      snapshot: (keyspace, form) => options.hub.snapshotOf(keyspace, form),
    });
  }),
  ListWatchers: unary<Wire.ListWatchersRequest__Output, Wire.ListWatchersReply>((request) =>
    listWatchers(options, request.laggardsMax || LAGGARDS_MAX),
  ),
  Locate: unary<Wire.LocateRequest__Output, Wire.LocateReply>((request) => locate(request, options.state())),
});

/** Bytes that wait for a reader that takes none would keep the status waiting too: then only a reset gets through. */
const cut = (call: WatchCall, error: CadastreError): void => {
  endWithError(call, error);
  if (call.writableLength > 0) resetStream(call);
};

const serveWatch = (call: WatchCall, { hub, clock, state }: MapHandlerOptions): void => {
  let subscription: Subscription | undefined;
  // Let go of once a word has come: of ten thousand idle streams every kept object counts.
  let silence: Cancellable | undefined = clock.after(
    FIRST_WORD_MS,
    () => endWithError(call, invalid('kind', 'no subscription came', 'send Subscribe first', `${FIRST_WORD_MS} ms`)),
    { background: true },
  );
  const end = (): void => {
    silence?.cancel();
    silence = undefined;
    subscription?.close();
  };
  call.on('data', (request: Wire.WatchMapRequest__Output) => {
    try {
      if (request.applied) subscription?.applied(decodeKnown(request.applied.applied), request.applied.heldMs);
      else if (request.subscribe && !subscription) {
        silence?.cancel();
        silence = undefined;
        subscription = subscribe(call, request.subscribe, { hub, state });
      } else
        throw invalid(
          'kind',
          request.subscribe ? 'a second subscription' : 'is missing',
          'send Subscribe once, then Applied',
        );
    } catch (error) {
      end();
      endWithError(call, error);
    }
  });
  call.on('end', () => (end(), call.end()));
  for (const event of ['cancelled', 'close', 'error'] as const) call.on(event, end);
};

const subscribe = (
  call: WatchCall,
  request: Wire.Subscribe__Output,
  { hub, state }: Pick<MapHandlerOptions, 'hub' | 'state'>,
): Subscription => {
  refuseWithheld(state());
  const { watcher, known, keyspaces, node, forms } = request;
  if (watcher === '')
    throw invalid('subscribe.watcher', 'is empty', 'say who watches: the node id, or a name of the client');
  checkCount('subscribe.known', known);
  checkCount('subscribe.keyspaces', keyspaces);
  const wish = {
    known: decodeKnown(known),
    form: bestForm(forms),
    keyspaces: keyspaces.length > 0 ? new Set(keyspaces) : undefined,
    node: node === '' ? undefined : checkName('subscribe.node', node),
  };
  const sink = { peer: call.getPeer(), write: sharedWriter(call) };
  return hub.subscribe(printable(watcher), wish, sink, (error) => cut(call, error));
};

const checkCount = (field: string, list: readonly unknown[]): void => {
  if (list.length > KNOWN_MAX)
    throw invalid(field, `has ${list.length} entries`, 'name only keyspaces that exist', `${KNOWN_MAX} entries`);
};

const listWatchers = ({ hub, replica = '' }: MapHandlerOptions, laggardsMax: number): Wire.ListWatchersReply => ({
  replica,
  watchers: hub.size,
  keyspaces: hub.convergence().map(convergenceView),
  laggards: hub.laggards(Math.min(laggardsMax, KNOWN_MAX)).map(({ name, peer, applied, behind }) => ({
    watcher: name,
    peer,
    behind: Number.isFinite(behind) ? behind : 0,
    needsWhole: !Number.isFinite(behind),
    applied: encodeKnown(applied),
  })),
});

const locate = (request: Wire.LocateRequest__Output, state: RegisterState): Wire.LocateReply => {
  refuseWithheld(state);
  checkKey(request.key);
  const { map } = requireKeyspace(state, request.keyspace);
  const partition = map.partitionOf(request.key);
  const record = map.record(partition);
  const nodes = record.replicas.flatMap((r) => map.node(r.node) ?? []);
  return { partition, record: encodeRecord(record), generation: map.generation, nodes: nodes.map(encodeNode) };
};
