import { CadastreError } from '@cadastre/core';
import type { KeyspaceGeneration } from '@cadastre/core';
import { type Clock, type NewId, type Random, randomId, sha256Hex } from '@cadastre/runtime';
import { keys } from '../keys.js';
import { compare, op } from '../ops.js';
import { settle } from '../settle.js';
import type { Compare, KeyValue, LeaseId, Op, Revision, Store, TxnOutcome } from '../store.js';
import type { RegisterMirror } from './mirror.js';
import { auditCodec, auditHeadCodec } from './records.js';
import type { RegisterState } from './register-state.js';

export interface AuditDraft {
  readonly actor: string;
  readonly verb: string;
  readonly subject: string;
  readonly reason?: string;
  readonly before?: string;
  readonly after?: string;
  readonly generation?: readonly KeyspaceGeneration[];
}

/** What a change wants to write, decided against one state of the register. */
export interface Draft<T> {
  readonly compare: readonly Compare[];
  readonly ops: readonly Op[];
  readonly result: T;
  readonly audit?: AuditDraft;
  /** Written although it changes nothing: the audit log is to say that it was done. */
  readonly auditOnly?: true;
}

export interface Committed<T> {
  readonly revision: Revision;
  readonly result: T;
}

export interface RegisterOptions {
  readonly clock: Clock;
  readonly random?: Random;
  readonly newId?: NewId;
  /** Lease under which the writer's own key lies, so that it goes when the process does. */
  readonly writerLease?: () => LeaseId | undefined;
}

/** A lost compare-and-set is decided anew against a newer state this often before the caller is told. */
const TRIES = 10;
const MIRROR_LAG_MS = 10_000;

/**
 * The one way to change the register. A change is a pure function from the mirrored state to a draft; the draft becomes ONE
 * transaction that compares every record it was decided on. Changes of one process are made one after the other: each also writes the
 * writer's own key, so that an unknown outcome can be looked up, and a late arrival can no longer hold.
 */
export class Register {
  readonly writerId: string;
  private readonly newId: NewId;
  private writerRevision: Revision = 0n;
  private queue: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly store: Store,
    private readonly mirror: RegisterMirror,
    private readonly options: RegisterOptions,
  ) {
    this.newId = options.newId ?? randomId;
    this.writerId = this.newId(8);
  }

  /** Changes that wait for their turn or for their answer. */
  waiting = 0;

  get state(): RegisterState {
    return this.mirror.state;
  }

  /**
   * @param decide throws a CadastreError when the change is not to be made
   * @param fence the election key of the active controller, for changes that only it may make (INV-1)
   * @throws CadastreError NOT_ACTIVE when the fence does not hold, UNAVAILABLE when nothing was changed, UNKNOWN_OUTCOME when it
   *   could not be found out within half a minute
   */
  commit<T>(decide: (state: RegisterState) => Draft<T>, fence?: Compare): Promise<Committed<T>> {
    this.waiting += 1;
    const run = this.queue.then(() => this.attempt(decide, fence));
    this.queue = run.catch(() => undefined);
    // Beside the way, so that nothing on it takes a turn longer.
    void run.then(this.leave, this.leave);
    return run;
  }

  private readonly leave = (): void => {
    this.waiting -= 1;
  };

  private async attempt<T>(
    decide: (state: RegisterState) => Draft<T>,
    fence: Compare | undefined,
  ): Promise<Committed<T>> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const draft = decide(this.mirror.state);
      if (draft.ops.length === 0 && !draft.auditOnly)
        return { revision: this.mirror.state.revision, result: draft.result };
      const revision = await this.send(draft, fence);
      if (revision !== undefined) return { revision, result: draft.result };
    }
    throw new CadastreError('UNAVAILABLE', `the register changed ${TRIES} times while this change was decided`, {
      remedy: 'try again',
    });
  }

  /** @returns the revision, or undefined when what the draft was decided on has changed */
  private async send<T>(draft: Draft<T>, fence: Compare | undefined): Promise<Revision | undefined> {
    const opId = this.newId(8);
    const writer = keys.writer(this.writerId);
    const audit = draft.audit ? this.audit(draft.audit) : { compare: [], ops: [] };
    const mark = op.put(writer, Buffer.from(opId), this.options.writerLease?.());
    const guard =
      this.writerRevision === 0n ? compare.absent(writer) : compare.modRevision(writer, this.writerRevision);
    const fences = fence ? [fence] : [];
    const settled = await settle(
      this.store,
      {
        compare: [guard, ...fences, ...draft.compare, ...audit.compare],
        success: [mark, ...draft.ops, ...audit.ops],
        failure: [op.get(writer), ...fences.map((f) => op.get(f.key))],
      },
      { key: writer, matches: (kv) => Buffer.from(kv.value).toString() === opId },
      { clock: this.options.clock, ...(this.options.random && { random: this.options.random }) },
    );
    if (settled.kind === 'unknown') {
      throw new CadastreError('UNKNOWN_OUTCOME', 'the register did not say whether the change was made', {
        remedy: 'read what was to be changed before trying again',
        cause: settled.cause,
      });
    }
    if (settled.kind === 'committed') this.writerRevision = settled.revision;
    else await this.onConflict(settled.outcome, fence);
    await this.seen(settled.revision);
    return settled.kind === 'committed' ? settled.revision : undefined;
  }

  private async onConflict(outcome: TxnOutcome | undefined, fence: Compare | undefined): Promise<void> {
    const [writer, fenceKv] = outcome
      ? this.read(outcome)
      : [await this.store.get(keys.writer(this.writerId)), fence && (await this.store.get(fence.key))];
    this.writerRevision = writer?.modRevision ?? 0n;
    if (!fence) return;
    const held = fenceKv !== undefined && fence.target === 'createRevision' && fenceKv.createRevision === fence.value;
    if (!held)
      throw new CadastreError('NOT_ACTIVE', 'another controller has become active', {
        remedy: 'ask the active controller',
        info: { activeAddress: this.mirror.state.controller?.address ?? '' },
      });
  }

  private read(outcome: TxnOutcome): (KeyValue | undefined)[] {
    return outcome.results.map((r) => (r.kind === 'get' ? r.kvs[0] : undefined));
  }

  /** The next change is decided on a state that shows this one. */
  private seen(revision: Revision): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = this.options.clock.after(
        MIRROR_LAG_MS,
        () =>
          reject(
            new CadastreError(
              'UNAVAILABLE',
              `the mirror of the register lags behind by more than ${MIRROR_LAG_MS} ms`,
              { remedy: 'the change before was made; read before trying again' },
            ),
          ),
        { background: true },
      );
      void this.mirror.reached(revision).then(() => {
        late.cancel();
        resolve();
      });
    });
  }

  /** The entry and the head of its chain, in the same transaction as the act (INV-10). */
  private audit(draft: AuditDraft): { compare: Compare[]; ops: Op[] } {
    const head = this.mirror.state.auditHead;
    const number = (head?.value.number ?? 0) + 1;
    const entry = auditCodec.encode({
      number,
      atMs: Math.round(this.options.clock.wallMs()),
      actor: draft.actor,
      verb: draft.verb,
      subject: draft.subject,
      reason: draft.reason ?? '',
      before: draft.before ?? '',
      after: draft.after ?? '',
      generation: draft.generation ?? [],
      previousHash: head?.value.hash ?? '',
    });
    return {
      compare: [head ? compare.modRevision(keys.auditHead, head.revision) : compare.absent(keys.auditHead)],
      ops: [
        op.put(keys.audit(number), entry),
        op.put(keys.auditHead, auditHeadCodec.encode({ number, hash: sha256Hex(entry) })),
      ],
    };
  }
}
