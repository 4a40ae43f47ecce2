import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Clock } from '@cadastre/runtime';
import { silentLogger, systemClock } from '@cadastre/runtime';
import { Metrics } from '@cadastre/service-kit';
import { MemoryDatabase, sessionPart } from '@cadastre/store';
import { Observed } from '../controller/observed.js';
import { ClusterLoad } from '../load/cluster-load.js';
import { Operations } from '../operations/operations.js';
import type { RegisterKit } from '../testing/register-kit.js';
import { fillRegister, NODES, openRegister } from '../testing/register-kit.js';
import { WatchHub } from '../watch/watch-hub.js';
import { ControlPlaneMeters } from './control-plane-meters.js';
import { CONTROL_PLANE_METRICS } from './control-plane-metrics.js';
import { controlPlaneReadings } from './control-plane-readings.js';
import { Rested } from './rested.js';
import { largest } from './sizes.js';

describe('largest', () => {
  // Plan: ties, zeros and more values than ranks; the order is by size, then by number, and nothing of size 0 is ranked.
  it('ranks the largest, and bounds how many', () => {
    const places = (values: number[], ranks: number) => largest(values, ranks).map(({ partition }) => partition);
    expect(places([3, 9, 0, 9, 1], 3)).toEqual([1, 3, 0]);
    expect(places([0, 0], 3)).toEqual([]);
    expect(places([1, 2, 3, 4, 5], 2)).toEqual([4, 3]);
  });
});

describe('Rested', () => {
  // Plan: making takes 10 ms on a clock that the test turns: it is given again for 1 s, or fifty times its cost where that is more.
  it('is made anew only after it has rested', () => {
    let now = 0;
    let costMs = 10;
    let made = 0;
    const clock = { monotonicMs: () => now } as Clock;
    const figure = new Rested(clock, () => {
      now += costMs;
      return (made += 1);
    });
    expect([figure.get(), figure.get()]).toEqual([1, 1]);
    now += 999;
    costMs = 100;
    expect(figure.get()).toBe(1);
    now += 1;
    expect(figure.get()).toBe(2);
    now += 4_999;
    expect(figure.get()).toBe(2);
    now += 1;
    expect(figure.get()).toBe(3);
  });
});

describe('what a control plane exposes', () => {
  let kit: RegisterKit;
  let hub: WatchHub;
  let text: () => Promise<string>;
  const observed = new Observed();
  const meters = new ControlPlaneMeters();

  beforeEach(async () => {
    kit = await openRegister(new MemoryDatabase(systemClock));
    const { store, register } = kit;
    hub = new WatchHub({ clock: systemClock, logger: silentLogger, catchUp: () => Promise.resolve() });
    kit.feed.subscribe((change, state) => hub.onRegisterChange(change, state));
    await fillRegister(kit, 'orders', 8);
    const common = { register, observed, load: new ClusterLoad({ clock: systemClock }), clock: systemClock };
    const operations = new Operations({ ...common, store, replica: 'cp', etcdVersion: () => '', watchers: () => 0 });
    const status = {
      version: '3.5.16',
      clusterId: 'c',
      memberId: 'm',
      leader: 'm',
      dbSizeBytes: 500,
      dbSizeInUseBytes: 200,
      alarms: ['NOSPACE@1', 'NOSPACE@2'],
      endpoint: 'e',
    };
    const care = { status, leaderChanges: 2, quotaBytes: 1_000 };
    const parts = { ...common, care, hub, operations, meters, isActive: () => true, sessions: () => 3 };
    const metrics = new Metrics().expose(CONTROL_PLANE_METRICS, controlPlaneReadings(parts));
    text = () => metrics.text();
  });
  afterEach(() => {
    hub.close();
    kit.stop();
  });

  const report = (node: string, sizes: Readonly<Record<number, number>>): void =>
    observed.take(
      {
        node,
        incarnation: `${node}-a`,
        applied: [],
        replicas: Object.entries(sizes).map(([partition, bytes]) => ({
          keyspace: 'orders',
          partition: Number(partition),
          epoch: 1,
          phase: 'serving',
          lastSeq: 1,
          appliedSeq: 1,
          records: 1,
          bytes,
          filledBytes: 0,
          fillTotalBytes: 0,
          digest: '',
          whole: true,
          lastEpoch: 1,
        })),
      },
      0,
    );

  // Plan: three of four nodes connected, two of them report; n4 holds partitions 3 and 7 as leader and 2 and 6 as the other copy.
  it('reads nodes, partitions and sizes from the mirror and the reports', async () => {
    for (const node of NODES.slice(0, 3)) {
      const lease = await kit.store.grantLease(60_000);
      const session = { node, incarnation: `${node}-a`, address: '127.0.0.1:1' };
      await kit.register.commit(() => ({ ...sessionPart(session, lease.id), result: 0 }));
    }
    report('n1', { 0: 100, 4: 700 });
    report('n2', { 0: 90, 1: 10 });
    meters.onHttp('GET', 200);
    meters.onHttp('BREW', 418);
    const said = await text();
    for (const line of [
      'is_active 1',
      'sessions 3',
      'frozen{by="person"} 0',
      'nodes{state="up"} 3',
      'nodes{state="down"} 1',
      'map_generation{keyspace="orders"} 1',
      'partitions{keyspace="orders"} 8',
      'partitions_under_replicated{keyspace="orders"} 0',
      'partitions_unavailable{keyspace="orders"} 0',
      'node_replicas{node="n4"} 4',
      'node_leaders{node="n4"} 2',
      'node_stored_bytes{node="n1"} 800',
      'keyspace_bytes{keyspace="orders"} 810',
      'top_partition_bytes{keyspace="orders",rank="1"} 700',
      'top_partition_bytes_partition{keyspace="orders",rank="1"} 4',
      'top_partition_bytes_partition{keyspace="orders",rank="2"} 0',
      'plans{state="executing"} 0',

      'http_requests_total{method="GET",code="200"} 1',
      'http_requests_total{method="other",code="418"} 1',
    ])
      expect(said.split('\n')).toContain(`cadastre_control_plane_${line}`);
    for (const line of [
      'database_bytes 500',
      'quota_bytes 1000',
      'alarms{alarm="NOSPACE"} 2',
      'alarms{alarm="CORRUPT"} 0',
      'info{version="3.5.16"} 1',
      'leader_changes_total 2',
    ])
      expect(said.split('\n')).toContain(`cadastre_etcd_${line}`);
    expect(said).not.toContain('node_stored_bytes{node="n3"}');
    expect(said).not.toContain('rank="4"');
  });
});
