import type { KeyspaceMap } from '@cadastre/core';
import { compareGenerations } from '@cadastre/core';
import type { Transport, Wire } from '@cadastre/contracts';
import { encodeKnown, KNOWN_FORMS, SnapshotAssembler } from '@cadastre/contracts';
import { systemClock, type Random } from '@cadastre/runtime';

/** So many nodes are asked at a time: of several copies the newest is taken, and one alone may have been cut off for long. */
const ASKED = 3;
const DEADLINE_MS = 5_000;

export interface NodeMaps {
  readonly clusterId: string;
  readonly maps: readonly KeyspaceMap[];
}

export interface AskOptions {
  readonly transport: Transport;
  readonly random: Random;
  readonly keyspaces: readonly string[];
  readonly held: readonly KeyspaceMap[];
}

/** The newest copy of each keyspace that some of these nodes have and the caller has not; undefined when none answers with any. */
export const newestOfNodes = async (
  addresses: readonly string[],
  options: AskOptions,
): Promise<NodeMaps | undefined> => {
  const asked = addresses
    .map((address) => ({ address, at: options.random() }))
    .sort((a, b) => a.at - b.at)
    .slice(0, ASKED);
  const answers = await Promise.all(asked.map(({ address }) => mapsOf(address, options)));
  const good = answers.filter((answer) => answer !== undefined);
  return good.length === 0 ? undefined : good.reduce(newest);
};

/** Copies of two clusters cannot be compared: the first that was heard of stands. */
const newest = (a: NodeMaps, b: NodeMaps): NodeMaps => {
  if (a.clusterId !== '' && b.clusterId !== '' && a.clusterId !== b.clusterId) return a;
  const maps = new Map(a.maps.map((map) => [map.spec.name, map]));
  for (const map of b.maps) {
    const held = maps.get(map.spec.name);
    if (!held || compareGenerations(map.generation, held.generation) > 0) maps.set(map.spec.name, map);
  }
  return { clusterId: a.clusterId || b.clusterId, maps: [...maps.values()] };
};

/** A node that does not answer, or whose bytes are no map, is as good as none. */
const mapsOf = (address: string, { transport, keyspaces, held }: AskOptions): Promise<NodeMaps | undefined> =>
  new Promise((resolve) => {
    const peer = transport.peer(address);
    const known = held.map((map) => ({ keyspace: map.spec.name, generation: map.generation }));
    const call = peer.map.GetMap(
      { known: encodeKnown(known), forms: [...KNOWN_FORMS], keyspaces: [...keyspaces] },
      { deadline: systemClock.wallMs() + DEADLINE_MS },
    );
    const assembler = new SnapshotAssembler();
    const maps: KeyspaceMap[] = [];
    let clusterId: string | undefined;
    const done = (answer: NodeMaps | undefined): void => {
      call.cancel();
      peer.close();
      resolve(answer);
    };
    call.on('data', (event: Wire.MapEvent__Output) => {
      try {
        const map = event.snapshot && assembler.add(event.snapshot);
        if (map) maps.push(map);
        if (event.progress) clusterId = event.progress.clusterId;
      } catch {
        done(undefined);
      }
    });
    call.on('error', () => done(undefined));
    call.on('end', () => done(clusterId === undefined ? undefined : { clusterId, maps }));
  });
