import { compareStrings } from '../bytes.js';
import { meetsAll } from '../policy/labels.js';
import type { PolicyInterval } from '../policy/effective.js';
import type { EffectivePolicy, TenantRule } from '../policy/policy.js';
import { domainOf } from '../placement/domains.js';
import type { ClusterModel } from './model.js';
import { UP } from './model.js';

/**
 * Which tenants may use which nodes. Dedicated nodes are their tenant's alone. Tenants that are to be kept apart are given nodes of
 * their own, in proportion to what they hold, zone by zone, each node going first to whom most of its copies belong.
 */
export class Tenancy {
  private readonly rules: readonly TenantRule[];
  /** By tenant: 1 where a node is another one's. */
  private readonly closed = new Map<string, Uint8Array>();
  /** By node: 1 where it is dedicated to some tenant. */
  private readonly dedicated: Uint8Array;

  constructor(
    private readonly model: ClusterModel,
    private readonly policies: readonly (readonly PolicyInterval[])[],
  ) {
    this.rules = policies.flatMap((list) => list.flatMap((i) => i.policy.tenants));
    this.dedicated = new Uint8Array(model.nodes.ids.length);
    if (this.rules.length === 0) return;
    for (const rule of this.rules) if (rule.dedicated) this.nodesOf(rule).forEach((n) => (this.dedicated[n] = 1));
    this.separate();
  }

  /** By node: 1 where partitions of this policy are kept away; undefined where there are no tenants. */
  barred(policy: EffectivePolicy): Uint8Array | undefined {
    if (this.rules.length === 0) return undefined;
    const barred = this.dedicated.slice();
    for (const rule of policy.tenants) {
      if (rule.dedicated) {
        barred.fill(1);
        for (const node of this.nodesOf(rule)) barred[node] = 0;
      }
    }
    for (const { tenant } of policy.tenants) this.closed.get(tenant)?.forEach((x, n) => (barred[n]! |= x));
    return barred;
  }

  private nodesOf({ dedicated = [] }: TenantRule): number[] {
    return this.model.nodes.labels.flatMap((labels, n) => (meetsAll(labels, dedicated) ? [n] : []));
  }

  /** Deals the nodes out among tenants that are rivals, directly or through others. */
  private separate(): void {
    const rivals = this.rivals();
    const done = new Set<string>();
    for (const tenant of [...rivals.keys()].sort(compareStrings)) {
      if (done.has(tenant)) continue;
      const group = connected(tenant, rivals);
      group.forEach((t) => done.add(t));
      this.deal(group, rivals);
    }
  }

  private rivals(): Map<string, Set<string>> {
    const rivals = new Map<string, Set<string>>();
    const join = (a: string, b: string): void => void rivals.set(a, (rivals.get(a) ?? new Set()).add(b));
    for (const { tenant, apartFrom = [] } of this.rules)
      for (const other of apartFrom)
        if (other !== tenant) {
          join(tenant, other);
          join(other, tenant);
        }
    return rivals;
  }

  private deal(group: readonly string[], rivals: ReadonlyMap<string, ReadonlySet<string>>): void {
    const { nodes } = this.model;
    const held = this.held(group);
    const demand = group.map((t) => this.demandOf(t));
    const given = group.map(() => 0);
    const owner = new Int32Array(nodes.ids.length).fill(-1);
    const free = [...nodes.ids.keys()].filter((n) => nodes.state[n] === UP && this.dedicated[n] === 0);
    const zone = (n: number): string => domainOf({ labels: nodes.labels[n]! }, 'zone');
    const order = free.sort(
      (a, b) => compareStrings(zone(a), zone(b)) || mostHeld(held, b) - mostHeld(held, a) || a - b,
    );
    for (const n of order) {
      const score = (t: number): number => (given[t]! + nodes.weight[n]!) / Math.max(demand[t]!, 1e-9);
      const holders = [...group.keys()].filter((t) => held[t]![n]! > 0);
      const choice = (holders.length > 0 ? holders : [...group.keys()]).reduce((a, b) =>
        held[b]![n]! !== held[a]![n]! ? (held[b]![n]! > held[a]![n]! ? b : a) : score(b) < score(a) ? b : a,
      );
      owner[n] = choice;
      given[choice]! += nodes.weight[n]!;
    }
    group.forEach((tenant) => {
      const closed = Uint8Array.from(owner, (o) => Number(o >= 0 && rivals.get(tenant)!.has(group[o]!)));
      this.closed.set(tenant, closed);
    });
  }

  /** Copies by node, of each tenant. */
  private held(group: readonly string[]): Int32Array[] {
    return group.map((tenant) => {
      const held = new Int32Array(this.model.nodes.ids.length);
      this.model.keyspaces.forEach((k, i) =>
        this.intervals(i, tenant).forEach(({ first, last }) => {
          for (let p = 0; p < k.partitions; p += 1) {
            if (k.ids[p]! < first || k.ids[p]! > last) continue;
            for (let c = p * k.stride; c < (p + 1) * k.stride; c += 1)
              if (k.replicas[c]! >= 0) held[k.replicas[c]!]! += 1;
          }
        }),
      );
      return held;
    });
  }

  private demandOf(tenant: string): number {
    return this.policies.reduce(
      (sum, _, i) =>
        sum + this.intervals(i, tenant).reduce((n, v) => n + (v.last - v.first + 1) * v.policy.replicationFactor, 0),
      0,
    );
  }

  private intervals(keyspace: number, tenant: string): PolicyInterval[] {
    return this.policies[keyspace]!.filter((i) => i.policy.tenants.some((t) => t.tenant === tenant));
  }
}

const mostHeld = (held: readonly Int32Array[], node: number): number => Math.max(...held.map((h) => h[node]!));

const connected = (from: string, rivals: ReadonlyMap<string, ReadonlySet<string>>): string[] => {
  const seen = new Set([from]);
  for (const tenant of seen) for (const other of rivals.get(tenant) ?? []) seen.add(other);
  return [...seen].sort(compareStrings);
};
