import type { Generation, PartitionRecord, PlanMove } from '@cadastre/core';
import { compareGenerations, formatGeneration, inSyncOf, leaderOf, replicaOn } from '@cadastre/core';
import type { HistoryEvent, MapEvent, PlanEvent, RemovalEvent } from './history.js';
import type { StreamChecker, Violation } from './violation.js';
import { NONE } from './violation.js';

interface PlanSeen {
  readonly digest: string;
  readonly moves: readonly PlanMove[];
  state: string;
  approver: string | undefined;
}

interface Part {
  record: PartitionRecord;
  /** When it last had as many whole copies as wanted. */
  wholeUntil: number;
  /** Generation that took each node out. */
  readonly left: Map<string, Generation>;
  /** Moves that began, for thrash: plan and move to times begun. */
  readonly begun: Map<string, number>;
}

const RUNNING = new Set(['approved', 'executing', 'paused', 'cancelling']);

const LEADER_CHANGES_PER_FAULT = 4;

export interface PlacementOptions {
  /** Verbs of the audit log under which a lost copy may be built anew without a plan, because a policy was approved beforehand. */
  readonly policyVerbs?: readonly string[];
  /** How often one move may begin anew after its target was lost. */
  readonly restartsPerMove?: number;
  /** How old a grant to purge may be when it is acted on: an agent may have been paused in between. */
  readonly grantMs?: number;
}

/** Who may move data: a copy comes and goes only as an approved plan says, and a source's data goes last (INV-5, INV-6, INV-7, INV-11). */
export class PlacementChecker implements StreamChecker {
  private readonly plans = new Map<string, PlanSeen>();
  private readonly parts = new Map<string, Part>();
  private readonly wanted = new Map<string, number>();
  /** By observer and keyspace. */
  private readonly applied = new Map<string, Generation>();
  private readonly policyVerbs: ReadonlySet<string>;
  private readonly restartsPerMove: number;
  private readonly grantMs: number;
  private faults = 0;
  /** By partition. */
  private readonly leaderChanges = new Map<string, number>();
  /** Copies that began to move, each once. */
  moves = 0;

  constructor({ policyVerbs = ['repair'], restartsPerMove = 8, grantMs = 30_000 }: PlacementOptions = {}) {
    this.policyVerbs = new Set(policyVerbs);
    this.restartsPerMove = restartsPerMove;
    this.grantMs = grantMs;
  }

  observe(event: HistoryEvent): readonly Violation[] {
    switch (event.type) {
      case 'keyspace':
        this.wanted.set(event.spec.name, event.spec.replicationFactor);
        for (const record of event.records) this.take(event.spec.name, record, event.at);
        return NONE;
      case 'map':
        return this.change(event);
      case 'plan':
        return this.plan(event);
      case 'applied':
        this.applied.set(`${event.observer}\n${event.keyspace}`, event.generation);
        return NONE;
      case 'purged':
        return this.purge(event);
      case 'fault':
        if (event.phase === 'begin') this.faults += 1;
        return NONE;
      default:
        return NONE;
    }
  }

  private take(keyspace: string, record: PartitionRecord, at: number): Part {
    const key = `${keyspace}/${record.partition}`;
    let part = this.parts.get(key);
    if (!part) this.parts.set(key, (part = { record, wholeUntil: -Infinity, left: new Map(), begun: new Map() }));
    const wanted = this.wanted.get(keyspace) ?? 1;
    // Whole until this change, or from it on.
    if (inSyncOf(part.record).length >= wanted || inSyncOf(record).length >= wanted) part.wholeUntil = at;
    part.record = record;
    return part;
  }

  private plan(event: PlanEvent): readonly Violation[] {
    const seen = this.plans.get(event.id);
    const found: Violation[] = [];
    const report = (what: string) => found.push({ rule: 'INV-7', at: event.at, subject: `plan ${event.id}`, what });
    if (!seen) {
      if (event.state !== 'proposed' && !event.approver) report(`was ${event.state} when it was first seen`);
      this.plans.set(event.id, {
        digest: event.digest,
        moves: event.moves ?? [],
        state: event.state,
        approver: event.approver,
      });
      return found;
    }
    if (seen.digest !== event.digest) report(`its digest changed from ${seen.digest} to ${event.digest}`);
    if (event.approver !== undefined) seen.approver ??= event.approver;
    if (RUNNING.has(event.state) && event.state !== 'cancelling' && seen.approver === undefined) {
      report(`is ${event.state} and nobody approved it`);
    }
    if (!RUNNING.has(seen.state) && seen.state !== 'proposed' && RUNNING.has(event.state)) {
      report(`runs again: ${seen.state}, then ${event.state}`);
    }
    if (event.state === 'completed' && seen.state !== 'completed') this.done(seen, report);
    seen.state = event.state;
    return found;
  }

  /** What was approved is what the map has now, copy for copy (leadership may have moved on since). */
  private done(plan: PlanSeen, report: (what: string) => void): void {
    for (const { index, kind, keyspace, partition, from, to } of plan.moves) {
      const record = this.parts.get(`${keyspace}/${partition}`)?.record;
      if (!record || kind === 'leader') continue;
      const hasTarget = replicaOn(record, to)?.role !== 'learner' && replicaOn(record, to) !== undefined;
      if (hasTarget && !replicaOn(record, from)) continue;
      report(
        `is completed, and move ${index} of ${keyspace}/${partition} from ${from || 'nowhere'} to ${to} is not done`,
      );
    }
  }

  private change(event: MapEvent): readonly Violation[] {
    const found: Violation[] = [];
    for (const record of event.records) {
      const key = `${event.keyspace}/${record.partition}`;
      const before = this.parts.get(key)?.record;
      const part = this.take(event.keyspace, record, event.at);
      if (!before) continue;
      const report = (rule: string, what: string) => found.push({ rule, at: event.at, subject: key, what });
      if (leaderOf(before) !== leaderOf(record)) this.leaderChange(key, report);
      for (const { node } of record.replicas) {
        if (!replicaOn(before, node)) this.arrival(event, part, record.partition, node, report);
      }
      for (const { node, role } of before.replicas) {
        if (replicaOn(record, node)) continue;
        part.left.set(node, event.generation);
        if (!this.mayLeave(event, record.partition, node, role === 'learner')) {
          report('INV-6', `${node} was taken out (${event.actor} ${event.verb}), and no running plan says so`);
        }
      }
    }
    return found;
  }

  /** A fault may cost a partition its leader, and give it back afterwards; so may a move. More is thrash. */
  private leaderChange(key: string, report: (rule: string, what: string) => void): void {
    const times = (this.leaderChanges.get(key) ?? 0) + 1;
    this.leaderChanges.set(key, times);
    const allowed = LEADER_CHANGES_PER_FAULT * (1 + this.faults + this.plans.size);
    if (times > allowed)
      report('INV-11', `its leader changed ${times} times in ${this.faults} faults and ${this.plans.size} plans`);
  }

  private arrival(
    event: MapEvent,
    part: Part,
    partition: number,
    node: string,
    report: (rule: string, what: string) => void,
  ): void {
    part.left.delete(node);
    const move = this.moveOf(event.keyspace, partition, (m) => m.kind !== 'leader' && m.to === node);
    if (!move) {
      if (!this.policyVerbs.has(event.verb)) {
        report('INV-6', `${node} was given a copy (${event.actor} ${event.verb}), and no running plan says so`);
      }
      return;
    }
    const times = (part.begun.get(move.id) ?? 0) + 1;
    part.begun.set(move.id, times);
    if (times === 1) this.moves += 1;
    if (times > this.restartsPerMove) report('INV-11', `move ${move.id} began ${times} times`);
  }

  private mayLeave(event: MapEvent, partition: number, node: string, isLearner: boolean): boolean {
    if (this.policyVerbs.has(event.verb)) return true;
    // A cancelled move takes back what it had added.
    const isTaken = (m: PlanMove, state: string): boolean =>
      m.from === node || (m.to === node && (isLearner || state === 'cancelling'));
    return this.moveOf(event.keyspace, partition, isTaken) !== undefined;
  }

  private moveOf(
    keyspace: string,
    partition: number,
    test: (move: PlanMove, state: string) => boolean,
  ): { readonly id: string } | undefined {
    for (const [id, plan] of this.plans) {
      if (!RUNNING.has(plan.state)) continue;
      const move = plan.moves.find((m) => m.keyspace === keyspace && m.partition === partition && test(m, plan.state));
      if (move) return { id: `${id}#${move.index}` };
    }
    return undefined;
  }

  /** Golden rule: committed without it, enough whole copies elsewhere, and the node itself and those copies act on that map. */
  private purge(event: RemovalEvent): readonly Violation[] {
    const key = `${event.keyspace}/${event.partition}`;
    const part = this.parts.get(key);
    const violation = (what: string): readonly Violation[] => [
      { rule: 'INV-5', at: event.at, subject: key, what: `${event.node} purged its copy: ${what}` },
    ];
    if (!part) return NONE;
    if (replicaOn(part.record, event.node)) return violation('the map counts on it');
    const left = part.left.get(event.node);
    // It was never in the map as far as this history goes back.
    if (!left) return NONE;
    const holders = inSyncOf(part.record);
    const wanted = this.wanted.get(event.keyspace) ?? 1;
    // It was granted on an earlier map: a copy may have fallen behind since, but not long ago, and not all of them.
    const missingMs = holders.length < wanted ? event.at - part.wholeUntil : 0;
    if (holders.length === 0 || missingMs > this.grantMs) {
      return violation(
        `only ${holders.length} of ${wanted} whole copies are elsewhere, for ${missingMs.toFixed(0)} ms`,
      );
    }
    for (const node of [event.node, ...holders]) {
      const acts = this.applied.get(`${node}\n${event.keyspace}`);
      if (acts && compareGenerations(acts, left) < 0) {
        return violation(`${node} acts on ${formatGeneration(acts)}, the map without it is ${formatGeneration(left)}`);
      }
    }
    return NONE;
  }
}
