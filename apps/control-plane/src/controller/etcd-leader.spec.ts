import { afterEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '@cadastre/runtime';
import type { Store, StoreStatus } from '@cadastre/store';
import { EtcdLeader } from './etcd-leader.driver.js';

const status = {
  version: '3.5.0',
  clusterId: 'c',
  memberId: 'm',
  dbSizeBytes: 0,
  dbSizeInUseBytes: 0,
  alarms: [],
  endpoint: 'e',
};

describe('EtcdLeader', () => {
  let watch: EtcdLeader | undefined;
  afterEach(() => watch?.close());

  // Plan: etcd answers with one leader, then with none, then with another; only the last makes the controller wary, and it says why.
  it('is wary after a change of leader, not before', async () => {
    const answers = ['a', undefined, 'b'];
    let asked = 0;
    const clock = { ...systemClock, every: (_ms: number, task: () => void) => systemClock.every(5, task) };
    const next = (): Promise<StoreStatus> =>
      Promise.resolve({ ...status, leader: answers[Math.min(asked++, answers.length - 1)] });
    watch = new EtcdLeader({ status: next } as unknown as Store, clock);
    expect(watch.wary).toBeUndefined();
    while (asked < 4) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(watch.wary).toContain('etcd changed its leader');
  });
});
