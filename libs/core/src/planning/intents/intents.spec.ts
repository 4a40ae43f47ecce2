import { describe, expect, it } from '@jest/globals';
import { newRecord } from '../../map/changes.js';
import type { PlannerNode } from '../../placement/domains.js';
import type { PlanInput } from '../plan.js';
import { hard, keyspaceOf, nodeOf, specOf } from '../planning-fixtures.js';
import { balancedDimensions, deviationOf } from './deviation.js';
import type { Intent, IntentSigns } from './intents.js';
import { DEFAULT_INTENT_RULES, intentsOf, unbalancedDimensions } from './intents.js';
import type { IntentState } from './intents.machine.js';
import { decideIntents, NO_INTENTS } from './intents.machine.js';
import { smoothed } from './smooth.js';

const signs = (over: Partial<IntentSigns> = {}): IntentSigns => ({
  downForMs: new Map(),
  scores: [],
  unbalanced: new Set(),
  ...over,
});
const input = (nodes: PlannerNode[], over: Partial<PlanInput> = {}): PlanInput => ({
  keyspaces: [
    keyspaceOf(
      specOf(4, 1),
      [0, 1, 2, 3].map((p) => newRecord(p, ['a'])),
    ),
  ],
  nodes,
  ...over,
});
const brief = (intents: readonly Intent[]): string[] => intents.map((i) => `${i.kind} ${i.subject}`);

describe('what asks for a plan', () => {
  it('sees nodes that join, drain, and are lost for longer than the grace', () => {
    // One node each; one that is down for a moment, and one that is down and holds nothing, ask for nothing.
    const down = (ms: number) => signs({ downForMs: new Map([['a', ms]]) });
    expect(brief(intentsOf(input([nodeOf('a'), nodeOf('b')]), signs()))).toEqual(['node-joined b']);
    expect(brief(intentsOf(input([nodeOf('a', {}, 1, 'draining')]), signs()))).toEqual(['node-drained a']);
    expect(brief(intentsOf(input([nodeOf('a', {}, 1, 'down')]), down(600_000)))).toEqual(['node-lost a']);
    expect(brief(intentsOf(input([nodeOf('a', {}, 1, 'down'), nodeOf('c', {}, 1, 'down')]), down(599_999)))).toEqual(
      [],
    );
  });

  it('sees a policy that copies no longer meet, a hot partition, and moves that a person asks for', () => {
    // Two copies in one zone under a rule of one; one partition with nearly all of the load; most urgent first.
    const records = Array.from({ length: 20 }, (_, p) => newRecord(p, ['a', 'b']));
    const loadsOf = (p: number) => ({ writes: p === 3 ? 1_000 : 1 });
    const found = intentsOf(
      {
        keyspaces: [{ ...keyspaceOf(specOf(20, 2, [hard('zone')]), records), loadsOf }],
        nodes: ['a', 'b'].map((id) => nodeOf(id, { zone: 'z' })),
        manual: [{ keyspace: 'orders', partition: 1, from: 'a', to: 'b', kind: 'leader', by: 'ops' }],
      },
      signs(),
    );
    expect(brief(found)).toEqual(['policy-changed orders', 'hot-spot orders/3', 'manual orders/1']);
    expect(found.map((i) => i.text)).toEqual([
      '20 copies of orders stand where its policy allows none',
      'orders/3 has 20 times the mean writes',
      'ops moves orders/1 to b',
    ]);
  });

  it('begins and ends an imbalance at different edges', () => {
    // 4 % asks for nothing until 5 % was passed; then it goes on until half of that is reached. Counts are the planner's own matter.
    const at = (before: number, unbalanced: string[]) =>
      unbalancedDimensions(
        signs({
          scores: [
            { name: 'bytes', before, after: 0 },
            { name: 'replicas', before: 9, after: 0 },
          ],
          unbalanced: new Set(unbalanced),
        }),
        DEFAULT_INTENT_RULES,
      );
    expect([at(0.04, []), at(0.06, []), at(0.04, ['bytes']), at(0.02, ['bytes'])]).toEqual([
      [],
      ['bytes'],
      ['bytes'],
      [],
    ]);
  });

  it('measures how far the fullest node is over its share by weight', () => {
    // 100 to 103 bytes all on a; b weighs three times as much: a has four times its share. Nothing is known of writes.
    const world = input([nodeOf('a'), nodeOf('b', {}, 3)], { dimensions: ['bytes'] });
    expect([balancedDimensions(world), deviationOf(world, 'bytes'), deviationOf(world, 'writes')]).toEqual([
      ['bytes'],
      3,
      0,
    ]);
  });

  it('smooths a load by its half-life, however the samples come', () => {
    // A step from 0 to 100: half of it after one half-life, in one sample or in ten.
    const start = smoothed(undefined, 0, 0, 60_000);
    expect(smoothed(start, 100, 60_000, 60_000).value).toBeCloseTo(50);
    let value = start;
    for (let i = 1; i <= 10; i += 1) value = smoothed(value, 100, i * 6_000, 60_000);
    expect(value.value).toBeCloseTo(50);
  });
});

describe('when to propose', () => {
  const joined = (id: string): Intent => ({ kind: 'node-joined', subject: id, text: `${id} joined` });
  const timing = { quietMs: 30, atMostMs: 100 };
  const look = (state: IntentState, ids: string[], now: number) => decideIntents(state, ids.map(joined), now, timing);

  it('waits until nothing new comes, then makes one plan of all', () => {
    // b joins at 0, c at 20: not before 50, and both in one reason.
    const first = look(NO_INTENTS, ['b'], 0);
    const second = look(first.state, ['b', 'c'], 20);
    expect([first.do, second.do, look(second.state, ['b', 'c'], 49).do]).toEqual(['wait', 'wait', 'wait']);
    expect(second).toMatchObject({ wakeAt: 50 });
    expect(look(second.state, ['b', 'c'], 50)).toMatchObject({ do: 'propose', reason: 'b joined; c joined' });
  });

  it('does not wait for ever while new ones keep coming', () => {
    // One more every 20: after 100 at the latest.
    let state = NO_INTENTS;
    const ids: string[] = [];
    let at = 0;
    for (; at < 1_000; at += 20) {
      ids.push(`n${at}`);
      const decided = look(state, ids, at);
      state = decided.state;
      if (decided.do === 'propose') break;
    }
    expect(at).toBe(100);
  });

  it('answers each once, and again when it has ended and come back', () => {
    // After a proposal the same intents stay silent; a new one is proposed; one that went away is new.
    const proposed = look(look(NO_INTENTS, ['b'], 0).state, ['b'], 30);
    expect(proposed.do).toBe('propose');
    expect(look(proposed.state, ['b'], 500)).toMatchObject({ do: 'wait', why: 'all is answered' });
    const other = look(proposed.state, ['b', 'c'], 510);
    expect(look(other.state, ['b', 'c'], 540)).toMatchObject({ do: 'propose', reason: 'c joined' });
    const gone = look(proposed.state, [], 600);
    expect(look(look(gone.state, ['b'], 610).state, ['b'], 640)).toMatchObject({ do: 'propose' });
  });
});
