import { compareGenerations } from '@cadastre/core';
import type { Generation } from '@cadastre/core';
import type { SnapshotForm } from './codecs/map.codec.js';
import { bestForm, decodeKnown, encodeProgress } from './codecs/map.codec.js';
import type * as Wire from './generated/index.js';
import type { WritableCall } from './server.js';
import type { SharedMessage } from './shared-message.js';

export type GetMapCall = WritableCall<Wire.GetMapRequest__Output, Wire.MapEvent>;

/** The maps of whoever answers: a control-plane replica, or an agent from its own copy. */
export interface MapSource {
  /** Empty when it is not known. */
  clusterId(): string;
  current(): readonly { readonly spec: { readonly name: string }; readonly generation: Generation }[];
  /** Chunks; undefined when the keyspace is gone by now. */
  snapshot(keyspace: string, form: SnapshotForm): Promise<readonly SharedMessage[] | undefined>;
}

/** Answers GetMap: what is newer than what the caller knows, a mark, the end. Waits for the reader after each chunk. */
export const serveGetMap = async (call: GetMapCall, source: MapSource): Promise<void> => {
  const { forms, keyspaces } = call.request;
  const known = new Map(decodeKnown(call.request.known).map((k) => [k.keyspace, k.generation]));
  const form = bestForm(forms);
  for (const { spec, generation } of source.current()) {
    const held = known.get(spec.name);
    const asked = keyspaces.length === 0 || keyspaces.includes(spec.name);
    if (!asked || (held && compareGenerations(generation, held) <= 0)) continue;
    for (const { payload } of (await source.snapshot(spec.name, form)) ?? []) await written(call, payload);
  }
  const current = source.current().map(({ spec, generation }) => ({ keyspace: spec.name, generation }));
  await written(call, encodeProgress(source.clusterId(), current));
  call.end();
};

const written = (call: GetMapCall, payload: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    const gone = () => reject(new Error('the caller is gone'));
    if (call.cancelled || call.destroyed) return gone();
    call.once('cancelled', gone);
    call.write(payload as unknown as Wire.MapEvent, () => {
      call.off('cancelled', gone);
      resolve();
    });
  });
