import type { Generation, KeyspaceMap, PartitionRecord } from '@cadastre/core';
import {
  brake,
  CadastreError,
  decideFailover,
  growInSync,
  inSyncOf,
  leaderOf,
  nextGeneration,
  replicaOn,
  shrinkInSync,
} from '@cadastre/core';
import { type Clock, type Logger, type MonotonicMs, type Random, delay } from '@cadastre/runtime';
import type { Mandate, Part, Register, RegisterChange, RegisterState, Store } from '@cadastre/store';
import { compare, controllerCodec, Election, join, keys, partitionsPart, requireKeyspace } from '@cadastre/store';
import { Executor } from './executor.js';
import type { Observed } from './observed.js';
import { PurgeBook } from './purge-book.js';
import type { ControllerPort, PurgeGrant } from './ports.js';
import type { AgentReport, ChangeInSyncCommand } from './reports.js';
import { isConnected } from './world.js';

export interface ControllerOptions {
  readonly store: Store;
  readonly register: Register;
  readonly observed: Observed;
  readonly clock: Clock;
  readonly random?: Random;
  readonly logger: Logger;
  readonly identity: { readonly id: string; readonly address: string; readonly httpAddress: string };
  /** Of the election lease. Takeover after a kill takes about this long. */
  readonly electionTtlMs?: number;
  /** A node that this controller has never seen connected has this long to come before its absence means anything; default one session term. */
  readonly settleMs?: number;
  /** For how long a move's target may be away before the move is given up. */
  readonly targetGraceMs?: number;
  readonly moveLimits?: { readonly perNodeIn: number; readonly perNodeOut: number; readonly cluster: number };
}

const RECONCILE_MS = 250;

const SETTLE_MS = 10_000;

interface Gone {
  readonly since: MonotonicMs;
  /** The map counted on a copy there when it went. */
  readonly counts: boolean;
  /** The failover that followed has been made. */
  handled: boolean;
}

/**
 * The part that acts by itself, on the one replica that holds the election. It keeps no plan in its head: each round looks at the
 * register and at what agents report, and works off the difference, so a successor goes on exactly where the register says.
 */
export class Controller implements ControllerPort {
  private readonly election: Election;
  private readonly executor: Executor;
  private readonly purges: PurgeBook;
  private mandate: Mandate | undefined;
  private mandateSince = 0;
  private frozenBecause: string | undefined;
  /** Nodes that are away, since when as this controller sees it. */
  private readonly gone = new Map<string, Gone>();
  /** Nodes seen connected under this mandate: when they vanish, they are lost at once. */
  private readonly seen = new Set<string>();
  private kicked: (() => void) | undefined;
  private stopping = false;
  private loop: Promise<void> | undefined;

  constructor(private readonly options: ControllerOptions) {
    const { store, clock, random, logger, identity, observed, register } = options;
    this.election = new Election({
      store,
      clock,
      ...(random && { random }),
      logger,
      prefix: keys.controllers,
      value: controllerCodec.encode(identity),
      ttlMs: options.electionTtlMs ?? 4_000,
      onElected: (mandate) => this.onElected(mandate),
      onDeposed: (reason) => this.onDeposed(reason),
    });
    this.purges = new PurgeBook(observed);
    this.executor = new Executor({
      register,
      observed,
      clock,
      logger,
      targetGraceMs: options.targetGraceMs ?? 60_000,
      ...(options.moveLimits && { limits: options.moveLimits }),
    });
  }

  get active(): boolean {
    return this.mandate !== undefined;
  }

  /** Why automation does nothing at present, if it does not. */
  get frozen(): string | undefined {
    return this.frozenBecause;
  }

  start(): void {
    this.election.campaign();
    this.loop = this.run();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.kick();
    await this.loop;
    await this.election.close();
  }

  onRegisterChange(_change: RegisterChange): void {
    this.kick();
  }

  /** Taken on every replica, so that each can show progress; only the active one grants. */
  report(report: AgentReport): PurgeGrant[] {
    refuseStranger(this.options.register.state, report);
    this.options.observed.take(report, this.options.clock.monotonicMs());
    if (!this.mandate) return [];
    this.kick();
    return this.purges.grants(this.options.register.state, report);
  }

  async changeInSync(command: ChangeInSyncCommand): Promise<{ record: PartitionRecord; generation: Generation }> {
    const { register, logger } = this.options;
    const mandate = this.requireMandate();
    const session = sessionOf(register.state, command.node);
    const committed = await register.commit((state) => {
      const { record, generation } = decideInSync(state, command);
      if (!record) return { compare: [], ops: [], result: { record: current(state, command), generation } };
      const part = join(sameSession(state, command.node, session), partitionsPart(state, command.keyspace, [record]));
      return { ...part, result: { record, generation: nextGeneration(generation) } };
    }, mandate.fence);
    logger.info('in-sync set changed', {
      keyspace: command.keyspace,
      partition: command.partition,
      epoch: committed.result.record.epoch,
      inSync: inSyncOf(committed.result.record),
      because: command.reason,
    });
    return committed.result;
  }

  private requireMandate(): Mandate {
    if (this.mandate) return this.mandate;
    const activeAddress = this.options.register.state.controller?.address ?? '';
    throw new CadastreError('NOT_ACTIVE', `${this.options.identity.id} is not the active controller`, {
      remedy: activeAddress ? `ask ${activeAddress}` : 'wait until a controller is active',
      info: { activeAddress },
    });
  }

  private onElected(mandate: Mandate): void {
    this.mandate = mandate;
    this.mandateSince = this.options.clock.monotonicMs();
    this.options.logger.info('active: this replica plans, executes and fails over', { term: String(mandate.term) });
    this.kick();
  }

  private onDeposed(reason: string): void {
    if (!this.mandate) return;
    this.mandate = undefined;
    this.frozenBecause = undefined;
    this.executor.reset();
    this.purges.reset();
    this.gone.clear();
    this.seen.clear();
    this.options.logger.warn('no longer active', { reason });
  }

  private kick(): void {
    this.kicked?.();
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      await this.round();
      await this.pause();
    }
  }

  private pause(): Promise<void> {
    const wake = new AbortController();
    this.kicked = () => wake.abort();
    return this.stopping ? Promise.resolve() : delay(this.options.clock, RECONCILE_MS, wake.signal);
  }

  /** A failed round changes nothing that the next one would not see. */
  private async round(): Promise<void> {
    const { mandate } = this;
    if (!mandate) return;
    try {
      await this.failOver(mandate);
      await this.executor.round(mandate.fence, this.frozenBecause !== undefined);
    } catch (error) {
      const { code, message } = CadastreError.from(error);
      const expected = code === 'NOT_ACTIVE' || code === 'UNAVAILABLE' || code === 'UNKNOWN_OUTCOME';
      this.options.logger[expected ? 'warn' : 'error']('a round of the controller ended early', {
        code,
        reason: message,
        ...(code === 'INTERNAL' && { stack: (error as Error).stack }),
      });
      await delay(this.options.clock, RECONCILE_MS);
    }
  }

  private async failOver(mandate: Mandate): Promise<void> {
    const { state } = this.options.register;
    const lost = this.lostNodes(state);
    this.frozenBecause = brake(this.goneAtOnce(state, lost), state.nodes.size);
    if (lost.size === 0 || this.frozenBecause) return;
    for (const name of state.keyspaces.keys()) await this.failOverKeyspace(name, lost, mandate);
    for (const [node, gone] of this.gone) if (lost.has(node)) gone.handled = true;
  }

  /** A node that is away for long, or on which the map counted for nothing when it went, is no sign of a fault that spreads. */
  private goneAtOnce(state: RegisterState, lost: ReadonlySet<string>): number {
    const now = this.options.clock.monotonicMs();
    for (const node of this.gone.keys()) if (!lost.has(node)) this.gone.delete(node);
    const news = [...lost].filter((node) => !this.gone.has(node));
    const trusted = news.length > 0 ? trustedNodes(state) : new Set<string>();
    for (const node of news) this.gone.set(node, { since: now, counts: trusted.has(node), handled: false });
    return [...this.gone.values()].filter((g) => g.counts && (!g.handled || now - g.since < AT_ONCE_MS)).length;
  }

  private lostNodes(state: RegisterState): Set<string> {
    const { clock, settleMs = SETTLE_MS } = this.options;
    const settled = clock.monotonicMs() - this.mandateSince >= settleMs;
    const lost = new Set<string>();
    for (const id of state.nodes.keys()) {
      if (isConnected(state, id)) this.seen.add(id);
      else if (settled || this.seen.has(id)) lost.add(id);
    }
    return lost;
  }

  private async failOverKeyspace(name: string, lost: ReadonlySet<string>, mandate: Mandate): Promise<void> {
    let from = 0;
    while (from < Infinity && this.mandate === mandate) from = await this.failOverSome(name, from, lost, mandate);
  }

  /**
   * @param gone those that the brake let through; one that is back is spared, one that went later waits for the next round
   * @returns the partition to go on from, Infinity at the end
   */
  private async failOverSome(name: string, from: number, gone: ReadonlySet<string>, mandate: Mandate): Promise<number> {
    const { result } = await this.options.register.commit((state) => {
      const lost = new Set([...gone].filter((node) => !isConnected(state, node)));
      const { map, record: keyspace } = requireKeyspace(state, name);
      const leading = leaderCounts(map);
      const changed: PartitionRecord[] = [];
      const segments = new Set<number>();
      const reasons = new Set<string>();
      let p = from;
      for (; p < map.partitions; p += 1) {
        const segment = Math.floor(p / keyspace.segmentSize);
        if (segments.size === FAILOVER_SEGMENTS_A_TXN && !segments.has(segment)) break;
        const { record, reason } = decideFailover(
          map.record(p),
          (node) => !lost.has(node),
          (node) => leading.get(node) ?? 0,
        );
        if (!record) continue;
        changed.push(record);
        segments.add(segment);
        reasons.add(reason);
        const leader = leaderOf(record)!;
        if (leader !== leaderOf(map.record(p))) leading.set(leader, (leading.get(leader) ?? 0) + 1);
      }
      const next = p < map.partitions ? p : Infinity;
      if (changed.length === 0) return { compare: [], ops: [], result: { partitions: 0, why: '', next } };
      const part = partitionsPart(state, name, changed);
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
          generation: [{ keyspace: name, generation: part.generation }],
        },
      };
    }, mandate.fence);
    const { partitions, why, next } = result;
    if (partitions > 0) this.options.logger.warn('failed over', { keyspace: name, partitions, why });
    return next;
  }
}

/** Each is one operation of etcd's 128 a transaction, and some kilobytes of its 1.5 MiB. */
const FAILOVER_SEGMENTS_A_TXN = 64;
/** Losses that lie no further apart count as one for the brake. */
const AT_ONCE_MS = 300_000;

/** Nodes whose copies the map counts as in sync anywhere. */
const trustedNodes = (state: RegisterState): Set<string> => {
  const trusted = new Set<string>();
  for (const { map } of state.keyspaces.values())
    for (const record of map.records()) for (const node of inSyncOf(record)) trusted.add(node);
  return trusted;
};

const leaderCounts = (map: KeyspaceMap): Map<string, number> => {
  const counts = new Map<string, number>();
  for (let p = 0; p < map.partitions; p += 1) {
    const leader = map.leader(p)?.id;
    if (leader !== undefined) counts.set(leader, (counts.get(leader) ?? 0) + 1);
  }
  return counts;
};

const sessionOf = (state: RegisterState, node: string) => state.sessions.get(node)?.leaseId;

/**
 * A leader that was started anew leads on under its old epoch and knows nothing of what it had asked for: it acknowledges writes without
 * the joiner. What it asked for in its life before must not take effect any more (INV-3).
 */
const sameSession = (state: RegisterState, node: string, session: ReturnType<typeof sessionOf>): Part => {
  if (sessionOf(state, node) !== session)
    throw new CadastreError('FAILED_PRECONDITION', `${node} has begun another session since it asked`, {
      field: 'node',
      remedy: 'ask again',
    });
  const key = keys.session(node);
  return { compare: [session === undefined ? compare.absent(key) : compare.lease(key, session)], ops: [] };
};

const current = (state: RegisterState, { keyspace, partition }: ChangeInSyncCommand): PartitionRecord => {
  const { map } = requireKeyspace(state, keyspace);
  if (partition >= map.partitions)
    throw new CadastreError('NOT_FOUND', `${keyspace} has ${map.partitions} partitions`, {
      field: 'partition',
      remedy: 'use a number below that',
    });
  return map.record(partition);
};

/**
 * The leader's wish against the record as it is. A wish made under an older epoch is refused with the newer record, except when it is
 * fulfilled already: then the answer is the record, so that asking twice does no harm.
 */
const decideInSync = (
  state: RegisterState,
  command: ChangeInSyncCommand,
): { record: PartitionRecord | undefined; generation: Generation } => {
  const { map } = requireKeyspace(state, command.keyspace);
  const record = current(state, command);
  const inSync = new Set(inSyncOf(record));
  const add = command.add.map((a) => a.node).filter((n) => !inSync.has(n));
  const remove = command.remove.filter((n) => inSync.has(n));
  const stillLeads = leaderOf(record) === command.node;
  if (stillLeads && add.length === 0 && remove.length === 0) return { record: undefined, generation: map.generation };
  if (!stillLeads || record.epoch !== command.epoch) {
    throw new CadastreError(
      'NOT_OWNER',
      `${command.keyspace}/${command.partition} is at epoch ${record.epoch} under ${leaderOf(record) ?? 'nobody'}`,
      {
        remedy: 'act on the record that comes with this error',
        info: { keyspace: command.keyspace, record, generation: map.generation },
      },
    );
  }
  let next = record;
  // A joiner that is gone: the leader waits for its acknowledgement until a newer epoch tells it not to.
  const refused = add.some((node) => !isConnected(state, node));
  for (const node of refused ? [] : add) next = replicaOn(next, node) ? growInSync(next, node) : next;
  for (const node of remove) next = shrinkInSync(next, node);
  return next === record && !refused
    ? { record: undefined, generation: map.generation }
    : { record: { ...next, epoch: record.epoch + 1 }, generation: map.generation };
};

/** A second process under a node's id, or the node with wiped data: its word must not count as that node's (INV-5). */
const refuseStranger = (state: RegisterState, { node, incarnation }: AgentReport): void => {
  const known = state.nodes.get(node)?.value.incarnation;
  if (known === undefined || known === incarnation) return;
  throw new CadastreError('FAILED_PRECONDITION', `node ${node} is registered with incarnation ${known}`, {
    field: 'incarnation',
    remedy: 'register first: the session says why it is refused',
  });
};
