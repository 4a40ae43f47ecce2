import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import type { KeyspaceMap } from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { decodeDelta, fromServiceError, mapDigest, messageCodec, SnapshotAssembler } from '@cadastre/contracts';
import { initialSync, onEvent } from '../../libs/client/src/map-sync.machine.js';
import type { SyncEvent, SyncState } from '../../libs/client/src/map-sync.machine.js';
import { textOf, vectors } from './protocol/generate.mjs';

const events = messageCodec<Wire.MapEvent, Wire.MapEvent__Output>('MapEvent');
const read = (name: string): any => JSON.parse(readFileSync(new URL(`./protocol/${name}`, import.meta.url), 'utf8'));
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');

/** The client's own machine over one stream; a refusal ends it. */
class Client {
  private readonly assembler = new SnapshotAssembler();
  state: SyncState = onEvent(initialSync(['a:1']), { kind: 'start' }, 0).state;

  get open(): boolean {
    return this.state.connection.kind === 'open';
  }

  /** @throws Error when the bytes are refused */
  take(hex: string): void {
    const event = events.decode(bytes(hex));
    const sync = this.translate(event);
    if (sync) this.state = onEvent(this.state, sync, 0).state;
    if (!this.open) throw new CadastreError('DATA_LOSS', 'the stream was left');
  }

  map(name?: string): KeyspaceMap | undefined {
    return name === undefined ? [...this.state.maps.values()][0] : this.state.maps.get(name);
  }

  private translate(event: Wire.MapEvent__Output): SyncEvent | undefined {
    const stream = this.state.streams;
    if (event.snapshot) {
      const map = this.assembler.add(event.snapshot);
      return map && { kind: 'snapshot', stream, map };
    }
    if (event.delta) return { kind: 'delta', stream, delta: decodeDelta(event.delta) };
    if (event.dropped) return { kind: 'dropped', stream, keyspace: event.dropped.keyspace };
    return { kind: 'progress', stream, clusterId: event.progress!.clusterId };
  }
}

describe('vectors of the protocol', () => {
  // Plan: running the script again changes nothing, so what is stored is what this version says on the wire.
  it.each(Object.entries(vectors() as Record<string, unknown[]>))('%s is as generated', (name, cases) => {
    expect(readFileSync(new URL(`./protocol/${name}`, import.meta.url), 'utf8')).toBe(textOf(cases));
  });

  // Plan: each event in order; after each, the map with its digest is the expected one.
  it.each<any>(read('maps.json'))('map: $story', ({ steps }) => {
    const client = new Client();
    for (const { event, map } of steps) {
      client.take(event);
      const held = client.map();
      expect(held === undefined).toBe(map === null);
      if (held) expect([held.generation, held.partitions, mapDigest(held)]).toEqual([map.generation, map.partitions, map.digest]);
      if (held) expect([0, 1, held.partitions - 1].map((p) => held.leader(p)?.id ?? null)).toEqual(map.leaders);
    }
  });

  // Plan: each key's partition, leader and address.
  it.each<any>(read('routing.json'))('routing: $story', ({ snapshot, answers }) => {
    const client = new Client();
    for (const event of snapshot) client.take(event);
    const map = client.map()!;
    const found = answers.map(({ key }: { key: string }) => {
      const partition = map.partitionOf(bytes(key));
      const leader = map.leader(partition)!;
      return { key, partition, epoch: map.epochOf(partition), leader: leader.id, address: leader.address };
    });
    expect(found).toEqual(answers);
  });

  // Plan: what each trailer makes of the record of one partition.
  it.each<any>(read('not-owner.json'))('NOT_OWNER: $story', ({ snapshot, partition, steps }) => {
    const client = new Client();
    for (const event of snapshot) client.take(event);
    for (const { detail, healed, epoch, leader } of steps) {
      const before = client.map();
      const error = fromServiceError({ code: 9, metadata: { get: () => [bytes(detail)] } } as never);
      const { keyspace, record, leaderAddress } = error.info as any;
      const nodes = record.replicas
        .filter((r: any) => !before!.node(r.node))
        .map((r: any) => ({ id: r.node, address: leaderAddress ?? '', labels: {}, weight: 1 }));
      try {
        client.state = onEvent(client.state, { kind: 'healed', keyspace, record, nodes }, 0).state;
      } catch (refused) {
        expect(refused).toBeInstanceOf(CadastreError);
      }
      expect(client.map() !== before).toBe(healed);
      expect([client.map()!.epochOf(partition), client.map()!.leader(partition)?.id ?? null]).toEqual([epoch, leader]);
    }
  });

  // Plan: all events before the bad one are taken; that one is refused, and the map is as it was.
  it.each<any>(read('malformed.json'))('malformed: $story', ({ events: list, refusedAt }) => {
    const client = new Client();
    for (const event of list.slice(0, refusedAt)) client.take(event);
    const before = client.map();
    expect(() => client.take(list[refusedAt])).toThrow();
    expect(client.map()).toBe(before);
  });
});
