import type { KeyspaceMap } from '@cadastre/core';
import type { GetMapCall, SharedMessage, SnapshotForm } from '@cadastre/contracts';
import { encodeSnapshot, serveGetMap, shareMessage, streaming } from '@cadastre/contracts';
import type { MapWatch } from './map-watch.driver.js';

/**
 * Gives this node's own copy of the map to clients that no control plane answers. A copy says of which generation it is, so a client
 * that asks several nodes takes the newest; nothing is passed on between nodes.
 */
export const mapHandlers = (watch: MapWatch) => {
  const encoded = new WeakMap<KeyspaceMap, Map<SnapshotForm, readonly SharedMessage[]>>();
  const snapshotOf = (map: KeyspaceMap, form: SnapshotForm): readonly SharedMessage[] => {
    const forms = encoded.get(map) ?? new Map<SnapshotForm, readonly SharedMessage[]>();
    encoded.set(map, forms);
    const messages = forms.get(form) ?? encodeSnapshot(map, form).map(shareMessage);
    forms.set(form, messages);
    return messages;
  };
  const maps = (): KeyspaceMap[] => [...watch.keyspaces()].map((name) => watch.get(name)!);
  return {
    getMap: streaming((call: GetMapCall) =>
      serveGetMap(call, {
        clusterId: () => watch.clusterId,
        current: maps,
        snapshot: async (keyspace, form) => {
          const map = watch.get(keyspace);
          return map && snapshotOf(map, form);
        },
      }),
    ),
  };
};
