import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { inSyncOf } from '@cadastre/core';
import type { Random } from '@cadastre/runtime';
import type { Pair } from './network.js';
import type { World } from './world.js';
import { until } from '../until.js';
import { KEYSPACE } from './world.js';

export interface Fault {
  readonly kind: string;
  readonly target: string;
  readonly holdMs: number;
  begin(): Promise<void>;
  /** Puts right what `begin` did; resolves when the target runs again. */
  end(): Promise<void>;
}

interface Kind {
  readonly kind: string;
  readonly weight: number;
  /** Undefined when it cannot be done now. */
  make(world: World, random: Random): Promise<Omit<Fault, 'kind'> | undefined>;
}

const pick = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
/** Mostly short, at times long enough for a lease to end. */
const hold = (random: Random, longestMs = 16_000): number => 500 + random() * random() * longestMs;

const between = (one: string, others: readonly string[], direction: string): Pair[] => [
  ...(direction !== 'in' ? others.map((other): Pair => [one, other]) : []),
  ...(direction !== 'out' ? others.map((other): Pair => [other, one]) : []),
];

const cut = (world: World, target: string, pairs: readonly Pair[], holdMs: number): Omit<Fault, 'kind'> => ({
  target,
  holdMs,
  begin: () => world.network.cut(pairs),
  end: () => world.network.heal(pairs),
});

const service = (
  kind: string,
  weight: number,
  namesOf: (world: World) => readonly string[],
  hurt: (world: World, name: string) => Promise<void> | void,
  mend: (world: World, name: string) => Promise<void> | void,
): Kind => ({
  kind,
  weight,
  make: (world, random) => {
    const target = pick(
      random,
      namesOf(world).filter((name) => world.isRunning(name)),
    );
    const holdMs = hold(random);
    if (target === undefined) return Promise.resolve(undefined);
    return Promise.resolve({
      target,
      holdMs,
      begin: async () => hurt(world, target),
      end: async () => mend(world, target),
    });
  },
});

const etcd = (
  kind: string,
  weight: number,
  choose: (world: World, random: Random) => Promise<string | undefined>,
  hurt: (world: World, name: string) => Promise<void> | void,
  mend: (world: World, name: string) => Promise<void> | void,
): Kind => ({
  kind,
  weight,
  make: async (world, random) => {
    const holdMs = hold(random, 12_000);
    const target = await choose(world, random);
    return target === undefined
      ? undefined
      : { target, holdMs, begin: async () => hurt(world, target), end: async () => mend(world, target) };
  },
});

const anyMember = (world: World, random: Random): Promise<string> => Promise.resolve(pick(random, world.etcd.names));
const leadingMember = (world: World): Promise<string | undefined> => world.etcd.leader();

/** Every copy is whole, so that losing one loses nothing. */
const isWhole = async (world: World): Promise<boolean> => {
  const records = await world.operator.records(KEYSPACE.name).catch(() => []);
  return records.length > 0 && records.every((r) => inSyncOf(r).length >= KEYSPACE.replicationFactor);
};

const FILLER = 'filler';
const CHUNK = Buffer.alloc(1 << 20);

/** Until the file system takes no more. */
const fillDisk = (dir: string): void => {
  const file = openSync(join(dir, FILLER), 'w');
  try {
    for (let size = CHUNK.length; size >= 1;) {
      try {
        writeSync(file, CHUNK, 0, size);
      } catch {
        size >>= 4;
      }
    }
  } finally {
    closeSync(file);
  }
};

/** What befalls storage agents. */
export const AGENT_FAULTS: readonly Kind[] = [
  service(
    'agent-kill',
    4,
    (w) => w.agents,
    (w, n) => w.end(n, 'SIGKILL'),
    (w, n) => w.bring(n),
  ),
  service(
    'agent-pause',
    4,
    (w) => w.agents,
    (w, n) => w.signal(n, 'SIGSTOP'),
    (w, n) => w.signal(n, 'SIGCONT'),
  ),
  service(
    'agent-restart',
    1,
    (w) => w.agents,
    (w, n) => w.end(n, 'SIGTERM'),
    (w, n) => w.bring(n),
  ),
  {
    kind: 'agent-cut',
    weight: 5,
    make: (world, random) => {
      const target = pick(random, world.agents);
      const others = world.hostNames.filter((name) => name !== target);
      const from = pick(random, ['all', 'agents', 'control planes'] as const);
      const reached = {
        all: others,
        agents: others.filter((o) => world.agents.includes(o)),
        'control planes': world.controlPlanes,
      };
      const direction = pick(random, ['both', 'in', 'out']);
      return Promise.resolve({
        ...cut(world, target, between(target, reached[from], direction), hold(random)),
        target: `${target} ${direction} of ${from}`,
      });
    },
  },
  {
    kind: 'agent-wipe',
    weight: 1,
    make: async (world, random) => {
      const target = pick(random, world.agents);
      const holdMs = hold(random, 4_000);
      if (!(await isWhole(world))) return undefined;
      return {
        target,
        holdMs,
        begin: async () => {
          await world.end(target, 'SIGKILL');
          world.wipe(target);
        },
        end: async () => {
          await world.bring(target);
          // Refused at first, and started again, until what it was is over.
          await until(`${target} is taken in with its empty disk`, 60_000, async () => {
            const { nodesUp } = await world.operator.status();
            return world.isRunning(target) && nodesUp === world.agents.length;
          });
        },
      };
    },
  },
  {
    kind: 'disk-full',
    weight: 1,
    make: (world, random) => {
      const target = world.smallDisk;
      const holdMs = hold(random, 8_000);
      if (target === undefined || !world.isRunning(target)) return Promise.resolve(undefined);
      return Promise.resolve({
        target,
        holdMs,
        begin: () => {
          // An agent whose disk takes no more may end itself.
          world.serviceOf(target).expected = true;
          fillDisk(world.dataOf(target));
          return Promise.resolve();
        },
        end: async () => {
          rmSync(join(world.dataOf(target), FILLER), { force: true });
          await world.bring(target);
          world.serviceOf(target).expected = false;
        },
      });
    },
  },
];

/** What befalls control planes and the register. */
export const REGISTER_FAULTS: readonly Kind[] = [
  service(
    'control-plane-kill',
    3,
    (w) => w.controlPlanes,
    (w, n) => w.end(n, 'SIGKILL'),
    (w, n) => w.bring(n),
  ),
  service(
    'control-plane-pause',
    3,
    (w) => w.controlPlanes,
    (w, n) => w.signal(n, 'SIGSTOP'),
    (w, n) => w.signal(n, 'SIGCONT'),
  ),
  {
    kind: 'control-plane-cut',
    weight: 3,
    make: (world, random) => {
      const target = pick(random, world.controlPlanes);
      const direction = pick(random, ['both', 'in', 'out']);
      return Promise.resolve({
        ...cut(world, target, between(target, world.etcd.names, direction), hold(random)),
        target: `${target} ${direction} of etcd`,
      });
    },
  },
  etcd(
    'etcd-leader-kill',
    3,
    leadingMember,
    (w, n) => w.etcd.kill(n),
    (w, n) => w.etcd.start(n),
  ),
  etcd(
    'etcd-leader-pause',
    2,
    leadingMember,
    (w, n) => w.etcd.signal(n, 'SIGSTOP'),
    (w, n) => w.etcd.signal(n, 'SIGCONT'),
  ),
  etcd(
    'etcd-kill',
    1,
    anyMember,
    (w, n) => w.etcd.kill(n),
    (w, n) => w.etcd.start(n),
  ),
  etcd(
    'etcd-lose',
    1,
    anyMember,
    (w, n) => w.etcd.lose(n),
    (w, n) => w.etcd.rejoin(n),
  ),
  {
    kind: 'etcd-cut',
    weight: 2,
    make: (world, random) => {
      const target = pick(random, world.etcd.names);
      const direction = pick(random, ['both', 'in', 'out']);
      const others = world.etcd.names.filter((name) => name !== target);
      return Promise.resolve({
        ...cut(world, target, between(target, others, direction), hold(random)),
        target: `${target} ${direction} of its peers`,
      });
    },
  },
  {
    kind: 'clock-jump',
    weight: 2,
    make: (world, random) => {
      const target = pick(random, [...world.controlPlanes, ...world.agents]);
      const seconds = pick(random, [-600, -5, 5, 600]);
      const holdMs = 4_000 + hold(random, 8_000);
      if (!world.hasFakeClock) return Promise.resolve(undefined);
      return Promise.resolve({
        target: `${target} by ${seconds} s`,
        holdMs,
        begin: async () => world.jumpClock(target, seconds),
        end: async () => world.jumpClock(target, 0),
      });
    },
  },
  {
    kind: 'compaction',
    weight: 2,
    make: (world) =>
      Promise.resolve({
        target: 'etcd',
        holdMs: 0,
        begin: async () => {
          const { revision } = await world.store.range('cadastre/v1/cluster');
          await world.store.compact(revision);
        },
        end: () => Promise.resolve(),
      }),
  },
];

/** Draws one by weight; what cannot be done now is drawn again. */
export const nextFault = async (kinds: readonly Kind[], world: World, random: Random): Promise<Fault | undefined> => {
  for (let tries = 0; tries < 10 && kinds.length > 0; tries += 1) {
    let dice = random() * kinds.reduce((sum, k) => sum + k.weight, 0);
    const kind = kinds.find((k) => (dice -= k.weight) < 0) ?? kinds[0]!;
    const fault = await kind.make(world, random);
    if (fault) return { kind: kind.kind, ...fault };
  }
  return undefined;
};
