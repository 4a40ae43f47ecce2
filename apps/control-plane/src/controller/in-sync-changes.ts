import type { Generation, PartitionRecord } from '@cadastre/core';
import { CadastreError, growInSync, inSyncOf, leaderOf, nextGeneration, replicaOn, shrinkInSync } from '@cadastre/core';
import type { Clock, Logger } from '@cadastre/runtime';
import type { Mandate, Part, Register, RegisterState } from '@cadastre/store';
import { compare, join, keys, partitionsPart, requireKeyspace } from '@cadastre/store';
import type { ChangeInSyncCommand } from './reports.js';
import { isConnected } from './world.js';

export interface InSyncAnswer {
  readonly record: PartitionRecord;
  readonly generation: Generation;
}

/** Keys of the map that one transaction writes at most; the store takes 128 operations. */
const SEGMENTS_A_TXN = 64;
const PARTITIONS_A_TXN = 1024;

interface Asked {
  readonly command: ChangeInSyncCommand;
  readonly session: Session;
  readonly mandate: Mandate;
  readonly resolve: (answer: InSyncAnswer) => void;
  readonly reject: (error: unknown) => void;
}

type Decided = { readonly asked: Asked } & ({ readonly answer: InSyncAnswer } | { readonly error: unknown });

/**
 * Changes of in-sync sets, as leaders ask for them. Those that come together, or while a transaction is under way, share the next
 * one: when a node dies, each of its partners asks for hundreds at once.
 */
export class InSyncChanges {
  private waiting: Asked[] = [];
  private working = false;

  constructor(private readonly options: { register: Register; clock: Clock; logger: Logger }) {}

  /** @throws CadastreError NOT_OWNER (with the record), FAILED_PRECONDITION, NOT_FOUND, or what the register throws */
  ask(command: ChangeInSyncCommand, mandate: Mandate): Promise<InSyncAnswer> {
    const session = sessionOf(this.options.register.state, command.node);
    return new Promise((resolve, reject) => {
      this.waiting.push({ command, session, mandate, resolve, reject });
      if (this.working) return;
      this.working = true;
      this.options.clock.soon(() => void this.work());
    });
  }

  private async work(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.take();
      try {
        await this.commit(batch);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.working = false;
  }

  /** Of one keyspace, one mandate, and each partition once: the second change of a partition has to see the first. */
  private take(): Asked[] {
    const first = this.waiting[0]!;
    const size = this.options.register.state.keyspaces.get(first.command.keyspace)?.record.segmentSize ?? 1;
    const segments = new Set<number>();
    const batch = new Map<number, Asked>();
    const rest: Asked[] = [];
    for (const asked of this.waiting) {
      const { keyspace, partition } = asked.command;
      const fits =
        batch.size < PARTITIONS_A_TXN &&
        (segments.size < SEGMENTS_A_TXN || segments.has(Math.floor(partition / size))) &&
        keyspace === first.command.keyspace &&
        asked.mandate === first.mandate &&
        !batch.has(partition);
      if (!fits) {
        rest.push(asked);
        continue;
      }
      batch.set(partition, asked);
      segments.add(Math.floor(partition / size));
    }
    this.waiting = rest;
    return [...batch.values()];
  }

  private async commit(batch: readonly Asked[]): Promise<void> {
    const { keyspace } = batch[0]!.command;
    const committed = await this.options.register.commit((state) => {
      const decided: Decided[] = [];
      const sessions: Part[] = [];
      const records: PartitionRecord[] = [];
      for (const asked of batch) {
        try {
          const { record, generation } = decideInSync(state, asked.command);
          if (!record) {
            decided.push({ asked, answer: { record: current(state, asked.command), generation } });
            continue;
          }
          sessions.push(sameSession(state, asked.command.node, asked.session));
          records.push(record);
          decided.push({ asked, answer: { record, generation: nextGeneration(generation) } });
        } catch (error) {
          decided.push({ asked, error });
        }
      }
      if (records.length === 0) return { compare: [], ops: [], result: decided };
      const map = partitionsPart(state, keyspace, records);
      return {
        ...join(...sessions, map),
        result: decided,
        audit: {
          actor: 'cadastre',
          verb: 'change-in-sync',
          subject: `keyspace/${keyspace}`,
          reason: reasonsOf(decided),
          before: listOf(records.map((r) => requireKeyspace(state, keyspace).map.record(r.partition))),
          after: listOf(records),
          generation: [{ keyspace, generation: map.generation }],
        },
      };
    }, batch[0]!.mandate.fence);
    for (const decided of committed.result) this.answer(decided);
  }

  private answer(decided: Decided): void {
    const { command, resolve, reject } = decided.asked;
    if ('error' in decided) return reject(decided.error);
    const { record } = decided.answer;
    this.options.logger.info('in-sync set changed', {
      keyspace: command.keyspace,
      partition: command.partition,
      epoch: record.epoch,
      inSync: inSyncOf(record),
      because: command.reason,
    });
    return resolve(decided.answer);
  }
}

/** What an entry of the audit log names one by one; the map's history has the rest. */
const NAMED = 20;

const listOf = (records: readonly PartitionRecord[]): string =>
  records
    .slice(0, NAMED)
    .map((r) => `${r.partition} at epoch ${r.epoch}: ${inSyncOf(r).join(', ')}`)
    .join('; ') + (records.length > NAMED ? `; and ${records.length - NAMED} more` : '');

const reasonsOf = (decided: readonly Decided[]): string => {
  const reasons = new Set<string>();
  for (const { asked } of decided) reasons.add(`${asked.command.node}: ${asked.command.reason}`);
  return [...reasons].slice(0, NAMED).join('; ');
};

type Session = ReturnType<typeof sessionOf>;

const sessionOf = (state: RegisterState, node: string) => state.sessions.get(node)?.leaseId;

/**
 * A leader that was started anew leads on under its old epoch and knows nothing of what it had asked for: it acknowledges writes without
 * the joiner. What it asked for in its life before must not take effect any more (INV-3). And the last words of one that is gone, which
 * a healed network still delivers, must not leave it as the only one that counts.
 */
const sameSession = (state: RegisterState, node: string, session: Session): Part => {
  if (session === undefined)
    throw new CadastreError('FAILED_PRECONDITION', `${node} has no session`, {
      field: 'node',
      remedy: 'ask again once it is connected',
    });
  if (sessionOf(state, node) !== session)
    throw new CadastreError('FAILED_PRECONDITION', `${node} has begun another session since it asked`, {
      field: 'node',
      remedy: 'ask again',
    });
  return { compare: [compare.lease(keys.session(node), session)], ops: [] };
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
  // A leader that was started anew, and had asked for something before: nothing of that may count once this has risen.
  const onlyRaise = command.add.length + command.remove.length === 0;
  if (stillLeads && !onlyRaise && add.length === 0 && remove.length === 0)
    return { record: undefined, generation: map.generation };
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
  return next === record && !refused && !onlyRaise
    ? { record: undefined, generation: map.generation }
    : { record: { ...next, epoch: record.epoch + 1 }, generation: map.generation };
};
