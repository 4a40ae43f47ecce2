import { addLearner, changeLeader, dropLearner, removeReplica } from '../map/changes.js';
import type { PartitionRecord, Replica } from '../map/records.js';
import { leaderOf, replicaOn } from '../map/records.js';
import type { PlannerNodeState } from '../placement/domains.js';
import type { PlanMove } from '../planning/plan.js';
import type { MovePhase } from './move-phase.js';

/** What the target's agent last reported of the copy that it fills. */
export interface ReplicaReportView {
  /** The agent's word: `filling` while the snapshot runs, then `following`. */
  readonly phase: string;
  readonly appliedSeq: number;
  readonly filledBytes: number;
  readonly fillTotalBytes: number;
}

export interface ObservedMove {
  readonly nodeState: (node: string) => PlannerNodeState;
  readonly learner?: ReplicaReportView;
  /**
   * What is known of the record at hand: each in-sync copy on a node that is up has promised its epoch, and its leader serves. A change of
   * leader on top of one that is still being taken in, and a source that leaves while its successor still seals, only make the pause of
   * writes longer.
   */
  readonly settled: boolean;
  /** The source holds no copy any more, or is down. */
  readonly purged: boolean;
  /** Every agent that holds the partition, and the source when it is up, has applied the generation of the cutover. */
  readonly agentsApplied: boolean;
}

export interface MoveControl {
  readonly paused: boolean;
  readonly cancelling: boolean;
  /** The keyspace's: no cutover leaves fewer copies in sync. */
  readonly minInSync: number;
  /** How long a target may be down before the move is given up. */
  readonly targetGraceMs?: number;
}

export const TARGET_GRACE_MS = 60_000;

export type MoveAction =
  | { readonly do: 'add-learner'; readonly node: string }
  | { readonly do: 'change-leader'; readonly to: string }
  /** The cutover; on the way back of a cancelled or failed move, `node` is its target. */
  | { readonly do: 'remove-replica'; readonly node: string }
  | { readonly do: 'drop-learner'; readonly node: string };

export type MoveDecision =
  | (MoveAction & { readonly phase: MovePhase })
  | { readonly do: 'wait'; readonly phase: MovePhase; readonly why: string }
  /** The end: phase `done`, or `cancelled` when nothing of the move is left in the map. */
  | { readonly do: 'done'; readonly phase: MovePhase }
  | { readonly do: 'fail'; readonly phase: MovePhase; readonly why: string };

interface Situation {
  readonly move: PlanMove;
  readonly record: PartitionRecord;
  readonly observed: ObservedMove;
  readonly control: MoveControl;
  /** The target has been down for longer than the grace. */
  readonly targetLost: boolean;
  readonly target: Replica | undefined;
  readonly source: Replica | undefined;
  readonly leader: string | undefined;
}

const wait = (phase: MovePhase, why: string): MoveDecision => ({ do: 'wait', phase, why });
const fail = (why: string): MoveDecision => ({ do: 'fail', phase: { name: 'failed', why }, why });
const done: MoveDecision = { do: 'done', phase: { name: 'done' } };
const cancelled = (why: string): MoveDecision => ({ do: 'done', phase: { name: 'cancelled', why } });
/** @param before where the move stands until it may */
const handOver = (
  { observed }: Situation,
  to: string,
  before: MovePhase = { name: 'handing-over', to },
): MoveDecision =>
  observed.settled
    ? { do: 'change-leader', to, phase: { name: 'handing-over', to } }
    : wait(before, 'not every copy in sync has said that it stands at the newest epoch');
const cut = (node: string): MoveDecision => ({ do: 'remove-replica', node, phase: { name: 'cutover', node } });

/**
 * The next action of one move, from the world as it is now: asking again after a restart, or twice, is harmless, and a move whose
 * end already stands in the map goes straight to its end. The caller asks until `done` or `fail`, and keeps that end, since a
 * cancelled move looks like one that never began. Promotion of the learner is the partition's leader's doing, not ours.
 * @param record the current record. @param now ms. @param since ms at which the state of the target node last changed, as far as
 * the caller has seen it
 */
export const decideMove = (
  move: PlanMove,
  record: PartitionRecord,
  observed: ObservedMove,
  control: MoveControl,
  now: number,
  since: number,
): MoveDecision => {
  const situation: Situation = {
    move,
    record,
    observed,
    control,
    targetLost: observed.nodeState(move.to) === 'down' && now - since > (control.targetGraceMs ?? TARGET_GRACE_MS),
    target: replicaOn(record, move.to),
    source: move.from === '' ? undefined : replicaOn(record, move.from),
    leader: leaderOf(record),
  };
  if (move.kind === 'leader') return decideTransfer(situation);
  return move.kind === 'remove' ? decideRemoval(situation) : decideCopy(situation);
};

const decideTransfer = (situation: Situation): MoveDecision => {
  const { move, observed, control, target, leader, targetLost } = situation;
  if (leader === move.to) return done;
  if (control.cancelling) return cancelled('leadership had not been handed over');
  if (leader !== move.from) return fail(`${leader ?? 'nobody'} leads now, not ${move.from}`);
  if (!target?.inSync) return fail(`${move.to} is not in sync, so it may not lead`);
  if (targetLost) return fail(`${move.to} is down`);
  if (control.paused) return wait({ name: 'pending' }, 'the plan is paused');
  if (observed.nodeState(move.to) === 'down') return wait({ name: 'pending' }, `${move.to} is down`);
  return handOver(situation, move.to, { name: 'pending' });
};

/** A copy too many leaves: nothing is built, and leadership goes first, where the leaver leads or the plan wants another leader. */
const decideRemoval = (s: Situation): MoveDecision => {
  const { move, control, source, leader } = s;
  if (!source) return decideCleanUp(s);
  if (control.cancelling) return cancelled('the copy too many is where it was');
  if (control.paused) return wait({ name: 'pending' }, 'the plan is paused');
  const heir = heirOf(s, move.leaderAfter);
  const isWanted = leader !== undefined && leader !== move.leaderAfter && heir === move.leaderAfter;
  if (leader !== move.from && !isWanted) return cutOver(s);
  return heir === undefined
    ? wait({ name: 'handing-over', to: move.leaderAfter }, 'no other in-sync copy is on a node that is up')
    : handOver(s, heir);
};

const decideCopy = (s: Situation): MoveDecision => {
  if (!s.target) return decideStart(s);
  if (s.target.role === 'learner') return decideLearner(s);
  if (s.move.kind === 'replica' && !s.source) return decideCleanUp(s);
  if (s.control.cancelling) return decideReturn(s, 'cancelled');
  if (s.targetLost) return decideReturn(s, 'lost');
  if (!s.target.inSync)
    return wait(
      { name: 'catching-up', to: s.move.to, appliedSeq: s.observed.learner?.appliedSeq ?? 0 },
      `${s.move.to} is not in sync`,
    );
  return decideHandOver(s);
};

const decideStart = ({ move, record, observed, control, source, targetLost }: Situation): MoveDecision => {
  const { to, from } = move;
  if (control.cancelling) return cancelled('nothing of the move is in the map');
  if (move.kind === 'replica' && (!source || source.role === 'learner'))
    return fail(`neither ${from} nor ${to} holds a copy of partition ${record.partition} at epoch ${record.epoch}`);
  if (targetLost) return fail(`${to} has been down for too long; every copy is where it was`);
  const state = observed.nodeState(to);
  if (state === 'draining') return fail(`${to} is draining and takes no copies`);
  if (control.paused) return wait({ name: 'pending' }, 'the plan is paused');
  if (state === 'down') return wait({ name: 'pending' }, `${to} is down`);
  return { do: 'add-learner', node: to, phase: { name: 'preparing', to } };
};

const decideLearner = ({ move, observed, control, leader, targetLost }: Situation): MoveDecision => {
  const { to } = move;
  const phase = fillingPhase(to, observed.learner);
  // The map holds the learner until this is done; the source was never touched.
  if (control.cancelling || targetLost) return { do: 'drop-learner', node: to, phase };
  if (observed.nodeState(to) === 'down') return wait(phase, `${to} is down`);
  if (leader === undefined) return wait(phase, 'nobody leads the partition, so nobody can vouch for the copy');
  return wait(
    phase,
    phase.name === 'transferring'
      ? `${leader} sends the copy to ${to}`
      : `${to} catches up until ${leader} takes it into the in-sync set`,
  );
};

const fillingPhase = (to: string, learner: ReplicaReportView | undefined): MovePhase => {
  if (learner?.phase === 'following') return { name: 'catching-up', to, appliedSeq: learner.appliedSeq };
  return { name: 'transferring', to, bytesDone: learner?.filledBytes ?? 0, bytesTotal: learner?.fillTotalBytes ?? 0 };
};

/** Both copies are in sync. Leadership goes first, then the source; a paused plan still ends here, where nothing is half done. */
const decideHandOver = (s: Situation): MoveDecision => {
  const { move, leader } = s;
  if (leader === undefined)
    return wait({ name: 'handing-over', to: move.leaderAfter }, 'nobody leads the partition; failover is choosing');
  const heir = heirOf(s, move.leaderAfter);
  if (heir !== undefined && leader !== heir && (heir === move.leaderAfter || leader === move.from))
    return handOver(s, heir);
  if (leader === move.from)
    return wait({ name: 'handing-over', to: move.leaderAfter }, 'no other in-sync copy is on a node that is up');
  if (move.kind === 'add') return decideCleanUp(s);
  return cutOver(s);
};

/** The new leader seals with the source's help while the source is there. */
const cutOver = (s: Situation): MoveDecision => {
  const { move, observed, leader } = s;
  return observed.settled || observed.nodeState(move.from) === 'down'
    ? cutIfSafe(s, move.from)
    : wait({ name: 'handing-over', to: move.leaderAfter }, `${leader ?? 'nobody'} does not serve yet`);
};

/** The one that was planned if it can lead, otherwise any other that stays, the target first. */
const heirOf = ({ move, record, observed }: Situation, planned: string, leaving = move.from): string | undefined => {
  const able = record.replicas
    .filter((r) => r.inSync && r.node !== leaving && observed.nodeState(r.node) === 'up')
    .map((r) => r.node);
  return [planned, move.to].find((n) => able.includes(n)) ?? able[0];
};

const cutIfSafe = ({ record, control }: Situation, node: string): MoveDecision => {
  const left = record.replicas.filter((r) => r.inSync && r.node !== node).length;
  const least = Math.max(1, control.minInSync);
  return left >= least
    ? cut(node)
    : wait({ name: 'cutover', node }, `${left} in-sync copies would remain, ${least} are required`);
};

/** The way back before the cutover: the target leaves, the source stays whole. */
const decideReturn = (s: Situation, why: 'cancelled' | 'lost'): MoveDecision => {
  if (s.move.kind === 'add') return why === 'cancelled' ? decideHandOver(s) : fail(`${s.move.to} is down`);
  if (s.leader !== s.move.to) return cutIfSafe(s, s.move.to);
  const heir = heirOf(s, s.move.from, s.move.to);
  return heir !== undefined
    ? handOver(s, heir)
    : wait(
        { name: 'handing-over', to: s.move.from },
        `${s.move.to} leads and no other in-sync copy is on a node that is up`,
      );
};

/** The golden rule's last part: the source's agent drops its copy by itself, once all concerned route to the target. */
const decideCleanUp = ({ move, observed }: Situation): MoveDecision => {
  if (!observed.agentsApplied)
    return wait({ name: 'cleaning-up', waitingFor: 'agents' }, 'not every agent has applied the new map');
  if (move.kind !== 'add' && !observed.purged)
    return wait({ name: 'cleaning-up', waitingFor: 'source' }, `${move.from} still holds its old copy`);
  return done;
};

/** What an action does to the record; waiting and ends leave it as it is. @throws CadastreError FAILED_PRECONDITION */
export const applyMoveAction = (
  record: PartitionRecord,
  action: MoveAction | MoveDecision,
  minInSync: number,
): PartitionRecord => {
  switch (action.do) {
    case 'add-learner':
      return addLearner(record, action.node);
    case 'drop-learner':
      return dropLearner(record, action.node);
    case 'change-leader':
      return changeLeader(record, action.to);
    case 'remove-replica':
      return removeReplica(record, action.node, minInSync);
    default:
      return record;
  }
};
