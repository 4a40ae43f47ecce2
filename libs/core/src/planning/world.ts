import { compareStrings } from '../bytes.js';
import type { KeyspaceSpec, NodeEntry, PartitionRecord } from '../map/records.js';
import { leaderOf, votersOf } from '../map/records.js';
import type { Domains, PlannerNode, PlannerNodeState } from '../placement/domains.js';
import { domainOf, domainsOver, hardSpread } from '../placement/domains.js';

/** Why a copy has to leave its node. */
export type Cause = 'down' | 'spread' | 'draining';

export interface Leaver {
  readonly node: string;
  readonly cause: Cause;
}

/** The nodes of one planning run: indexes are those of the nodes that are up, in the order of their ids. */
export interface World {
  readonly ids: readonly string[];
  readonly indexOf: ReadonlyMap<string, number>;
  readonly domains: Domains;
  readonly spec: KeyspaceSpec;
  readonly entries: ReadonlyMap<string, NodeEntry>;
  /** A node that is not known is taken for down. */
  readonly stateOf: (node: string) => PlannerNodeState;
}

export const worldOf = (spec: KeyspaceSpec, nodes: readonly PlannerNode[]): World => {
  const up = nodes
    .filter((n) => n.state === 'up')
    .map((n) => n.entry)
    .sort((a, b) => compareStrings(a.id, b.id));
  const states = new Map(nodes.map((n) => [n.entry.id, n.state]));
  return {
    ids: up.map((n) => n.id),
    indexOf: new Map(up.map((n, i) => [n.id, i])),
    domains: domainsOver(spec, up),
    spec,
    entries: new Map(nodes.map((n) => [n.entry.id, n.entry])),
    stateOf: (node) => states.get(node) ?? 'down',
  };
};

/** A partition as planning sees it. */
export interface Part {
  readonly record: PartitionRecord;
  readonly leader: string | undefined;
  /** Indexes of the nodes whose copies may stay. */
  readonly kept: readonly number[];
  readonly leavers: readonly Leaver[];
}

/** Nothing can be copied where no in-sync copy is on a node that runs. */
export const hasSource = (world: World, record: PartitionRecord): boolean =>
  record.replicas.some((r) => r.inSync && world.stateOf(r.node) !== 'down');

/** Keeps the leader's copy first, then those in sync, as far as the hard constraints allow. */
export const partOf = (world: World, record: PartitionRecord): Part => {
  const leader = leaderOf(record);
  const inSync = new Set(record.replicas.filter((r) => r.inSync).map((r) => r.node));
  const rank = (node: string): number => (node === leader ? 0 : inSync.has(node) ? 1 : 2);
  const kept: number[] = [];
  const leavers: Leaver[] = [];
  for (const node of votersOf(record).sort((a, b) => rank(a) - rank(b) || compareStrings(a, b))) {
    const index = world.indexOf.get(node);
    if (index === undefined) leavers.push({ node, cause: world.stateOf(node) === 'draining' ? 'draining' : 'down' });
    else if (fits(world.domains, kept, index)) kept.push(index);
    else leavers.push({ node, cause: 'spread' });
  }
  return { record, leader, kept, leavers: leavers.sort((a, b) => CAUSES.indexOf(a.cause) - CAUSES.indexOf(b.cause)) };
};

const CAUSES: readonly Cause[] = ['down', 'spread', 'draining'];

const fits = (domains: Domains, kept: readonly number[], node: number): boolean =>
  domains.constraints.every((c) => kept.filter((k) => c.of[k] === c.of[node]).length < c.max);

/** How many copies stand where a hard constraint allows none; nodes that are not known count for nothing. */
export const violations = (world: World, nodes: readonly string[]): number => {
  let broken = 0;
  for (const { spread } of hardSpread(world.spec)) {
    const seen = new Map<string, number>();
    for (const node of nodes) {
      const entry = world.entries.get(node);
      if (!entry) continue;
      const domain = domainOf(entry, spread.label);
      const count = (seen.get(domain) ?? 0) + 1;
      seen.set(domain, count);
      if (count > spread.maxPerDomain) broken += 1;
    }
  }
  return broken;
};
