import { describe, expect, it } from '@jest/globals';
import { allowedActions, isFinal, PLAN_STATES, PLAN_TRANSITIONS, PLAN_VERBS, transition } from './plan-lifecycle.js';

describe('life of a plan', () => {
  it('has every pair of state and verb either as a transition or as a refusal that names both', () => {
    // Try all pairs against the table.
    for (const state of PLAN_STATES) {
      for (const verb of PLAN_VERBS) {
        const next = PLAN_TRANSITIONS[state][verb];
        if (next !== undefined) expect(transition(state, verb)).toBe(next);
        else
          expect(() => transition(state, verb)).toThrow(
            expect.objectContaining({
              code: 'ILLEGAL_TRANSITION',
              message: expect.stringMatching(`cannot ${verb} a plan that is ${state}; legal: `),
            }),
          );
      }
    }
  });

  it.each([
    ['proposed', ['approve', 'reject']],
    ['approved', ['cancel']],
    ['executing', ['pause', 'cancel']],
    ['paused', ['resume', 'cancel']],
    ['cancelling', []],
    ['completed', []],
  ] as const)('offers an operator of a plan that is %s: %j', (state, actions) => {
    // What surfaces show.
    expect(allowedActions(state)).toEqual(actions);
  });

  it('reaches an end from everywhere, and never leaves one: a plan runs at most once', () => {
    // Walk the table from each state.
    for (const state of PLAN_STATES) {
      const seen = new Set([state]);
      for (const s of seen) for (const next of Object.values(PLAN_TRANSITIONS[s])) seen.add(next);
      expect([...seen].some(isFinal)).toBe(true);
      if (state === 'completed' || state === 'cancelled' || state === 'failed') expect(seen.size).toBe(1);
      if (state !== 'proposed') expect(seen.has('proposed')).toBe(false);
    }
  });
});
