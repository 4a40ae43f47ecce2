import { describe, expect, it } from '@jest/globals';
import { FairQueue } from './fair-queue.js';

const item = (name: string, bytes = 100) => ({ name, bytes, settled: false });
const drain = (queue: FairQueue<ReturnType<typeof item>>, most = Infinity): string[] => {
  const names: string[] = [];
  for (let next = queue.shift(); next; next = queue.shift()) {
    names.push(next.name);
    if (names.length >= most) break;
  }
  return names;
};

describe('FairQueue', () => {
  // Plan: one flow is a plain queue, also over the point at which its memory is compacted.
  it('keeps the order within a flow', () => {
    const queue = new FairQueue<ReturnType<typeof item>>();
    const flow = {};
    const names = Array.from({ length: 5_000 }, (_, i) => `a${i}`);
    for (const name of names) queue.push(flow, item(name));
    expect(drain(queue)).toEqual(names);
    expect(queue.shift()).toBeUndefined();
  });

  // Plan: a flow of 64 values of 64 KiB came first; a lone read of another flow comes out after at most one of them, and none is lost.
  it('lets a lone request pass a bulk load', () => {
    const queue = new FairQueue<ReturnType<typeof item>>();
    const [bulk, single] = [{}, {}];
    for (let i = 0; i < 64; i += 1) queue.push(bulk, item(`bulk${i}`, 64 * 1024));
    queue.push(single, item('read'));
    const names = drain(queue);
    expect(names.indexOf('read')).toBeLessThanOrEqual(1);
    expect(names).toHaveLength(65);
  });

  // Plan: two flows, requests of 1 KiB and of 8 KiB: while both have some, each is given about the same bytes.
  it('shares by bytes, not by count', () => {
    const queue = new FairQueue<ReturnType<typeof item>>();
    const [small, large] = [{}, {}];
    for (let i = 0; i < 800; i += 1) queue.push(small, item('s', 1024));
    for (let i = 0; i < 100; i += 1) queue.push(large, item('L', 8 * 1024));
    const names = drain(queue, 450);
    const bytes = { s: names.filter((n) => n === 's').length * 1024, L: names.filter((n) => n === 'L').length * 8192 };
    expect(Math.abs(bytes.s - bytes.L)).toBeLessThanOrEqual(32 * 1024);
  });

  // Plan: what was settled while it waited is passed over.
  it('passes over what is no longer wanted', () => {
    const queue = new FairQueue<ReturnType<typeof item>>();
    const [a, b] = [{}, {}];
    const gone = item('gone');
    queue.push(a, gone);
    queue.push(b, item('kept'));
    gone.settled = true;
    expect(drain(queue)).toEqual(['kept']);
  });
});
