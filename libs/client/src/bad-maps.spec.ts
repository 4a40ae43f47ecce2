import type { ServerHttp2Stream } from 'node:http2';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { KeyspaceMap } from '@cadastre/core';
import type { EncodedMapEvent } from '@cadastre/contracts';
import {
  encodeDelta,
  encodeProgress,
  encodeSnapshot,
  GrpcServer,
  grpcTransport,
  mapDigest,
  mapService,
  serveGetMap,
  shareMessage,
  streaming,
} from '@cadastre/contracts';
import type { GetMapCall } from '@cadastre/contracts';
import type { Logger } from '@cadastre/runtime';
import { silentLogger, systemClock, systemRandom } from '@cadastre/runtime';
import { MapFollower } from './map-follower.js';
import type { WatchCall } from './testing/fake-cluster.js';
import { FakeControlPlane, ledBy, mapOn, rangeSpec, slotsSpec, until } from './testing/fake-cluster.js';

const nodes = ['n1', 'n2', 'n3'].map((id) => ({ id, address: `${id}:1`, labels: {}, weight: 1 }));
const orders = (number: number): KeyspaceMap => mapOn(slotsSpec('orders', 64), nodes, number);
const generation = (number: number) => ({ incarnation: 1, number });

describe('bad maps', () => {
  let control: FakeControlPlane;
  let follower: MapFollower;
  let warnings: string[];

  const follow = (options: Partial<ConstructorParameters<typeof MapFollower>[0]> = {}): void => {
    const logger: Logger = { ...silentLogger, warn: (message) => void warnings.push(message) };
    follower = new MapFollower({
      controlPlanes: [control.address],
      watcher: 'test',
      transport: grpcTransport,
      clock: systemClock,
      random: systemRandom,
      logger,
      ...options,
    });
    follower.start();
  };

  beforeEach(async () => {
    warnings = [];
    control = await new FakeControlPlane([orders(7)]).listen();
  });
  afterEach(() => {
    follower.stop();
    control.stop();
  });

  /** The first chunk of the only snapshot, to be damaged. */
  const chunk = (): Buffer => encodeSnapshot(orders(7), 'packed')[0]!;
  const flipped = (): Buffer => {
    const bytes = chunk();
    const at = bytes.indexOf('n2:1');
    bytes[at] = bytes[at]! ^ 1;
    return bytes;
  };
  /** Says of the second partition of a range keyspace that it begins before the first one does: m, then c. */
  const overlapping = (): EncodedMapEvent[] => {
    const sound = mapOn(rangeSpec('names', 'c', 'm'), nodes);
    const columns = { ...sound, ...columnsOf(sound), spec: rangeSpec('names', 'm', 'c') };
    return encodeSnapshot(columns);
  };
  const columnsOf = (map: KeyspaceMap) => ({
    generation: map.generation,
    nodes: map.nodes,
    partitions: map.partitions,
    stride: map.stride,
    epochs: map.epochs,
    replicaNodes: map.replicaNodes,
    replicaFlags: map.replicaFlags,
  });
  const delta = (from: number, to: number) =>
    encodeDelta({
      keyspace: 'orders',
      from: generation(from),
      to: generation(to),
      records: [ledBy(1, 5, 'n3')],
      nodes: [],
    });
  /** A delta whose replica has role 9, of a version that is not there yet: in its bytes LEADER (08.10.01) becomes 08.10.09. */
  const ofTheFuture = (): Buffer => {
    const bytes = delta(7, 8);
    const role = bytes.indexOf(Buffer.from([0x10, 0x01, 0x18, 0x02]));
    expect(role).toBeGreaterThan(0);
    bytes[role + 1] = 9;
    return bytes;
  };

  // Plan: the first stream brings each kind of damage after what a client must have for it; it is refused with a reason, the client
  // subscribes again, is whole, and the process is alive.
  it.each<[string, () => Buffer[], RegExp]>([
    ['a truncated snapshot', () => [chunk().subarray(0, 60)], /./],
    ['a flipped bit', () => [flipped()], /checksum/],
    ['a delta whose generation was skipped', () => [...encodeSnapshot(orders(7)), delta(8, 9)], /gap/],
    ['overlapping ranges', overlapping, /splitPoints/],
    ['a role from the future', () => [...encodeSnapshot(orders(7)), ofTheFuture()], /role/],
    [
      'a record that breaks an invariant',
      () => [
        ...encodeSnapshot(orders(7)),
        encodeDelta({
          keyspace: 'orders',
          from: generation(7),
          to: generation(8),
          records: [{ partition: 1, epoch: 9, replicas: [{ ...ledBy(1, 9, 'n1').replicas[0]!, inSync: false }] }],
          nodes: [],
        }),
      ],
      /in-sync|in sync/,
    ],
    ['bytes that are no event', () => [Buffer.from([0x0a, 0xff, 0xff, 0xff, 0x7f, 1])], /./],
  ])(
    'refuses %s and resynchronises',
    async (_what, events, reason) => {
      control.script = (call: WatchCall) => {
        if (control.subscriptions.length > 1) return control.sendAll(call);
        for (const bytes of events()) call.write(bytes);
        return undefined;
      };
      follow();
      await until('it subscribed again', () => control.subscriptions.length > 1, 15_000);
      await until('it is whole', () => follower.current('orders')?.generation.number === 7);
      expect(mapDigest(follower.current('orders')!)).toBe(mapDigest(orders(7)));
      expect(warnings.join('\n')).toMatch(reason);
      expect(follower.current('names')).toBeUndefined();
    },
    30_000,
  );

  it('refuses a frame of 100 MB and goes to another control plane', async () => {
    // Plan: a bare HTTP/2 server announces a message of 100 MB and begins to send it; the client leaves at once, with the limit named.
    const streams: ServerHttp2Stream[] = [];
    const hostile = createServer().on('stream', (stream) => {
      streams.push(stream);
      stream.on('error', () => undefined);
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      stream.write(Buffer.concat([Buffer.from([0, 0x05, 0xf5, 0xe1, 0x00]), Buffer.alloc(1_000_000)]));
    });
    await new Promise<void>((resolve) => hostile.listen(0, '127.0.0.1', resolve));
    const { port } = hostile.address() as AddressInfo;
    // Whichever comes first, the other is next: the good one ends its first stream.
    control.script = (call) =>
      streams.length === 0 ? call.emit('error', { code: 14 }) && undefined : control.sendAll(call);
    follow({ controlPlanes: [`127.0.0.1:${port}`, control.address] });
    await until('it is whole', () => follower.current('orders')?.generation.number === 7, 15_000);
    expect(warnings.join('\n')).toMatch(/larger than max/);
    for (const stream of streams) stream.session?.destroy();
    hostile.close();
  }, 30_000);

  it('reads what an old server sends, and tells a new one that it reads packed columns', async () => {
    // Plan: the fake server sends plain columns, as servers did before there were others; the subscription names form 1.
    follow();
    await until('the map is there', () => follower.current('orders') !== undefined);
    expect(mapDigest(follower.current('orders')!)).toBe(mapDigest(orders(7)));
    expect(control.subscriptions[0]!.forms).toEqual([1]);
  });

  it('keeps its map when an owner makes a claim that cannot be', () => {
    // Plan: records with a node twice, an unknown partition and a leader out of sync: each is refused with a reason, the map stays.
    follow();
    follower.seed('cluster-1', [orders(7)]);
    const before = follower.current('orders');
    const [replica] = ledBy(1, 9, 'n1').replicas;
    const claims = [
      { partition: 1, epoch: 9, replicas: [replica!, { ...replica!, role: 'follower' as const }] },
      { partition: 1, epoch: 9, replicas: [{ ...replica!, inSync: false }] },
      { partition: 900, epoch: 9, replicas: [replica!] },
    ];
    for (const record of claims) expect(follower.heal({ keyspace: 'orders', record })).toBe(false);
    expect(follower.current('orders')).toBe(before);
    expect(warnings).toHaveLength(2);
  });

  describe('when no control plane answers', () => {
    const servers: GrpcServer[] = [];
    afterEach(() => {
      for (const server of servers.splice(0)) server.cut();
    });

    const node = async (maps: readonly KeyspaceMap[], clusterId = 'cluster-1'): Promise<string> => {
      const source = {
        clusterId: () => clusterId,
        current: () => maps,
        snapshot: async (keyspace: string, form: 'plain' | 'packed') =>
          encodeSnapshot(
            maps.find((m) => m.spec.name === keyspace)!,
            form,
          ).map(shareMessage),
      };
      const server = new GrpcServer().add(mapService, {
        GetMap: streaming((call: GetMapCall) => serveGetMap(call, source)) as never,
      });
      servers.push(server);
      return `127.0.0.1:${await server.listen({ host: '127.0.0.1', port: 0 })}`;
    };

    it('learns the newest map that some node has', async () => {
      // Plan: nodes at generations 7, 9 and 8, the last one's bytes useless; the client knows none and comes to 9.
      control.stop();
      const useless = new GrpcServer().add(mapService, {
        GetMap: ((call: { write(bytes: Buffer): void; end(): void }) => {
          call.write(encodeProgress('cluster-1', []).subarray(0, 5));
          call.end();
        }) as never,
      });
      servers.push(useless);
      const third = `127.0.0.1:${await useless.listen({ host: '127.0.0.1', port: 0 })}`;
      follow({ nodes: [await node([orders(7)]), await node([orders(9)]), third] });
      await until('a map came', () => follower.current('orders') !== undefined);
      expect(follower.current('orders')!.generation.number).toBe(9);
      expect(follower.status().answered).toBe(false);
    });

    it('takes from the nodes of its map what is newer, never what is older or of a lower incarnation', async () => {
      // Plan: a client at 1.8 whose nodes have 1.9: it comes to 1.9; one at 2.1 stays there.
      control.stop();
      const address = await node([orders(9)]);
      const at = (incarnation: number, number: number) =>
        KeyspaceMap.fromRecords(
          orders(7).spec,
          { incarnation, number },
          orders(7).records(),
          nodes.map((n) => ({ ...n, address })),
        );
      follow();
      follower.seed('cluster-1', [at(1, 8)]);
      await until('the newer one was taken', () => follower.current('orders')!.generation.number === 9);
      follower.stop();
      follow();
      follower.seed('cluster-1', [at(2, 1)]);
      await until('it was asked', () => warnings.length > 4);
      expect(follower.current('orders')!.generation).toEqual({ incarnation: 2, number: 1 });
    });
  });
});
