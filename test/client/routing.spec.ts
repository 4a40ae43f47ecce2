import { spawnSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';

/** Runs apart from Jest, whose context makes the loop a hundred times slower. The young generation has 1 MiB: garbage shows at once
 * as minor collections; a major one ends what the start of the process left. */
const script = `
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { KeyspaceMap, newRecord } from '@cadastre/core';
const nodes = ['a', 'b', 'c'].map((id) => ({ id, address: id + ':1', labels: {}, weight: 1 }));
const spec = { name: 'ks', scheme: { kind: 'hash-slots', slots: 16384, hash: 'murmur3', hashTags: false }, replicationFactor: 3, minInSync: 1, spread: [] };
const records = Array.from({ length: 16384 }, (_, p) => newRecord(p, ['a', 'b', 'c']));
const map = KeyspaceMap.fromRecords(spec, { incarnation: 1, number: 1 }, records, nodes);
const key = Buffer.from('some-key-of-usual-length');
const links = new Map(nodes.map((n) => [n.address, n]));
const garbage = process.argv[1] === 'wasteful' ? () => [sum] : () => undefined;
let kept;
let sum = 0;
const route = (times) => {
  for (let i = 0; i < times; i += 1) {
    key[0] = i;
    const partition = map.partitionOf(key);
    sum += links.get(map.leader(partition).address).weight + map.epochOf(partition);
    kept = garbage();
  }
};
route(300_000);
await new Promise((resolve) => setImmediate(resolve));
let collections = 0;
new PerformanceObserver((list) => (collections += list.getEntries().filter((entry) => entry.detail.kind === constants.NODE_PERFORMANCE_GC_MINOR).length)).observe({ entryTypes: ['gc'] });
route(1_000_000);
await new Promise((resolve) => setTimeout(resolve, 50));
console.log(JSON.stringify({ collections, sum, kept: kept !== undefined }));
`;

const run = (...args: string[]): { collections: number; sum: number } => {
  const options = { cwd: import.meta.dirname, encoding: 'utf8', timeout: 60_000 } as const;
  const child = spawnSync(
    process.execPath,
    ['--max-semi-space-size=1', '--input-type=module', '-e', script, ...args],
    options,
  );
  if (child.status !== 0) throw new Error(child.stderr);
  return JSON.parse(child.stdout);
};

describe('routing', () => {
  // Plan: key -> partition -> leader -> epoch -> link, a million times: no garbage is collected. One small array each is noticed.
  it('allocates nothing', () => {
    expect(run()).toMatchObject({ collections: 0, sum: 2 * 1_300_000 });
    expect(run('wasteful').collections).toBeGreaterThan(5);
  }, 120_000);
});
