import type { CadastreError } from '@cadastre/core';
import { checkKey, invalid, printable } from '@cadastre/core';
import {
  decodeKnown,
  encodeNode,
  encodeRecord,
  endWithError,
  resetStream,
  streaming,
  unary,
} from '@cadastre/contracts';
import type { DuplexCall, Wire } from '@cadastre/contracts';
import type { Clock } from '@cadastre/runtime';
import type { RegisterState } from '@cadastre/store';
import { requireKeyspace } from '@cadastre/store';

import type { Subscription, WatchHub } from './watch-hub.js';

type WatchCall = DuplexCall<Wire.WatchMapRequest__Output, Wire.MapEvent>;

export interface MapHandlerOptions {
  readonly hub: WatchHub;
  readonly clock: Clock;
  readonly state: () => RegisterState;
}

const FIRST_WORD_MS = 10_000;
const KNOWN_MAX = 10_000;

export const mapHandlers = (options: MapHandlerOptions) => ({
  WatchMap: streaming((call: WatchCall) => serveWatch(call, options)),
  Locate: unary<Wire.LocateRequest__Output, Wire.LocateReply>((request) => locate(request, options.state())),
});

/** Bytes that wait for a reader that takes none would keep the status waiting too: then only a reset gets through. */
const cut = (call: WatchCall, error: CadastreError): void => {
  endWithError(call, error);
  if (call.writableLength > 0) resetStream(call);
};

const serveWatch = (call: WatchCall, { hub, clock }: MapHandlerOptions): void => {
  let subscription: Subscription | undefined;
  const silence = clock.after(
    FIRST_WORD_MS,
    () => endWithError(call, invalid('kind', 'no subscription came', 'send Subscribe first', `${FIRST_WORD_MS} ms`)),
    { background: true },
  );
  const end = (): void => {
    silence.cancel();
    subscription?.close();
  };
  call.on('data', (request: Wire.WatchMapRequest__Output) => {
    try {
      if (request.applied) subscription?.applied(decodeKnown(request.applied.applied));
      else if (request.subscribe && !subscription) {
        silence.cancel();
        subscription = subscribe(call, request.subscribe, hub);
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

const subscribe = (call: WatchCall, { watcher, known }: Wire.Subscribe__Output, hub: WatchHub): Subscription => {
  if (watcher === '')
    throw invalid('subscribe.watcher', 'is empty', 'say who watches: the node id, or a name of the client');
  if (known.length > KNOWN_MAX)
    throw invalid(
      'subscribe.known',
      `has ${known.length} entries`,
      'name only keyspaces that exist',
      `${KNOWN_MAX} entries`,
    );
  const sink = {
    peer: call.getPeer(),
    // The stream's serializer passes bytes through: see contracts' mapService.
    write: (bytes: Buffer, flushed: () => void) => void call.write(bytes as unknown as Wire.MapEvent, flushed),
  };
  return hub.subscribe(printable(watcher), decodeKnown(known), sink, (error) => cut(call, error));
};

const locate = (request: Wire.LocateRequest__Output, state: RegisterState): Wire.LocateReply => {
  checkKey(request.key);
  const { map } = requireKeyspace(state, request.keyspace);
  const partition = map.partitionOf(request.key);
  const record = map.record(partition);
  const nodes = record.replicas.flatMap((r) => map.node(r.node) ?? []);
  return { partition, record: encodeRecord(record), generation: map.generation, nodes: nodes.map(encodeNode) };
};
