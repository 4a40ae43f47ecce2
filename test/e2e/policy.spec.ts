import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Explanation, Policy, SimulationResult } from '@cadastre/core';
import { policyJson } from '@cadastre/core';
import { run } from '../../apps/cli/src/program.js';
import { FakeIo } from '../../apps/cli/src/testing/fake-io.js';
import { TestCluster } from '@cadastre/testkit';

let cluster: TestCluster | undefined;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'policy-'));
});
afterEach(async () => {
  await cluster?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const cadastre = async (line: string) => {
  const io = new FakeIo(folder);
  const server = cluster!.controlPlaneAddresses().join(',');
  const code = await run([...line.split(' '), '--server', server, '--json'], io);
  const json = <T>(): T => {
    if (io.out === '') throw new Error(`${line}: ${io.err}`);
    return io.json<T>();
  };
  return { code, io, json };
};

/** Copies only in zones a and b, leaders in b. */
const policy: Policy = {
  spread: [{ label: 'zone', hard: true, maxPerDomain: 1 }],
  required: [{ label: 'zone', op: 'in', values: ['a', 'b'] }],
  leaderPreferences: [[{ label: 'zone', op: 'in', values: ['b'] }]],
};

describe('policies on a live cluster', () => {
  it('are refused where they cannot be met, kept where they can, planned for, and explained', async () => {
    // A keyspace over three zones; its policy then wants two of them. Refused with RF 3, taken with RF 2. The plan that follows is the one
    // that the simulator makes of the exported cluster, and carried out it leaves nothing in the third zone.
    cluster = await TestCluster.start({ controlPlanes: 1, agents: 3, zones: 3 });
    expect((await cadastre('keyspace create orders --partitions 8 --rf 3')).code).toBe(0);
    writeFileSync(join(folder, 'policy.json'), JSON.stringify(policyJson(policy)));

    const refused = await cadastre('keyspace policy orders --set policy.json');
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.io.err)).toMatchObject({
      error: {
        code: 'UNSATISFIABLE',
        field: 'required[0]',
        message: expect.stringContaining('needs 3 nodes, 2 are up') as unknown,
      },
    });
    expect((await cadastre('keyspace policy orders')).json()).toMatchObject({ policy: {} });

    writeFileSync(join(folder, 'policy.json'), JSON.stringify(policyJson({ ...policy, replicationFactor: 2 })));
    const taken = await cadastre('keyspace policy orders --set policy.json --reason fewer');
    expect(taken.io.err).toBe('');
    expect(taken.json()).toMatchObject({ replicationFactor: 2, minInSync: 2, policy: policyJson(policy) });

    const { nodes } = await cluster.nodes();
    const third = nodes.find((n) => !['a', 'b'].includes(n.entry!.labels['zone']!))!.entry!.id;
    const why = (await cadastre(`plan why orders 0 ${third}`)).json<Explanation>();
    expect(why.checks.find((c) => c.rule === 'required[0]')).toMatchObject({ verdict: 'fail', limit: 'zone in a, b' });

    expect((await cadastre('plan export --output cluster.json')).code).toBe(0);
    const simulated = (await cadastre('plan simulate --input cluster.json --actor tester')).json<SimulationResult>();
    const proposed = (await cadastre('plan propose --actor tester')).json<{ plan: { id: string; digest: string } }>();
    const read = await cluster.plan(proposed.plan.id);
    expect(read.moves.map((m) => [m.partition, m.kind, m.from, m.to, m.leaderAfter, m.reason, m.baseEpoch])).toEqual(
      simulated.steps.flat().map((m) => [m.partition, m.kind, m.from, m.to, m.leaderAfter, m.reason, 1]),
    );
    expect(proposed.plan.digest).toBe(simulated.digest);

    await cluster.actOnPlan(proposed.plan.id, 'approve', proposed.plan.digest);
    await cluster.until('the plan ends', async () =>
      ['completed', 'failed'].includes((await cluster!.plan(proposed.plan.id)).state),
    );
    expect(await cluster.plan(proposed.plan.id)).toMatchObject({ state: 'completed' });
    const { records } = await cluster.keyspace('orders');
    expect(records.map((r) => r.replicas.length)).toEqual(Array.from({ length: 8 }, () => 2));
    expect(records.flatMap((r) => r.replicas.map((x) => x.node))).not.toContain(third);
    const inB = nodes.find((n) => n.entry!.labels['zone'] === 'b')!.entry!.id;
    expect(new Set(records.map((r) => r.replicas.find((x) => x.role === 'LEADER')?.node))).toEqual(new Set([inB]));
  });

  it('of the cluster hold for every keyspace, those made later too', async () => {
    // The cluster forbids a zone: a keyspace that needs it is refused, as is a rule that a keyspace there could not keep.
    cluster = await TestCluster.start({ controlPlanes: 1, agents: 3, zones: 3 });
    writeFileSync(
      join(folder, 'all.json'),
      JSON.stringify({ forbidden: [{ label: 'zone', op: 'in', values: ['a'] }] }),
    );
    expect((await cadastre('policy --set all.json')).code).toBe(0);
    const three = await cadastre('keyspace create three --partitions 4 --rf 3');
    expect(JSON.parse(three.io.err)).toMatchObject({ error: { code: 'UNSATISFIABLE', field: 'forbidden[0]' } });
    expect((await cadastre('keyspace create two --partitions 4 --rf 2')).code).toBe(0);
    writeFileSync(
      join(folder, 'all.json'),
      JSON.stringify({ forbidden: [{ label: 'zone', op: 'in', values: ['a', 'b'] }] }),
    );
    const more = await cadastre('policy --set all.json');
    expect(JSON.parse(more.io.err)).toMatchObject({
      error: { code: 'UNSATISFIABLE', message: expect.stringContaining('two: ') as unknown },
    });
  });
});
