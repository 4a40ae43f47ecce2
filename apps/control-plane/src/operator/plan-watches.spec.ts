import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CadastreError } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { fromServiceError, GrpcServer, operatorService, Peer } from '@cadastre/contracts';
import { systemClock } from '@cadastre/runtime';
import type { OperationsPort } from '../operations/ports.js';
import { operatorHandlers } from './operator.grpc.js';
import { PlanWatches } from './plan-watches.js';

let plan: Wire.Plan;
let looks: number;
let mayRead: boolean;
let watches: PlanWatches;
let server: GrpcServer;
let peer: Peer;

const operations = {
  getPlan: (id: string) => {
    looks += 1;
    if (!plan.id!.startsWith(id) && id !== 'latest')
      throw new CadastreError('NOT_FOUND', `plan "${id}" does not exist`, { field: 'id', remedy: 'list the plans' });
    return plan;
  },
} as unknown as OperationsPort;

beforeEach(async () => {
  plan = { id: 'abc123', state: 'executing', moves: [{ index: 0, bytesDone: 0 }] };
  looks = 0;
  mayRead = true;
  watches = new PlanWatches({ operations, clock: systemClock, periodMs: 10 });
  server = new GrpcServer().add(
    operatorService,
    operatorHandlers({ operations, planWatches: watches, holds: () => () => mayRead }) as never,
  );
  peer = new Peer(`127.0.0.1:${await server.listen({ host: '127.0.0.1', port: 0 })}`);
});
afterEach(async () => {
  watches.close();
  peer.close();
  await server.stop(100);
});

const watch = (id: string) => {
  const call = peer.operator.watchPlan({ id });
  const seen: Wire.Plan__Output[] = [];
  call.on('data', (p: Wire.Plan__Output) => seen.push(p));
  const ended = new Promise<CadastreError | undefined>((resolve) => {
    call.on('end', () => resolve(undefined));
    call.on('error', (error: Parameters<typeof fromServiceError>[0]) => resolve(fromServiceError(error)));
  });
  return { call, seen, ended };
};

const until = async (condition: () => boolean): Promise<void> => {
  const giveUpAt = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > giveUpAt) throw new Error('the condition did not come true');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

describe('WatchPlan', () => {
  it('tells the plan as it is, each difference once, and ends with it', async () => {
    // Plan: progress that no register change announces is seen; looking without difference sends nothing; completion ends the stream.
    const { seen, ended } = watch('abc');
    await until(() => seen.length === 1);
    const before = looks;
    await until(() => looks > before + 5);
    expect(seen).toHaveLength(1);
    plan = { ...plan, moves: [{ index: 0, bytesDone: 7 }] };
    await until(() => seen.length === 2);
    plan = { ...plan, state: 'completed' };
    watches.onPlansChanged(['abc123']);
    expect(await ended).toBeUndefined();
    expect(seen.map((p) => [p.state, p.moves[0]?.bytesDone])).toEqual([
      ['executing', 0],
      ['executing', 7],
      ['completed', 7],
    ]);
  });

  it('does not look again and again at a plan that waits', async () => {
    // Plan: a proposed plan is looked at once, and again when the register says that it changed.
    plan = { ...plan, state: 'proposed' };
    const { call, seen } = watch('latest');
    await until(() => seen.length === 1);
    const before = looks;
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(looks).toBe(before);
    plan = { ...plan, state: 'approved' };
    watches.onPlansChanged(['other']);
    expect(looks).toBe(before);
    watches.onPlansChanged(['abc123']);
    await until(() => seen.length === 2);
    call.cancel();
  });

  it.each(['executing', 'proposed'])(
    'ends with the right to read, whether or not anything happens: %s',
    async (state) => {
      // Plan: the reader signs out; the stream ends by itself with the reason, and what changes afterwards is not sent.
      plan = { ...plan, state };
      const { seen, ended } = watch('abc');
      await until(() => seen.length === 1);
      mayRead = false;
      plan = { ...plan, reason: 'secret' };
      watches.onPlansChanged(['abc123']);
      expect(await ended).toMatchObject({ code: 'UNAUTHENTICATED' });
      expect(seen).toHaveLength(1);
    },
  );

  it('answers a plan that does not exist with a typed error', async () => {
    // Plan: the stream ends at once with NOT_FOUND and the field.
    expect(await watch('zzz').ended).toMatchObject({ code: 'NOT_FOUND', field: 'id' });
  });

  it('gives a reader that paused the newest state, not each it missed', async () => {
    // Plan: with a reader that does not read, 2,000 large states go by; it is sent far fewer, and the last.
    const { call, seen } = watch('abc');
    await until(() => seen.length === 1);
    call.pause();
    const reason = 'x'.repeat(20_000);
    for (let i = 1; i <= 2_000; i += 1) {
      plan = { ...plan, reason, movesDone: i };
      watches.onPlansChanged(['abc123']);
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    call.resume();
    await until(() => seen.at(-1)?.movesDone === 2_000);
    expect(seen.length).toBeLessThan(1_000);
    call.cancel();
  });
});
