import { describe, expect, it } from '@jest/globals';
import type { MapDelta } from '@cadastre/core';
import { shareMessage } from '@cadastre/contracts';
import { DeltaRing, mergeDeltas } from './delta-ring.js';
import { nextStep, positionOf } from './next-step.js';

const generation = (number: number, incarnation = 1) => ({ incarnation, number });

const delta = (
  from: number,
  to: number,
  partitions: readonly number[] = [0],
  nodes: readonly string[] = [],
): MapDelta => ({
  keyspace: 'orders',
  from: generation(from),
  to: generation(to),
  records: partitions.map((partition) => ({ partition, epoch: to, replicas: [] })),
  nodes: nodes.map((id) => ({ id, address: `${id}:${to}`, labels: {}, weight: 1 })),
});

const ringOf = (deltas: readonly MapDelta[], capacity = 100): DeltaRing => {
  const ring = new DeltaRing(capacity);
  for (const d of deltas)
    ring.push({
      delta: d,
      message: shareMessage(Buffer.from(`${d.from.number}-${d.to.number}`)),
      at: 0,
      gone: undefined,
    });
  return ring;
};

describe('what a reader needs next', () => {
  const cases: readonly {
    story: string;
    ring: DeltaRing;
    known: number | undefined;
    incarnation?: number;
    current: number;
    expected: string;
  }[] = [
    {
      story: 'a new reader needs the whole',
      ring: ringOf([]),
      known: undefined,
      current: 5,
      expected: 'snapshot has-nothing',
    },
    {
      story: 'a reader with the newest needs nothing',
      ring: ringOf([delta(4, 5)]),
      known: 5,
      current: 5,
      expected: 'current',
    },
    {
      story: 'so does one at the newest when this replica saw no change yet',
      ring: ringOf([]),
      known: 5,
      current: 5,
      expected: 'current',
    },
    {
      story: 'a reader two behind gets exactly two',
      ring: ringOf([delta(3, 4), delta(4, 5), delta(5, 6)]),
      known: 4,
      current: 6,
      expected: 'deltas 4-5 5-6',
    },
    {
      story: 'a node that changed without a generation is told too',
      ring: ringOf([delta(4, 5), delta(5, 5, [], ['n1'])]),
      known: 5,
      current: 5,
      expected: 'deltas 5-5',
    },
    {
      story: 'what the ring forgot needs the whole',
      ring: ringOf([delta(1, 2), delta(2, 3), delta(3, 4)], 2),
      known: 1,
      current: 4,
      expected: 'snapshot has-nothing',
    },
    {
      story: 'a generation of an older register needs the whole',
      ring: ringOf([delta(4, 5)]),
      known: 4,
      incarnation: 0,
      current: 5,
      expected: 'snapshot has-nothing',
    },
    {
      story: 'a reader that knows more than this replica waits for it',
      ring: ringOf([delta(4, 5)]),
      known: 6,
      current: 5,
      expected: 'wait',
    },
    {
      story: 'a generation of a newer register waits too',
      ring: ringOf([delta(4, 5)]),
      known: 1,
      incarnation: 2,
      current: 5,
      expected: 'wait',
    },
  ];
  it.each(cases)('$story', ({ ring, known, incarnation, current, expected }) => {
    // Plan: the table above, from what is known to the step.
    const position = positionOf(
      known === undefined ? undefined : generation(known, incarnation),
      ring,
      generation(current),
    );
    const step = nextStep(position, ring, 1_000);
    const detail =
      step.kind === 'snapshot'
        ? [step.because]
        : 'entries' in step
          ? step.entries.map((e) => e.message.payload.toString())
          : [];
    expect([step.kind, ...detail].join(' ')).toBe(expected);
  });

  it('merges when many changes wait, and sends the whole when they touch much of it', () => {
    // Plan: the same 20 waiting changes against a large and a small map.
    const ring = ringOf(Array.from({ length: 20 }, (_, i) => delta(i + 1, i + 2, [i])));
    expect(nextStep({ kind: 'at', seq: 0 }, ring, 1_000).kind).toBe('merge');
    expect(nextStep({ kind: 'at', seq: 0 }, ring, 30)).toEqual({ kind: 'snapshot', because: 'smaller-than-deltas' });
  });

  it('falls back to the whole after the ring was reset', () => {
    // Plan: a resync breaks the chain of changes; a reader that was up to date before it is not any more.
    const ring = ringOf([delta(4, 5)]);
    const position = { kind: 'at', seq: ring.head } as const;
    ring.reset();
    expect(nextStep(position, ring, 10)).toEqual({ kind: 'snapshot', because: 'too-old' });
  });

  it('merges to the last word on each partition and node', () => {
    // Plan: two changes of one partition and one node; the merged change spans both and keeps the later.
    const entries = ringOf([delta(4, 5, [1, 2], ['n1']), delta(5, 6, [2], ['n1'])]).since(0)!;
    const merged = mergeDeltas(entries);
    expect([merged.from.number, merged.to.number]).toEqual([4, 6]);
    expect(merged.records.map((r) => [r.partition, r.epoch])).toEqual([
      [1, 5],
      [2, 6],
    ]);
    expect(merged.nodes.map((n) => n.address)).toEqual(['n1:6']);
  });
});
