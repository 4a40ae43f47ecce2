import { Writable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import type { Clock } from '@cadastre/runtime';
import { bounded, LogBounds } from './log-bounds.js';
import { createLogger } from './logger.js';

describe('LogBounds', () => {
  // Plan: more lines at one moment than may be, then a second later; errors are not crowded out; what was left out is told once.
  it('lets through a burst, then so many a second', () => {
    let now = 0;
    const bounds = new LogBounds({ monotonicMs: () => now } as Clock);
    const admitted = (level: string, lines: number): number =>
      Array.from({ length: lines }, () => bounds.admit(level)).filter(Boolean).length;
    expect(admitted('info', 10_500)).toBe(10_000);
    expect(admitted('error', 10)).toBe(10);
    expect([bounds.dropped, bounds.takeUntold(), bounds.takeUntold()]).toEqual([500, 500, 0]);
    now += 1_000;
    expect(admitted('warn', 500)).toBe(200);
    expect(bounds.dropped).toBe(800);
  });
});

describe('bounded', () => {
  // Plan: a long text, a large object and one with a 64-bit number; what is small stays as it is.
  it('cuts what is long', () => {
    expect(bounded('x'.repeat(5_000))).toBe(`${'x'.repeat(4_096)}… (5000 characters)`);
    expect(bounded({ list: Array.from({ length: 9_000 }, (_, i) => i) })).toMatch(
      /^\{"list":\[0,1.*… \(\d+ characters\)$/,
    );
    const small = { term: 7n };
    expect(bounded(small)).toBe(small);
    expect(bounded(undefined)).toBeUndefined();
  });
});

describe('a logger', () => {
  // Plan: on a clock that stands, too many lines, among them entries of the audit log; those are all written, whole, and the rest is counted.
  it('bounds its lines, and never what leaves the register', () => {
    let now = 0;
    const clock = { monotonicMs: () => now } as Clock;
    const written: string[] = [];
    const out = new Writable({
      write: (chunk, _encoding, done) => {
        written.push(String(chunk));
        done();
      },
    });
    const logger = createLogger({ service: 's', clock, out });
    const entry = { text: 'y'.repeat(20_000) };
    for (let i = 0; i < 10_200; i += 1) logger.info('again', { plan: 'p1' });
    logger.info('audit entry leaves the register', { event: 'audit-export', entry });
    now += 10_000;
    logger.info('later', { requestId: 'c:1' });
    const lines = written.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.filter(({ message }) => message === 'again')).toHaveLength(10_000);
    expect(lines.find(({ event }) => event === 'audit-export')).toMatchObject({ entry });
    expect(lines.at(-2)).toMatchObject({ level: 'warn', event: 'log-dropped', lines: 200 });
    expect(lines.at(-1)).toMatchObject({ message: 'later', requestId: 'c:1', service: 's' });
    expect(logger.dropped).toBe(200);
  });
});
