import { afterEach, describe, expect, it } from '@jest/globals';
import type { Wire } from '@cadastre/contracts';
import { callUnary } from '@cadastre/contracts';
import { TestCluster } from '@cadastre/testkit';

let cluster: TestCluster | undefined;
afterEach(() => cluster?.stop());

const plans = async (): Promise<readonly Wire.Plan__Output[]> => {
  const { plans: found } = await cluster!.operator((p) =>
    callUnary<Wire.ListPlansRequest, Wire.ListPlansReply__Output>(
      p.operator,
      p.operator.ListPlans,
      {},
      { deadlineMs: 5_000 },
    ),
  );
  return found;
};

describe('proposals by themselves', () => {
  it('wait for a person, are made once for what asked, and name it', async () => {
    // Two nodes join a cluster of three: one proposal for both, nothing moves; turned down, it is not made again; a drain makes another.
    cluster = await TestCluster.start({
      controlPlanes: 1,
      agents: 3,
      zones: 3,
      controlPlaneArgs: ['--propose-after-ms', '3000'],
    });
    await cluster.createKeyspace({
      name: 'orders',
      scheme: { kind: 'hash-slots', slots: 24, hash: 'murmur3', hashTags: false },
      replicationFactor: 2,
      minInSync: 1,
      spread: [],
    });
    await Promise.all([cluster.startAgent(4), cluster.startAgent(5)]);
    await cluster.until('a plan is proposed', async () => (await plans()).length > 0);
    const [first] = await plans();
    expect(first).toMatchObject({ state: 'proposed', proposer: 'cadastre', reason: 'n4 joined; n5 joined' });
    const { records } = await cluster.keyspace('orders');
    expect(records.flatMap((r) => r.replicas.map((x) => x.node))).not.toContain('n4');
    await cluster.actOnPlan(first!.id, 'reject');
    await cluster.drain('n1');
    await cluster.until('another is proposed', async () => (await plans()).length > 1);
    expect((await plans()).map((p) => [p.state, p.reason])).toEqual([
      ['proposed', 'n1 drains'],
      ['rejected', 'n4 joined; n5 joined'],
    ]);
  }, 120_000);
});
