import { afterEach, describe, expect, it } from '@jest/globals';
import { newRecord } from '@cadastre/core';
import { FakeControlPlane } from './fake-control-plane.js';
import { SmallClient, specOf, Stage, waitFor } from './kit.js';

describe('a keyspace that was dropped and made anew under its name', () => {
  const stage = new Stage();
  afterEach(() => stage.end());
  const spec = specOf(1, 1, 1);
  const anew = { ...spec, firstEpoch: 5 };
  const id = { keyspace: 'ks', partition: 0 };

  // Plan: a value is written; then the map of the new life comes without word of the end of the old one, to the agent as it runs, or
  // when it starts again; it serves, the old value is not there, a new one is and stays over another start.
  it.each(['while it runs', 'at its next start'])(
    'never shows old data to an agent that hears of it %s',
    async (when) => {
      const plane = await new FakeControlPlane().start();
      stage.onEnd(() => plane.cut());
      const dataDir = await stage.folder();
      let agent = await stage.agent('n1', plane, { dataDir });
      const again = async () => {
        await agent.stop();
        agent = await stage.agent('n1', plane, { dataDir });
      };
      await waitFor('session', () => plane.nodes.size === 1);
      plane.createKeyspace(spec, [newRecord(0, ['n1'])]);
      await new SmallClient(stage, spec, { address: agent.address, epoch: 1 }).put('r1', 'old', 'x');
      if (when !== 'while it runs') await agent.stop();
      plane.createKeyspace(anew, [{ ...newRecord(0, ['n1']), epoch: 5 }]);
      if (when !== 'while it runs') await again();
      await waitFor('the new life', () => (agent.engine.meta(id)?.promisedEpoch ?? 0) >= 5);
      const client = () => new SmallClient(stage, spec, { address: agent.address, epoch: 5 });
      expect(await client().get('old')).toBeUndefined();
      await client().put('r1', 'new', 'y'); // the same request id: nothing is remembered of the old life
      expect(agent.engine.meta(id)).toMatchObject({ count: 1 });
      await again();
      expect(await client().get('new')).toBe('y');
      expect(await client().get('old')).toBeUndefined();
    },
  );
});
