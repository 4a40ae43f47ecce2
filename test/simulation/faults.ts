import { CadastreError, inSyncOf } from '@cadastre/core';
import type { Random } from '@cadastre/runtime';
import { SimDisk } from '../../libs/testkit/src/sim/index.js';
import type { World } from './world.js';

/** Begins a fault; what it returns ends it. Undefined: it makes no sense now. */
type Begin = (world: World, random: Random) => { readonly target: string; readonly end?: () => void } | undefined;

const pick = <T>(items: readonly T[], random: Random): T | undefined => items[Math.floor(random() * items.length)];
const nodeIds = (world: World): string[] => [...world.nodes.keys()];
const planeIds = (world: World): string[] => [...world.planes.keys()];
const upNode = (world: World, random: Random) =>
  pick(
    [...world.nodes.values()].filter((n) => n.process.alive && !n.process.frozen),
    random,
  );
const upPlane = (world: World, random: Random) =>
  pick(
    [...world.planes.values()].filter((p) => p.process.alive && !p.process.frozen),
    random,
  );

const killNode =
  (silently: boolean): Begin =>
  (world, random) => {
    const node = upNode(world, random);
    if (!node) return undefined;
    world.killNode(node.id, silently);
    return { target: node.id, end: () => node.process.alive || world.startNode(node.id) };
  };

const killPlane =
  (silently: boolean, activeOnly: boolean): Begin =>
  (world, random) => {
    const plane = activeOnly ? world.active : upPlane(world, random);
    if (!plane) return undefined;
    world.killPlane(plane.id, silently);
    return { target: plane.id, end: () => plane.process.alive || world.startPlane(plane.id) };
  };

const freeze =
  (of: 'node' | 'plane' | 'etcd' | 'active'): Begin =>
  (world, random) => {
    const process =
      of === 'etcd'
        ? world.etcd.process
        : of === 'active'
          ? world.active?.process
          : of === 'node'
            ? upNode(world, random)?.process
            : upPlane(world, random)?.process;
    if (!process || process.frozen) return undefined;
    world.freeze(process);
    return { target: process.host, end: () => world.thaw(process) };
  };

const cutRoutes = (world: World, routes: readonly (readonly [string, string])[], target: string) => {
  for (const [from, to] of routes) world.cut(from, to);
  return {
    target,
    end: () => {
      for (const [from, to] of routes) world.heal(from, to);
    },
  };
};

const cutPair =
  (kind: 'node-node' | 'node-plane' | 'plane-etcd' | 'client-node', both: boolean): Begin =>
  (world, random) => {
    const [left, right] = kind.split('-') as [string, string];
    const idsOf = (what: string): string[] =>
      what === 'node'
        ? nodeIds(world)
        : what === 'plane'
          ? planeIds(world)
          : what === 'etcd'
            ? ['etcd']
            : [...world.clients.keys()];
    const a = pick(idsOf(left), random);
    const b = pick(
      idsOf(right).filter((id) => id !== a),
      random,
    );
    if (!a || !b) return undefined;
    const [from, to] = random() < 0.5 ? [a, b] : [b, a];
    return cutRoutes(
      world,
      both
        ? [
            [a, b],
            [b, a],
          ]
        : [[from, to]],
      both ? `${a}<>${b}` : `${from}>${to}`,
    );
  };

/** A node away from all others, in one direction or both; its clients may still reach it. */
const isolate =
  (of: 'node' | 'plane', directions: 'in' | 'out' | 'both'): Begin =>
  (world, random) => {
    const id = of === 'node' ? upNode(world, random)?.id : upPlane(world, random)?.id;
    if (!id) return undefined;
    const others = [...nodeIds(world), ...planeIds(world), 'etcd'].filter((other) => other !== id);
    const routes = others.flatMap((other): [string, string][] => [
      ...(directions !== 'in' ? [[id, other] as [string, string]] : []),
      ...(directions !== 'out' ? [[other, id] as [string, string]] : []),
    ]);
    return cutRoutes(world, routes, `${id} ${directions}`);
  };

const reset: Begin = (world, random) => {
  const all = [...nodeIds(world), ...planeIds(world), ...world.clients.keys()];
  const a = pick(all, random)!;
  const b = pick(
    all.filter((id) => id !== a),
    random,
  )!;
  world.network.reset(a, b);
  return { target: `${a}<>${b}` };
};

const slowLink: Begin = (world, random) => {
  const a = pick(nodeIds(world), random)!;
  const b = pick(
    [...nodeIds(world), ...planeIds(world)].filter((id) => id !== a),
    random,
  )!;
  const slowMs = 20 + random() * 800;
  world.links.slow(a, b, slowMs);
  world.links.slow(b, a, slowMs);
  return {
    target: `${a}<>${b}`,
    end: () => {
      world.links.slow(a, b, 0);
      world.links.slow(b, a, 0);
    },
  };
};

const slowDisk: Begin = (world, random) => {
  const node = upNode(world, random);
  if (!node) return undefined;
  node.disk.slowMs = 20 + random() * 500;
  const { disk } = node;
  return { target: node.id, end: () => (disk.slowMs = 0) };
};

const brokenDisk =
  (code: 'RESOURCE_EXHAUSTED' | 'INTERNAL'): Begin =>
  (world, random) => {
    const node = upNode(world, random);
    if (!node) return undefined;
    node.disk.failNext(new CadastreError(code, code === 'INTERNAL' ? 'EIO' : 'ENOSPC'));
    return { target: node.id };
  };

/** A machine is lost with its disks, where by the map somebody else has all that it had; a new one takes its name. */
const wipe: Begin = (world, random) => {
  const node = upNode(world, random);
  if (!node || [...world.nodes.values()].some((n) => n.wipes > 0 || !n.process.alive)) return undefined;
  for (const { map } of world.recorder.state.keyspaces.values())
    for (const record of map.records()) {
      const inSync = inSyncOf(record);
      if (inSync.includes(node.id) && inSync.length < 3) return undefined;
    }
  world.links.discardFrom(node.id);
  world.killNode(node.id, false);
  node.wipes += 1;
  node.disk = new SimDisk(world.scheduler, world.random, node.id);
  node.files.wipe();
  node.told.clear();
  return { target: node.id, end: () => node.process.alive || world.startNode(node.id) };
};

const flipMapFile: Begin = (world, random) => {
  const node = upNode(world, random);
  const file = node?.files.flipBit('.map');
  if (!node || !file) return undefined;
  world.killNode(node.id, false);
  return { target: file, end: () => node.process.alive || world.startNode(node.id) };
};

/** Bits of copies on their way turn, below TCP's notice. */
const flipFrames: Begin = (world, random) => {
  world.network.onMessage = (path, _from, _to, bytes) => {
    if (!path.endsWith('/Snapshot') || bytes.length < 40 || random() < 0.7) return bytes;
    const changed = Buffer.from(bytes);
    changed[Math.floor(random() * bytes.length)]! ^= 1 << Math.floor(random() * 8);
    return changed;
  };
  return { target: 'snapshots', end: () => (world.network.onMessage = undefined) };
};

const noLeader: Begin = (world) => {
  world.etcd.setLeader(false);
  return { target: 'etcd', end: () => world.etcd.setLeader(true) };
};

const lossy =
  (what: 'lostReplies' | 'lostRequests'): Begin =>
  (world, random) => {
    world.etcd[what] = 0.05 + random() * 0.4;
    return { target: `etcd ${what}`, end: () => (world.etcd[what] = 0) };
  };

/** etcd-io/etcd#15247: a leader that was away revokes leases that were kept alive. */
const massLeaseLoss: Begin = (world) => {
  const { state } = world.recorder;
  for (const { leaseId } of state.sessions.values()) world.etcd.database.revoke(leaseId);
  return { target: `${state.sessions.size} sessions` };
};

const compaction: Begin = (world) => {
  const { database } = world.etcd;
  const revision = database.revision - 1n;
  if (revision <= database.compactRevision) return undefined;
  database.compact(revision);
  return { target: `revision ${revision}` };
};

const wallJump =
  (of: 'node' | 'plane'): Begin =>
  (world, random) => {
    const process = (of === 'node' ? upNode(world, random) : upPlane(world, random))?.process;
    if (!process) return undefined;
    process.wallJumpMs = (random() - 0.5) * 1_200_000;
    return { target: process.host, end: () => (process.wallJumpMs = 0) };
  };

const killClient: Begin = (world, random) => {
  const client = pick([...world.clients.values()], random);
  if (!client) return undefined;
  world.killClient(client.id);
  return { target: client.id, end: () => world.startClient(client.id) };
};

/** Every kind with the longest that it lasts. */
export const FAULTS: Readonly<Record<string, { readonly begin: Begin; readonly maxMs: number }>> = {
  'kill-node': { begin: killNode(false), maxMs: 15_000 },
  'power-node': { begin: killNode(true), maxMs: 20_000 },
  'kill-plane': { begin: killPlane(false, false), maxMs: 8_000 },
  'kill-active': { begin: killPlane(false, true), maxMs: 8_000 },
  'power-plane': { begin: killPlane(true, false), maxMs: 15_000 },
  'freeze-node': { begin: freeze('node'), maxMs: 18_000 },
  'freeze-plane': { begin: freeze('plane'), maxMs: 12_000 },
  'freeze-active': { begin: freeze('active'), maxMs: 12_000 },
  'freeze-etcd': { begin: freeze('etcd'), maxMs: 12_000 },
  'cut-nodes': { begin: cutPair('node-node', true), maxMs: 20_000 },
  'cut-nodes-one-way': { begin: cutPair('node-node', false), maxMs: 20_000 },
  'cut-node-plane': { begin: cutPair('node-plane', true), maxMs: 20_000 },
  'cut-node-plane-one-way': { begin: cutPair('node-plane', false), maxMs: 20_000 },
  'cut-plane-etcd': { begin: cutPair('plane-etcd', true), maxMs: 12_000 },
  'cut-plane-etcd-one-way': { begin: cutPair('plane-etcd', false), maxMs: 12_000 },
  'cut-client-node': { begin: cutPair('client-node', true), maxMs: 12_000 },
  'isolate-node': { begin: isolate('node', 'both'), maxMs: 20_000 },
  'isolate-node-in': { begin: isolate('node', 'in'), maxMs: 20_000 },
  'isolate-node-out': { begin: isolate('node', 'out'), maxMs: 20_000 },
  'isolate-plane': { begin: isolate('plane', 'both'), maxMs: 12_000 },
  reset: { begin: reset, maxMs: 0 },
  'slow-link': { begin: slowLink, maxMs: 10_000 },
  'slow-disk': { begin: slowDisk, maxMs: 10_000 },
  'disk-full': { begin: brokenDisk('RESOURCE_EXHAUSTED'), maxMs: 0 },
  'disk-error': { begin: brokenDisk('INTERNAL'), maxMs: 0 },
  wipe: { begin: wipe, maxMs: 12_000 },
  'flip-map-file': { begin: flipMapFile, maxMs: 3_000 },
  'flip-frames': { begin: flipFrames, maxMs: 15_000 },
  'etcd-no-leader': { begin: noLeader, maxMs: 4_000 },
  'etcd-lost-replies': { begin: lossy('lostReplies'), maxMs: 8_000 },
  'etcd-lost-requests': { begin: lossy('lostRequests'), maxMs: 8_000 },
  'etcd-mass-lease-loss': { begin: massLeaseLoss, maxMs: 0 },
  'etcd-compaction': { begin: compaction, maxMs: 0 },
  'wall-clock-jump': { begin: wallJump('node'), maxMs: 10_000 },
  'wall-clock-jump-plane': { begin: wallJump('plane'), maxMs: 15_000 },
  'kill-client': { begin: killClient, maxMs: 3_000 },
};
