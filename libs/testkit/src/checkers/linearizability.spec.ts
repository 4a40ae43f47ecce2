import { describe, expect, it } from '@jest/globals';
import type { Random } from '@cadastre/runtime';
import { seededRandom } from '@cadastre/runtime';
import type { RegisterCall } from './linearizability.js';
import { checkRegister } from './linearizability.js';

const at = (
  call: RegisterCall['call'],
  value: string | undefined,
  invoked: number,
  returned: number,
): RegisterCall => ({
  call,
  value,
  invoked,
  returned,
});
const pick = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)]!;

/** A run of a true register: each call takes effect at one instant within its time. A share of writes never hears how it ended. */
const validHistory = (random: Random, size: number, width: number, unknownShare: number): RegisterCall[] => {
  const planned = Array.from({ length: size }, (_, i) => {
    const invoked = Math.floor(i / width) * 10 + random() * 12;
    return { i, invoked, effect: invoked + random() * 8, returned: 0, dice: random() };
  }).map((p) => ({ ...p, returned: p.effect + random() * 8 }));
  const calls: RegisterCall[] = [];
  let state: string | undefined;
  for (const p of planned.sort((a, b) => a.effect - b.effect)) {
    const kind = p.dice < 0.5 ? 'get' : p.dice < 0.9 ? 'put' : 'delete';
    if (kind === 'get') {
      calls.push(at('get', state, p.invoked, p.returned));
      continue;
    }
    const unknown = random() < unknownShare;
    const value = kind === 'put' ? `v${p.i}` : undefined;
    if (!unknown || random() < 0.5) state = value;
    calls.push(at(kind, value, p.invoked, unknown ? Infinity : p.returned));
  }
  return calls;
};

/** Tries every order that respects time. Only for a handful of calls. */
const bruteForce = (calls: readonly RegisterCall[]): boolean => {
  const go = (left: readonly RegisterCall[], state: string | undefined): boolean => {
    const definite = left.filter((c) => c.returned !== Infinity);
    if (definite.length === 0) return true;
    const firstReturn = Math.min(...definite.map((c) => c.returned));
    return left.some((c) => {
      if (c.invoked > firstReturn) return false;
      if (c.call === 'get' && (c.returned === Infinity || c.value !== state)) return false;
      return go(
        left.filter((x) => x !== c),
        c.call === 'get' ? state : c.value,
      );
    });
  };
  return go(calls, undefined);
};

/** Changes what one read found into something that no register could have answered. */
const mutate = (random: Random, calls: readonly RegisterCall[]): RegisterCall[] | undefined => {
  const gets = calls.filter((c) => c.call === 'get' && c.invoked > 50);
  const puts = calls.filter((c) => c.call === 'put');
  const get = pick(random, gets);
  // A value whose write had ended before another write began that had ended before the read began.
  const stale = puts.filter((w) =>
    puts.some((later) => w.returned < later.invoked && later.returned < (get?.invoked ?? -1)),
  );
  if (!get || stale.length === 0) return undefined;
  const wrong = random() < 0.2 ? 'never-written' : pick(random, stale).value;
  return calls.map((c) => (c === get ? { ...c, value: wrong } : c));
};

describe('linearizability of one key', () => {
  // Plan: histories told by hand, each with the verdict that a person would give.
  it.each([
    ['nothing at all', [], 'linearizable'],
    ['a read of what was written', [at('put', 'a', 0, 1), at('get', 'a', 2, 3)], 'linearizable'],
    ['a read of nothing after a write', [at('put', 'a', 0, 1), at('get', undefined, 2, 3)], 'refused'],
    [
      'a read during a write sees either',
      [at('put', 'a', 0, 5), at('get', undefined, 1, 2), at('get', 'a', 3, 4)],
      'linearizable',
    ],
    ['new, then old again', [at('put', 'a', 0, 5), at('get', 'a', 1, 2), at('get', undefined, 3, 4)], 'refused'],
    [
      'an unknown write seen late',
      [at('put', 'a', 0, Infinity), at('get', undefined, 5, 6), at('get', 'a', 8, 9)],
      'linearizable',
    ],
    [
      'an unknown write seen twice with another between',
      [at('put', 'a', 0, Infinity), at('get', 'a', 1, 2), at('put', 'b', 3, 4), at('get', 'a', 5, 6)],
      'refused',
    ],
    [
      'an unknown delete',
      [at('put', 'a', 0, 1), at('delete', undefined, 2, Infinity), at('get', undefined, 9, 10)],
      'linearizable',
    ],
    [
      'one unknown delete explains one disappearance',
      [
        at('put', 'a', 0, 1),
        at('delete', undefined, 2, Infinity),
        at('get', undefined, 3, 4),
        at('put', 'b', 5, 6),
        at('get', undefined, 7, 8),
      ],
      'refused',
    ],
    ['a value that nobody wrote', [at('get', 'x', 0, 1)], 'refused'],
    [
      'the same value written twice',
      [at('put', 'a', 0, 1), at('put', 'b', 2, 3), at('put', 'a', 4, 5), at('get', 'a', 6, 7)],
      'linearizable',
    ],
  ] as [string, RegisterCall[], string][])('%s', (_, calls, verdict) => {
    expect(checkRegister(calls).kind).toBe(verdict);
    expect(bruteForce(calls)).toBe(verdict === 'linearizable');
  });

  // Plan: thousands of tiny histories of which most make no sense; the verdict is that of trying every order.
  it('agrees with trying every order', () => {
    const seed = 20_261;
    const random = seededRandom(seed);
    const seen = { linearizable: 0, refused: 0 };
    for (let n = 0; n < 6_000; n += 1) {
      const calls = Array.from({ length: 2 + Math.floor(random() * 6) }, () => {
        const kind = pick(random, ['get', 'get', 'put', 'put', 'delete'] as const);
        const invoked = Math.floor(random() * 12);
        const unknown = kind !== 'get' && random() < 0.2;
        const value = kind === 'delete' ? undefined : pick(random, ['a', 'b', 'c', undefined]);
        return at(
          kind,
          kind === 'put' ? (value ?? 'd') : value,
          invoked,
          unknown ? Infinity : invoked + 1 + Math.floor(random() * 6),
        );
      });
      const verdict = checkRegister(calls).kind;
      if (verdict !== (bruteForce(calls) ? 'linearizable' : 'refused')) {
        throw new Error(`seed ${seed}, history ${n}: ${verdict}\n${calls.map((c) => JSON.stringify(c)).join('\n')}`);
      }
      seen[verdict as keyof typeof seen] += 1;
    }
    expect(Math.min(seen.linearizable, seen.refused)).toBeGreaterThan(500);
  });

  // Plan: 500 histories of a true register with eight at a time and unknown outcomes are accepted; each with one read made impossible is refused.
  it('accepts what a register did and refuses what none can do', () => {
    const seed = 77;
    const random = seededRandom(seed);
    let mutants = 0;
    for (let n = 0; n < 500; n += 1) {
      const calls = validHistory(random, 120, 8, 0.1);
      const verdict = checkRegister(calls);
      if (verdict.kind !== 'linearizable') throw new Error(`seed ${seed}, history ${n}: ${JSON.stringify(verdict)}`);
      const mutant = mutate(random, calls);
      if (!mutant) continue;
      mutants += 1;
      if (checkRegister(mutant).kind !== 'refused') throw new Error(`seed ${seed}, mutant ${n} was not refused`);
    }
    expect(mutants).toBeGreaterThan(450);
  });

  // Plan: 20,000 calls on one key, eight and then sixteen at a time, are judged within seconds.
  it('is fast for long histories', () => {
    for (const width of [8, 16]) {
      const calls = validHistory(seededRandom(width), 20_000, width, 0.01);
      const began = performance.now();
      expect(checkRegister(calls)).toEqual({ kind: 'linearizable' });
      expect(performance.now() - began).toBeLessThan(10_000);
    }
  });

  // Plan: more calls at once than it can hold is no yes.
  it('says when it cannot tell', () => {
    const calls = Array.from({ length: 40 }, (_, i) => at('put', `v${i}`, 0, 10));
    expect(checkRegister(calls).kind).toBe('inconclusive');
    expect(checkRegister(validHistory(seededRandom(1), 50, 8, 0), { budget: 3 }).kind).toBe('inconclusive');
  });
});
