import type { ChangeOutcome, ErrorCode, PartitionRecord } from '@cadastre/core';
import { CadastreError } from '@cadastre/core';
import type { OwnerInfo, Wire } from '@cadastre/contracts';
import { callUnary, decodeRecord } from '@cadastre/contracts';
import type { PartitionId } from '@cadastre/engine';
import type { Clock } from '@cadastre/runtime';
import type { ControlPlane } from './control-plane.js';
import type { ChangeAction } from './replica.driver.js';

export interface ChangeAnswer {
  readonly outcome: ChangeOutcome;
  readonly record?: PartitionRecord;
}

export interface InSyncChangesOptions {
  readonly node: string;
  readonly controlPlane: ControlPlane;
  readonly clock: Clock;
  readonly meters: { inSyncGrown: number; inSyncShrunk: number };
}

/** After these the change may or may not have happened, or may still happen. */
const UNCLEAR: readonly string[] = [
  'UNAVAILABLE',
  'UNKNOWN_OUTCOME',
  'DEADLINE_EXCEEDED',
  'CANCELLED',
  'INTERNAL',
] satisfies ErrorCode[];
const DEADLINE_MS = 3000;
const CHANGES_A_CALL = 512;
/** Calls under way at once: a slow one does not hold up the changes that come after it. */
const CALLS_AT_ONCE = 4;

interface Asked {
  readonly id: PartitionId;
  readonly action: ChangeAction;
  readonly resolve: (answer: ChangeAnswer) => void;
}

/**
 * Asks the active controller to change in-sync sets; every way that this can end is an answer. Changes that come together go in one
 * call: when a node falls silent, all partitions that are shared with it ask at the same moment.
 */
export class InSyncChanges {
  private waiting: Asked[] = [];
  private underWay = 0;
  private scheduled = false;
  /** The control plane is of before there was a call for many. */
  private oneByOne = false;

  constructor(private readonly options: InSyncChangesOptions) {}

  ask(id: PartitionId, action: ChangeAction): Promise<ChangeAnswer> {
    return new Promise((resolve) => {
      this.waiting.push({ id, action, resolve });
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.scheduled || this.underWay >= CALLS_AT_ONCE || this.waiting.length === 0) return;
    this.scheduled = true;
    this.options.clock.soon(() => {
      this.scheduled = false;
      void this.send(this.waiting.splice(0, this.oneByOne ? 1 : CHANGES_A_CALL));
    });
  }

  private async send(batch: readonly Asked[]): Promise<void> {
    this.underWay += 1;
    this.schedule();
    try {
      const answers = await this.call(batch);
      batch.forEach(({ resolve, action }, i) => {
        if (answers[i]?.record && answers[i].errorCode === '') this.count(action);
        resolve(answerOf(answers[i]));
      });
    } catch (error) {
      this.failed(batch, CadastreError.from(error));
    }
    this.underWay -= 1;
    this.schedule();
  }

  private count({ add, remove }: ChangeAction): void {
    const { meters } = this.options;
    meters.inSyncGrown += add ? 1 : 0;
    meters.inSyncShrunk += remove.length;
  }

  private failed(batch: readonly Asked[], { code, info }: CadastreError): void {
    if (code === 'UNIMPLEMENTED' && !this.oneByOne) {
      this.oneByOne = true;
      this.waiting = [...batch, ...this.waiting];
      return;
    }
    const outcome = code === 'NOT_ACTIVE' ? 'unreached' : UNCLEAR.includes(code) ? 'unknown' : 'refused';
    const record = batch.length === 1 ? (info as OwnerInfo | undefined)?.record : undefined;
    for (const { resolve } of batch) resolve({ outcome, ...(outcome === 'refused' && record && { record }) });
  }

  private async call(batch: readonly Asked[]): Promise<Wire.ChangeInSyncAnswer__Output[]> {
    const { node, controlPlane } = this.options;
    const limits = { deadlineMs: DEADLINE_MS };
    const changes = batch.map(({ id, action }) => request(node, id, action));
    return controlPlane.onActive(async ({ agent }) => {
      if (!this.oneByOne)
        return (
          await callUnary<Wire.ChangeInSyncManyRequest, Wire.ChangeInSyncManyReply__Output>(
            agent,
            agent.changeInSyncMany,
            { changes },
            limits,
          )
        ).answers;
      const { record } = await callUnary<Wire.ChangeInSyncRequest, Wire.ChangeInSyncReply__Output>(
        agent,
        agent.changeInSync,
        changes[0]!,
        limits,
      );
      return [{ record, errorCode: '', errorMessage: '' }];
    });
  }
}

const request = (
  node: string,
  { keyspace, partition }: PartitionId,
  { epoch, add, remove, reason }: ChangeAction,
): Wire.ChangeInSyncRequest => ({
  node,
  keyspace,
  partition,
  epoch,
  add: add ? [{ node: add.node, seq: add.seq, records: add.records, digest: add.digest }] : [],
  remove: [...remove],
  reason,
});

/** A record settles it, whether it is what was asked for or the newer one that stood against it. */
const answerOf = (answer: Wire.ChangeInSyncAnswer__Output | undefined): ChangeAnswer => {
  if (!answer || UNCLEAR.includes(answer.errorCode)) return { outcome: 'unknown' };
  if (answer.errorCode === 'NOT_ACTIVE') return { outcome: 'unreached' };
  if (answer.record) return { outcome: 'refused', record: decodeRecord(answer.record) };
  return { outcome: answer.errorCode === '' ? 'unknown' : 'refused' };
};
