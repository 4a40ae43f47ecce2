import { compareStrings } from '../bytes.js';
import { CadastreError } from '../errors.js';
import type { PartitionRecord, Replica } from './records.js';
import { leaderOf, replicaOn } from './records.js';

/**
 * Every legal change of a partition's record, as a pure function from record to record. Each checks what it needs and throws
 * FAILED_PRECONDITION otherwise, so that no path (plan, failover, in-sync change) can write a record that breaks an invariant.
 */
const normalise = (partition: number, epoch: number, replicas: readonly Replica[]): PartitionRecord => ({
  partition,
  epoch,
  replicas: [...replicas].sort(
    (a, b) => Number(b.role === 'leader') - Number(a.role === 'leader') || compareStrings(a.node, b.node),
  ),
});

const refuse = (record: PartitionRecord, why: string, remedy: string): CadastreError =>
  new CadastreError('FAILED_PRECONDITION', `partition ${record.partition} at epoch ${record.epoch}: ${why}`, {
    field: 'partition',
    remedy,
  });

/** A first record: all replicas are empty, hence in sync; the first node leads. */
export const newRecord = (partition: number, nodes: readonly string[]): PartitionRecord =>
  normalise(
    partition,
    1,
    nodes.map((node, i) => ({ node, role: i === 0 ? 'leader' : 'follower', state: 'available', inSync: true })),
  );

/** A learner counts for nothing, so the epoch stays: nobody is fenced by the beginning of a copy. */
export const addLearner = (record: PartitionRecord, node: string): PartitionRecord => {
  if (replicaOn(record, node)) throw refuse(record, `${node} has a replica already`, 'choose another target');
  return normalise(record.partition, record.epoch, [
    ...record.replicas,
    { node, role: 'learner', state: 'initializing', inSync: false },
  ]);
};

/** Raises the epoch: the leader may have asked to take the learner in, and that request must not reach a later learner on the same node. */
export const dropLearner = (record: PartitionRecord, node: string): PartitionRecord => {
  if (replicaOn(record, node)?.role !== 'learner') throw refuse(record, `${node} is no learner`, 'read the map again');
  return normalise(
    record.partition,
    record.epoch + 1,
    record.replicas.filter((r) => r.node !== node),
  );
};

/** The leader vouches that `node` holds every acknowledged write and that nothing is acknowledged without it from now on. */
export const growInSync = (record: PartitionRecord, node: string): PartitionRecord => {
  const replica = replicaOn(record, node);
  if (!replica) throw refuse(record, `${node} has no replica`, 'read the map again');
  if (replica.inSync) throw refuse(record, `${node} is in sync already`, 'read the map again');
  const joined: Replica = { node, role: 'follower', state: 'available', inSync: true };
  return normalise(
    record.partition,
    record.epoch + 1,
    record.replicas.map((r) => (r.node === node ? joined : r)),
  );
};

/** Never takes the last one: a partition without an in-sync replica could only be revived with loss (INV-4). */
export const shrinkInSync = (record: PartitionRecord, node: string): PartitionRecord => {
  const replica = replicaOn(record, node);
  if (!replica?.inSync) throw refuse(record, `${node} is not in sync`, 'read the map again');
  if (record.replicas.filter((r) => r.inSync).length === 1) {
    throw refuse(
      record,
      `${node} is the last in-sync replica`,
      'bring the node back, or force another leader by name and accept the loss',
    );
  }
  if (replica.role === 'leader') throw refuse(record, `${node} leads`, 'change the leader first');
  return normalise(
    record.partition,
    record.epoch + 1,
    record.replicas.map((r) => (r.node === node ? { ...r, inSync: false } : r)),
  );
};

/** Hands leadership to an in-sync replica; the old leader stays as a follower. `oldInSync` is false when it is dead. */
export const changeLeader = (record: PartitionRecord, to: string, oldInSync = true): PartitionRecord => {
  const target = replicaOn(record, to);
  if (!target?.inSync) throw refuse(record, `${to} is not in sync`, 'only an in-sync replica may lead');
  if (target.role === 'leader') throw refuse(record, `${to} leads already`, 'read the map again');
  const replicas = record.replicas.map((r): Replica => {
    if (r.node === to) return { ...r, role: 'leader' };
    if (r.role === 'leader') return { ...r, role: 'follower', inSync: oldInSync };
    return r;
  });
  return normalise(record.partition, record.epoch + 1, replicas);
};

/** The cutover of a move: the source leaves the map. Requires that enough in-sync replicas remain. */
export const removeReplica = (record: PartitionRecord, node: string, minInSync: number): PartitionRecord => {
  const replica = replicaOn(record, node);
  if (!replica) throw refuse(record, `${node} has no replica`, 'read the map again');
  if (leaderOf(record) === node) throw refuse(record, `${node} leads`, 'change the leader first');
  const rest = record.replicas.filter((r) => r.node !== node);
  const left = rest.filter((r) => r.inSync).length;
  if (left < Math.max(1, minInSync))
    throw refuse(
      record,
      `only ${left} in-sync replicas would remain, ${minInSync} are required`,
      'wait until a replica has caught up',
    );
  return normalise(record.partition, record.epoch + 1, rest);
};

/** What must hold of every record, whoever wrote it; checked before each write and after each read. Returns what is wrong. */
export const checkRecord = (record: PartitionRecord): string | undefined => {
  const nodes = new Set(record.replicas.map((r) => r.node));
  if (nodes.size !== record.replicas.length) return 'the same node twice';
  const leaders = record.replicas.filter((r) => r.role === 'leader');
  if (leaders.length > 1) return 'more than one leader';
  if (leaders[0] && !leaders[0].inSync) return 'a leader that is not in sync';
  if (record.replicas.some((r) => r.role === 'learner' && r.inSync)) return 'a learner in the in-sync set';
  if (record.replicas.length > 0 && !record.replicas.some((r) => r.inSync)) return 'no in-sync replica';
  if (!Number.isSafeInteger(record.epoch) || record.epoch < 1) return 'an epoch below 1';
  return undefined;
};
