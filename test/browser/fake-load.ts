import { latencyBucketOf } from '@cadastre/core';
import { KeyspaceLoad } from '../../apps/control-plane/src/load/keyspace-load.js';

const STEP_MS = 10_000;
const HOUR_MS = 3_600_000;

/** An hour of load that has what one looks for in it: a busy stretch, one hot partition, a wave, a partition that gets slow, and a gap. */
export const fakeLoad = (partitions: number, nowMs: number): KeyspaceLoad => {
  const load = new KeyspaceLoad('fake', partitions, partitions);
  for (let at = nowMs - HOUR_MS; at < nowMs; at += STEP_MS) {
    const to = at + STEP_MS;
    load.advance(to - 1);
    const age = (nowMs - at) / HOUR_MS;
    if (age > 0.55 && age < 0.58) continue;
    for (let p = 0; p < partitions; p += 1) {
      load.lead(p, 2e6 * (1 + ((p * 7_919) % 97)), at, to - 1);
      const wave = 1 + Math.sin(age * 9 + p / partitions);
      const hot = p === Math.floor(partitions * 0.4) && age < 0.12 ? 900 : 1;
      const busy = p > partitions * 0.7 && p < partitions * 0.8 ? 20 : 1;
      const reads = p % 11 === 5 ? 0 : Math.round(8 * wave * hot * busy * (1 + ((p * 31) % 7) / 7));
      const slowMs = hot > 1 ? 180 : p === Math.floor(partitions * 0.85) && age < 0.3 ? 40 : 0.4 + (p % 5) * 0.2;
      const latency = reads > 0 ? { first: latencyBucketOf(slowMs), counts: [reads] } : undefined;
      load.add(p, at, to - 1, { reads, writes: Math.round(reads / 4), latency });
    }
  }
  load.advance(nowMs);
  load.settle();
  return load;
};
