import type { BrakeOptions, KeyspaceMap, PartitionRecord } from '@cadastre/core';
import { brake, decideFailover, inSyncOf, leaderOf, leadsLost } from '@cadastre/core';
import type { Clock, Logger, MonotonicMs } from '@cadastre/runtime';
import type { Draft, FreezeRecord, Mandate, Register, RegisterState } from '@cadastre/store';
import { expulsionPart, freezePart, join, owedPart, partitionsPart, requireKeyspace } from '@cadastre/store';
import type { Observed } from './observed.js';
import type { Suspicions } from './suspicions.driver.js';
import { isConnected } from './world.js';

export interface FailoverOptions {
  readonly register: Register;
  readonly observed: Observed;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly brake?: BrakeOptions;
  readonly meters?: { failovers: number; declaredDead: number };
}

interface Gone {
  readonly since: MonotonicMs;
  /** The map counted on a copy there when it went. */
  readonly counts: boolean;
  /** The failover that followed has been made. */
  handled: boolean;
}

/** Each is one operation of etcd's 128 a transaction, and some kilobytes of its 1.5 MiB. */
const SEGMENTS_A_TXN = 64;
/** Losses that lie no further apart count as one for the brake. */
const AT_ONCE_MS = 300_000;

/** What follows from the death of nodes, under one mandate: their sessions end, in-sync followers take over, they leave the in-sync sets. */
export class Failover {
  private frozenBecause: string | undefined;
  /** Nodes that are dead, since when as this controller sees it. */
  private readonly gone = new Map<string, Gone>();
  /** By keyspace: the head and the dead for which nothing is left to do. */
  private readonly looked = new Map<string, string>();

  constructor(
    private readonly options: FailoverOptions,
    private readonly mandate: Mandate,
    private readonly suspicions: Suspicions,
    private readonly isCurrent: () => boolean,
  ) {}

  /** Why nothing is promoted and nothing moves at present, if so. */
  get frozen(): string | undefined {
    return this.frozenBecause;
  }

  /** When something was last failed over here. */
  lastAt: MonotonicMs = Number.NEGATIVE_INFINITY;

  async round(): Promise<void> {
    const { register } = this.options;
    this.suspicions.observe(register.state);
    const dead = this.suspicions.dead();
    const braked = this.look(register.state, dead);
    const gone = [...dead.keys()].sort();
    await this.recordFreeze(braked, gone);
    const freeze = register.state.freeze?.value;
    this.frozenBecause = braked !== undefined && freeze && accepts(freeze, gone) ? undefined : braked;
    if (dead.size === 0 || this.frozenBecause) return;
    for (const [node, because] of dead) if (isConnected(register.state, node)) await this.expel(node, because);
    for (const name of register.state.keyspaces.keys()) await this.failOverKeyspace(name, dead);
    for (const [node, loss] of this.gone) if (dead.has(node)) loss.handled = true;
  }

  /** In the register, so that every replica can say so, and an operator can decide to go on. */
  private async recordFreeze(braked: string | undefined, gone: readonly string[]): Promise<void> {
    const { register, clock } = this.options;
    const known = register.state.freeze?.value;
    const stands = known && (known.acceptedBy === '' || accepts(known, gone));
    if (braked === undefined ? !known : stands) return;
    const freeze = braked && { sinceMs: Math.round(clock.wallMs()), because: braked, nodes: [...gone], acceptedBy: '' };
    await register.commit(
      (state): Draft<void> => ({
        ...freezePart(state, freeze || undefined),
        result: undefined,
        audit: {
          actor: 'cadastre',
          verb: braked === undefined ? 'unfreeze' : 'freeze',
          subject: 'automation',
          reason: braked ?? 'the nodes that were gone are back, or were lost long ago',
          after: gone.join(', '),
        },
      }),
      this.mandate.fence,
    );
  }

  private look(state: RegisterState, dead: ReadonlyMap<string, string>): string | undefined {
    const gone = this.goneAtOnce(state, dead);
    if (gone === 0) return undefined;
    const trusted = trustedNodes(state);
    const doubted = this.suspicions.doubted().filter((node) => trusted.has(node));
    return brake(gone + doubted.length, state.nodes.size, this.options.brake);
  }

  /** A node that is away for long, or on which the map counted for nothing when it went, is no sign of a fault that spreads. */
  private goneAtOnce(state: RegisterState, dead: ReadonlyMap<string, string>): number {
    const now = this.options.clock.monotonicMs();
    for (const node of this.gone.keys()) if (!dead.has(node)) this.gone.delete(node);
    const news = [...dead.keys()].filter((node) => !this.gone.has(node));
    const trusted = news.length > 0 ? trustedNodes(state) : new Set<string>();
    for (const node of news) this.gone.set(node, { since: now, counts: trusted.has(node), handled: false });
    return [...this.gone.values()].filter((g) => g.counts && (!g.handled || now - g.since < AT_ONCE_MS)).length;
  }

  /** Before anything else is taken from it: what the node asked for in this session must not take effect any more. */
  private async expel(node: string, because: string): Promise<void> {
    const lease = this.options.register.state.sessions.get(node)?.leaseId;
    if (lease === undefined) return;
    await this.options.register.commit((state): Draft<void> => {
      if (state.sessions.get(node)?.leaseId !== lease) return { compare: [], ops: [], result: undefined };
      return {
        ...expulsionPart(node, lease),
        result: undefined,
        audit: { actor: 'cadastre', verb: 'declare-dead', subject: `node/${node}`, reason: because },
      };
    }, this.mandate.fence);
    if (this.options.meters) this.options.meters.declaredDead += 1;
  }

  private async failOverKeyspace(name: string, dead: ReadonlyMap<string, string>): Promise<void> {
    const looked = this.lookOf(name, dead);
    if (this.looked.get(name) === looked) return;
    let from = 0;
    while (from < Infinity && this.isCurrent()) from = await this.failOverSome(name, from, dead);
    if (this.lookOf(name, dead) === looked) this.looked.set(name, looked);
  }

  /** A node may stay dead for long: a map is gone through again only when it or the dead have changed. */
  private lookOf(name: string, dead: ReadonlyMap<string, string>): string {
    const { state } = this.options.register;
    const gone = [...dead.keys()].filter((node) => !isConnected(state, node));
    return `${state.keyspaces.get(name)?.headRevision} ${gone.join(' ')}`;
  }

  /**
   * @param dead those that the brake let through; one that is back is spared, one that went later waits for the next round
   * @returns the partition to go on from, Infinity at the end
   */
  private async failOverSome(name: string, from: number, dead: ReadonlyMap<string, string>): Promise<number> {
    const { register, logger } = this.options;
    const { result } = await register.commit((state) => this.draft(state, name, from, dead), this.mandate.fence);
    const { partitions, why, next } = result;
    if (partitions > 0) {
      this.lastAt = this.options.clock.monotonicMs();
      if (this.options.meters) this.options.meters.failovers += partitions;
      logger.warn('failed over', { keyspace: name, partitions, why });
    }
    return next;
  }

  private draft(
    state: RegisterState,
    name: string,
    from: number,
    dead: ReadonlyMap<string, string>,
  ): Draft<{ partitions: number; why: string; next: number }> {
    const view = state.keyspaces.get(name);
    if (!view) return { compare: [], ops: [], result: { partitions: 0, why: '', next: Infinity } };
    const gone = new Set([...dead.keys()].filter((node) => !isConnected(state, node)));
    const { changed, reasons, next } = this.decideSome(state, name, from, gone);
    if (changed.length === 0) return { compare: [], ops: [], result: { partitions: 0, why: '', next } };
    const map = partitionsPart(state, name, changed);
    const lost = leadsLost((p) => view.map.record(p), changed);
    const debts = [...lost].map(([node, leads]) => {
      const owed = state.owed.get(node)?.value ?? {};
      return owedPart(state, node, { ...owed, [name]: (owed[name] ?? 0) + leads });
    });
    const part = join(map, ...debts);
    const why = [...reasons].join('; ');
    return {
      ...part,
      result: { partitions: changed.length, why, next },
      audit: {
        actor: 'cadastre',
        verb: 'failover',
        subject: `keyspace/${name}`,
        reason: why,
        after: `${changed.length} partitions`,
        generation: [{ keyspace: name, generation: map.generation }],
      },
    };
  }

  private decideSome(state: RegisterState, name: string, from: number, lost: ReadonlySet<string>) {
    const { map, record: keyspace } = requireKeyspace(state, name);
    const leading = leaderCounts(map);
    const doubted = new Set(this.suspicions.doubted());
    const view = {
      alive: (node: string) => !lost.has(node),
      leaderCount: (node: string) => leading.get(node) ?? 0,
      lastSeq: (node: string, partition: number) => this.options.observed.replica(node, name, partition)?.lastSeq ?? 0,
      doubted: (node: string) => doubted.has(node),
    };
    const changed: PartitionRecord[] = [];
    const segments = new Set<number>();
    const reasons = new Set<string>();
    let p = from;
    for (; p < map.partitions; p += 1) {
      const segment = Math.floor(p / keyspace.segmentSize);
      if (segments.size === SEGMENTS_A_TXN && !segments.has(segment)) break;
      const { record, reason } = decideFailover(map.record(p), view);
      if (!record) continue;
      changed.push(record);
      segments.add(segment);
      reasons.add(reason);
      const leader = leaderOf(record)!;
      if (leader !== leaderOf(map.record(p))) leading.set(leader, (leading.get(leader) ?? 0) + 1);
    }
    return { changed, reasons, next: p < map.partitions ? p : Infinity };
  }
}

/** A person decided to go on without these nodes; the loss of another is another question. */
const accepts = (freeze: FreezeRecord, gone: readonly string[]): boolean =>
  freeze.acceptedBy !== '' && gone.every((node) => freeze.nodes.includes(node));

/** Nodes whose copies the map counts as in sync anywhere. */
const trustedNodes = (state: RegisterState): Set<string> => {
  const trusted = new Set<string>();
  for (const { map } of state.keyspaces.values())
    for (const record of map.records()) for (const node of inSyncOf(record)) trusted.add(node);
  return trusted;
};

export const leaderCounts = (map: KeyspaceMap): Map<string, number> => {
  const counts = new Map<string, number>();
  for (let p = 0; p < map.partitions; p += 1) {
    const leader = map.leader(p)?.id;
    if (leader !== undefined) counts.set(leader, (counts.get(leader) ?? 0) + 1);
  }
  return counts;
};
