import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { KeyspaceMap, newRecord } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { encodeSnapshot, messageCodec } from '@cadastre/contracts';
import { silentLogger, systemClock } from '@cadastre/runtime';
import type { ControlPlane } from './control-plane.js';
import type { Files } from './files.js';
import { MapFile } from './map-file.js';
import { MapWatch } from './map-watch.driver.js';

const events = messageCodec<Wire.MapEvent, Wire.MapEvent__Output>('MapEvent');
const map = KeyspaceMap.fromRecords(
  {
    name: 'orders',
    scheme: { kind: 'hash-slots', slots: 1, hash: 'murmur3', hashTags: false },
    replicationFactor: 1,
    minInSync: 1,
    spread: [],
  },
  { incarnation: 1, number: 1 },
  [newRecord(0, ['n1'])],
  [{ id: 'n1', address: 'n1:1', labels: {}, weight: 1 }],
);

class Disk implements Files {
  readonly contents = new Map<string, Buffer>();
  makeFolder = async (): Promise<void> => undefined;
  list = async (folder: string): Promise<string[]> =>
    [...this.contents.keys()].map((path) => path.slice(folder.length + 1));
  read = async (path: string): Promise<Buffer | undefined> => this.contents.get(path);
  replace = async (path: string, bytes: Uint8Array): Promise<void> => void this.contents.set(path, Buffer.from(bytes));
  remove = async (path: string): Promise<void> => void this.contents.delete(path);
}

/** A process that hears the map, and is let in or not before it ends. @returns how many maps it found at its start */
const live = async (disk: Disk, letIn: boolean): Promise<number> => {
  const stream = Object.assign(new EventEmitter(), { write: () => true, cancel: () => undefined });
  const controlPlane = { next: () => ({ map: { watchMap: () => stream } }) } as unknown as ControlPlane;
  const watch = new MapWatch({
    watcher: 'n1',
    controlPlane,
    file: new MapFile('/data', silentLogger, disk),
    clock: systemClock,
    random: () => 0.5,
    logger: silentLogger,
    listener: () => undefined,
    onSynced: () => undefined,
  });
  const found = await watch.load();
  watch.connect();
  for (const bytes of encodeSnapshot(map)) stream.emit('data', events.decode(bytes));
  expect(watch.get('orders')?.generation).toEqual(map.generation);
  if (letIn) watch.keep();
  await watch.stop();
  return found;
};

describe('MapWatch', () => {
  it('keeps no map on disk before the node is let in, so that empty data never finds one that vouches for it', async () => {
    // Plan: two lives that hear the map and are refused, one that is let in, and the one after; only the last starts from a saved map.
    const disk = new Disk();
    expect(await live(disk, false)).toBe(0);
    expect(disk.contents.size).toBe(0);
    expect(await live(disk, true)).toBe(0);
    expect(await live(disk, false)).toBe(1);
  });
});
