import { describe, expect, it } from '@jest/globals';
import type { NodeEntry } from '@cadastre/core';
import { KeyspaceMap } from '@cadastre/core';
import type { SyncEvent, SyncState, SyncStep } from './map-sync.machine.js';
import { initialSync, onAdvance, onEvent, PROGRESS_PERIOD_MS } from './map-sync.machine.js';
import { ledBy, mapOn, slotsSpec } from './testing/fake-cluster.js';

const nodes: NodeEntry[] = ['n1', 'n2', 'n3'].map((id) => ({ id, address: `${id}:1`, labels: {}, weight: 1 }));
const map = (number: number): KeyspaceMap => mapOn(slotsSpec('orders', 4), nodes, number);
const generation = (number: number) => ({ incarnation: 1, number });

const ofIncarnation = (of: KeyspaceMap, incarnation: number): KeyspaceMap =>
  KeyspaceMap.fromRecords(of.spec, { ...of.generation, incarnation }, of.records(), of.nodes);

const run = (state: SyncState, ...events: SyncEvent[]): SyncStep => {
  let step: SyncStep = { state, actions: [], wakeAt: undefined };
  for (const event of events) step = onEvent(step.state, event, 1_000);
  return step;
};
const opened = (): SyncState => run(initialSync(['a:1', 'b:1']), { kind: 'start' }).state;
const kinds = (step: SyncStep): string[] => step.actions.map((a) => a.kind);

describe('map sync machine', () => {
  it('subscribes, applies a snapshot and reports it', () => {
    // Plan: a start opens the first address with nothing known; a snapshot is kept, reported as applied and told.
    const start = run(initialSync(['a:1', 'b:1']), { kind: 'start' });
    expect(start.actions).toEqual([{ kind: 'open', stream: 1, address: 'a:1', known: [] }]);
    const after = run(start.state, { kind: 'snapshot', stream: 1, map: map(7) });
    expect(after.actions).toEqual([
      { kind: 'applied', stream: 1, applied: { keyspace: 'orders', generation: generation(7) } },
      { kind: 'changed', keyspace: 'orders' },
    ]);
    expect(after.state.maps.get('orders')!.generation.number).toBe(7);
  });

  it('refuses an older snapshot (INV-2)', () => {
    // Plan: after generation 7, a lagging replica's generation 6 changes nothing and says so.
    const held = run(opened(), { kind: 'snapshot', stream: 1, map: map(7) }).state;
    const after = run(held, { kind: 'snapshot', stream: 1, map: map(6) });
    expect(kinds(after)).toEqual(['warn']);
    expect(after.state.maps.get('orders')).toBe(held.maps.get('orders'));
  });

  it('keeps a record that an owner healed further than the snapshot knows', () => {
    // Plan: heal partition 2 to epoch 9, then apply a newer snapshot that has epoch 1 there: the healed record stays.
    const held = run(
      opened(),
      { kind: 'snapshot', stream: 1, map: map(7) },
      { kind: 'healed', keyspace: 'orders', record: ledBy(2, 9, 'n1'), nodes: [] },
    ).state;
    const after = run(held, { kind: 'snapshot', stream: 1, map: map(8) }).state.maps.get('orders')!;
    expect([after.generation.number, after.epochOf(2), after.leader(2)!.id]).toEqual([8, 9, 'n1']);
  });

  it('takes a snapshot of a new incarnation as it is', () => {
    // Plan: a restored register (incarnation 2) may have lower epochs; nothing of the old world is mixed in.
    const held = run(
      opened(),
      { kind: 'snapshot', stream: 1, map: map(7) },
      { kind: 'healed', keyspace: 'orders', record: ledBy(2, 9, 'n1'), nodes: [] },
    ).state;
    const restored = mapOn(slotsSpec('orders', 4), nodes, 1);
    const newer = Object.assign(Object.create(Object.getPrototypeOf(restored) as object), restored, {
      generation: { incarnation: 2, number: 1 },
    }) as KeyspaceMap;
    expect(run(held, { kind: 'snapshot', stream: 1, map: newer }).state.maps.get('orders')!.epochOf(2)).toBe(1);
  });

  it('ignores a delta that it has, applies one that fits, resubscribes in full at a gap', () => {
    // Plan: at generation 7 send 5->6 (ignored), 7->8 (applied), 9->10 (gap): the next stream asks for the keyspace anew, elsewhere.
    const held = run(opened(), { kind: 'snapshot', stream: 1, map: map(7) }).state;
    const delta = (from: number, to: number): SyncEvent => ({
      kind: 'delta',
      stream: 1,
      delta: {
        keyspace: 'orders',
        from: generation(from),
        to: generation(to),
        records: [ledBy(0, 5, 'n3')],
        nodes: [],
      },
    });
    expect(kinds(run(held, delta(5, 6)))).toEqual([]);
    const fits = run(held, delta(7, 8));
    expect(fits.state.maps.get('orders')!.leader(0)!.id).toBe('n3');
    const gap = run(fits.state, delta(9, 10));
    expect(kinds(gap)).toEqual(['close', 'warn']);
    const reopened = onAdvance(gap.state, gap.wakeAt!, 0);
    expect(reopened.actions).toEqual([{ kind: 'open', stream: 2, address: 'b:1', known: [] }]);
    expect(reopened.state.maps.get('orders')!.generation.number).toBe(8);
  });

  it('takes over new addresses that come without a new generation', () => {
    // Plan: a delta from 7 to 7 with n2 at another address is applied.
    const held = run(opened(), { kind: 'snapshot', stream: 1, map: map(7) }).state;
    const delta = {
      keyspace: 'orders',
      from: generation(7),
      to: generation(7),
      records: [],
      nodes: [{ ...nodes[1]!, address: 'moved:2' }],
    };
    const after = run(held, { kind: 'delta', stream: 1, delta });
    expect(after.state.maps.get('orders')!.node('n2')!.address).toBe('moved:2');
    expect(kinds(after)).toEqual(['applied', 'changed']);
  });

  it('resumes from what it has after a stream ended', () => {
    // Plan: an ended stream is followed by one elsewhere that names the known generation.
    const held = run(
      opened(),
      { kind: 'snapshot', stream: 1, map: map(7) },
      { kind: 'ended', stream: 1, why: 'test', jitter: 0.5 },
    );
    expect(onAdvance(held.state, held.wakeAt!, 0).actions).toEqual([
      { kind: 'open', stream: 2, address: 'b:1', known: [{ keyspace: 'orders', generation: generation(7) }] },
    ]);
  });

  it('leaves a stream that is silent for three progress periods', () => {
    // Plan: nothing is done a moment before the time, and the stream is closed at it.
    const state = opened();
    expect(kinds(onAdvance(state, 1_000 + 3 * PROGRESS_PERIOD_MS - 1, 0))).toEqual([]);
    expect(kinds(onAdvance(state, 1_000 + 3 * PROGRESS_PERIOD_MS, 0))).toEqual(['close', 'warn']);
  });

  it('ignores what comes from a stream that it has left', () => {
    // Plan: a message of stream 1 after stream 2 was opened changes nothing.
    const left = run(opened(), { kind: 'ended', stream: 1, why: 'test', jitter: 0 });
    const second = onAdvance(left.state, left.wakeAt!, 0).state;
    const after = run(second, { kind: 'snapshot', stream: 1, map: map(7) });
    expect(after.actions).toEqual([]);
    expect(after.state.maps.size).toBe(0);
  });

  it('goes back to its map when a stream turns out to be of another cluster', () => {
    // Plan: confirmed as cluster A, a stream of cluster B brings a newer map and then its name: A's map is restored.
    const a = run(
      opened(),
      { kind: 'snapshot', stream: 1, map: map(7) },
      { kind: 'progress', stream: 1, clusterId: 'A' },
      { kind: 'ended', stream: 1, why: 'test', jitter: 0 },
    );
    const second = onAdvance(a.state, a.wakeAt!, 0).state;
    const after = run(
      second,
      { kind: 'snapshot', stream: 2, map: map(90) },
      { kind: 'progress', stream: 2, clusterId: 'B' },
    );
    expect(kinds(after)).toEqual(['close', 'warn', 'ask-nodes', 'changed']);
    expect(after.state.maps.get('orders')!.generation.number).toBe(7);
  });

  it('throws a cached map away when it is of another cluster', () => {
    // Plan: seed generation 50 of cluster A, hear an older snapshot (refused) and the name B: everything is asked for anew.
    const seeded = run(opened(), { kind: 'seed', clusterId: 'A', maps: [map(50)] });
    expect(kinds(seeded)).toEqual(['changed']);
    const after = run(
      seeded.state,
      { kind: 'snapshot', stream: 1, map: map(3) },
      { kind: 'progress', stream: 1, clusterId: 'B' },
    );
    expect(after.state.maps.size).toBe(0);
    const again = onAdvance(after.state, after.wakeAt!, 0);
    expect(again.actions).toEqual([{ kind: 'open', stream: 2, address: 'b:1', known: [] }]);
    expect(
      run(again.state, { kind: 'snapshot', stream: 2, map: map(3) }).state.maps.get('orders')!.generation.number,
    ).toBe(3);
  });

  it('backs off further with each failure, up to two seconds, and begins anew after a progress mark', () => {
    // Plan: 12 failures in a row at full jitter: waits grow from 50 ms to 2 s and no further.
    let state = opened();
    const waits: number[] = [];
    for (let i = 0; i < 12; i += 1) {
      const left = onEvent(state, { kind: 'ended', stream: state.streams, why: 'test', jitter: 1 }, 0);
      waits.push(left.wakeAt!);
      state = onAdvance(left.state, left.wakeAt!, 0).state;
    }
    expect(waits.slice(0, 4)).toEqual([50, 100, 200, 400]);
    expect(Math.max(...waits)).toBe(2_000);
    expect(onEvent(state, { kind: 'progress', stream: state.streams, clusterId: 'A' }, 0).state.failures).toBe(0);
  });

  it('spreads its return over what the server asked for, once', () => {
    // Plan: after a mark that asks for 5 s, losing the stream waits a random part of that; the next failure backs off as usual.
    const told = run(opened(), { kind: 'progress', stream: 1, clusterId: 'A', spreadMs: 5_000 }).state;
    const wait = (jitter: number) => onEvent(told, { kind: 'ended', stream: 1, why: 'test', jitter }, 0).wakeAt!;
    expect([wait(0), wait(0.5), wait(1)]).toEqual([12.5, 2_500, 5_000]);
    const second = onAdvance(onEvent(told, { kind: 'ended', stream: 1, why: 'test', jitter: 1 }, 0).state, 5_000, 0);
    expect(onEvent(second.state, { kind: 'ended', stream: 2, why: 'test', jitter: 1 }, 5_000).wakeAt).toBe(5_100);
  });

  it('refuses a map of an older incarnation, also after it was told to drop its own', () => {
    // Plan: at incarnation 2, a register of incarnation 1 says "dropped" and sends its own map: nothing of it is taken.
    const restored = ofIncarnation(map(3), 2);
    const held = run(opened(), { kind: 'snapshot', stream: 1, map: restored }).state;
    const after = run(
      held,
      { kind: 'dropped', stream: 1, keyspace: 'orders' },
      { kind: 'snapshot', stream: 1, map: map(9) },
    );
    expect(kinds(after)).toEqual(['warn']);
    expect(after.state.maps.size).toBe(0);
  });

  it('asks the nodes after a round without an answer, and takes what is newer', () => {
    // Plan: both addresses fail; a copy at 8 replaces the map at 7, one at 6 and one of another cluster change nothing.
    const held = run(
      opened(),
      { kind: 'snapshot', stream: 1, map: map(7) },
      { kind: 'progress', stream: 1, clusterId: 'A' },
    ).state;
    const first = run(held, { kind: 'ended', stream: 1, why: 'test', jitter: 0 });
    expect(kinds(first)).not.toContain('ask-nodes');
    const second = run(onAdvance(first.state, first.wakeAt!, 0).state, {
      kind: 'ended',
      stream: 2,
      why: 'x',
      jitter: 0,
    });
    expect(kinds(second)).toContain('ask-nodes');
    const copy = (clusterId: string, number: number) =>
      run(second.state, { kind: 'copy', clusterId, maps: [map(number)] }).state.maps.get('orders')!.generation.number;
    expect([copy('A', 8), copy('', 8), copy('A', 6), copy('B', 9)]).toEqual([8, 8, 7, 7]);
  });

  it('believes a node only until the control plane had time to confirm it', () => {
    // Plan: a node claims partition 2 at epoch 99. Confirmed by a delta it stays; unconfirmed for two marks the map is asked for anew
    // and the false record is replaced, though its epoch is higher.
    const held = run(opened(), { kind: 'snapshot', stream: 1, map: map(7) }).state;
    const claim = run(held, { kind: 'healed', keyspace: 'orders', record: ledBy(2, 99, 'n1'), nodes: [] }).state;
    const delta = {
      keyspace: 'orders',
      from: generation(7),
      to: generation(8),
      records: [ledBy(2, 99, 'n1')],
      nodes: [],
    };
    const confirmed = run(claim, { kind: 'delta', stream: 1, delta }).state;
    const mark: SyncEvent = { kind: 'progress', stream: 1, clusterId: 'A' };
    expect(onEvent(confirmed, mark, 60_000).state.connection.kind).toBe('open');
    const early = onEvent(claim, mark, 5_000).state;
    expect([early.connection.kind, early.maps.get('orders')!.epochOf(2)]).toEqual(['open', 99]);
    const late = onEvent(early, mark, 20_000);
    expect(kinds(late)).toEqual(['close', 'warn']);
    const again = onAdvance(late.state, late.wakeAt!, 0);
    expect(again.actions).toEqual([{ kind: 'open', stream: 2, address: 'b:1', known: [] }]);
    const after = onEvent(again.state, { kind: 'snapshot', stream: 2, map: map(7) }, late.wakeAt! + 1).state;
    expect([after.maps.get('orders')!.epochOf(2), after.claims.size]).toEqual([1, 0]);
  });
});
