import { CadastreError } from '@cadastre/core';
import { Backoff, delay, systemClock, systemRandom } from '@cadastre/runtime';
import type { Clock, Random } from '@cadastre/runtime';
import type { Compare, KeyValue, Op, Revision, Store, Txn, TxnOutcome } from './store.js';

/**
 * Where the transaction leaves its mark: a key it writes, with an op id in the value (or an own lease) that only this attempt
 * can have put there. The mark must outlive the question: once another writer has overwritten it, a commit looks like a conflict.
 */
export interface Proof {
  readonly key: string;
  matches(kv: KeyValue): boolean;
}

export type Settlement =
  | { readonly kind: 'committed'; readonly revision: Revision; readonly outcome?: TxnOutcome }
  | { readonly kind: 'conflict'; readonly revision: Revision; readonly outcome?: TxnOutcome }
  /** The store gave no answer in time, or the transaction may still arrive. */
  | { readonly kind: 'unknown'; readonly cause: Error };

export interface SettleOptions {
  readonly clock?: Clock;
  readonly random?: Random;
  /** For one call, default 5,000. */
  readonly deadlineMs?: number;
  /** For everything, default 30,000. */
  readonly giveUpMs?: number;
}

/**
 * Runs `txn` and finds out what became of it. After UNKNOWN_OUTCOME it reads, in one linearizable transaction, the proof and
 * whether the compares still hold:
 * the proof is there: committed; a compare fails for good: conflict, for a late arrival fails too; neither: it has not arrived
 * yet, so a self-guarded transaction is sent again (both can arrive, only one can hold), any other is waited for.
 * Errors other than UNKNOWN_OUTCOME of the first attempt are thrown.
 */
export async function settle(store: Store, txn: Txn, proof: Proof, options: SettleOptions = {}): Promise<Settlement> {
  const { clock = systemClock, random = systemRandom, giveUpMs = 30_000, deadlineMs = 5_000 } = options;
  const giveUpAt = clock.monotonicMs() + giveUpMs;
  const backoff = new Backoff({ initialMs: 20, maxMs: 1_000 }, random);
  let cause: Error;
  try {
    return toSettlement(await store.txn(txn, { deadlineMs }));
  } catch (error) {
    cause = expectUnknown(error);
  }
  while (clock.monotonicMs() < giveUpAt) {
    const found = await tryAgain(store, txn, proof, deadlineMs);
    if (!(found instanceof Error)) return found;
    cause = found;
    await delay(clock, backoff.nextMs());
  }
  return { kind: 'unknown', cause };
}

async function tryAgain(store: Store, txn: Txn, proof: Proof, deadlineMs: number): Promise<Settlement | Error> {
  try {
    const seen = await readBack(store, txn, proof, deadlineMs);
    if (seen.kind !== 'pending') return seen;
    if (!isSelfGuarded(txn)) return new CadastreError('UNKNOWN_OUTCOME', 'not there yet, it may still arrive');
    const outcome = await store.txn(txn, { deadlineMs });
    if (outcome.kind === 'committed') return toSettlement(outcome);
    const after = await readBack(store, txn, proof, deadlineMs);
    return after.kind === 'pending' ? toSettlement(outcome) : after;
  } catch (error) {
    const known = CadastreError.from(error);
    if (known.code === 'UNKNOWN_OUTCOME' || known.code === 'UNAVAILABLE' || known.code === 'DEADLINE_EXCEEDED')
      return known;
    throw known;
  }
}

async function readBack(
  store: Store,
  txn: Txn,
  proof: Proof,
  deadlineMs: number,
): Promise<Exclude<Settlement, { kind: 'unknown' }> | { kind: 'pending' }> {
  const read: readonly Op[] = [{ kind: 'get', key: proof.key }];
  const seen = await store.txn({ compare: txn.compare, success: read, failure: read }, { deadlineMs });
  const result = seen.results[0];
  const kv = result?.kind === 'get' ? result.kvs[0] : undefined;
  if (kv !== undefined && proof.matches(kv)) return { kind: 'committed', revision: kv.modRevision };
  return seen.kind === 'conflict' ? { kind: 'conflict', revision: seen.revision } : { kind: 'pending' };
}

const toSettlement = (outcome: TxnOutcome): Settlement => ({ kind: outcome.kind, revision: outcome.revision, outcome });

function expectUnknown(error: unknown): CadastreError {
  const known = CadastreError.from(error);
  if (known.code === 'UNKNOWN_OUTCOME') return known;
  throw known;
}

/** True when success makes one of its own compares false: of several arrivals at most one holds. */
export function isSelfGuarded(txn: Txn): boolean {
  return txn.compare.some((item) => txn.success.some((change) => breaks(change, item)));
}

function breaks(change: Op, guard: Compare): boolean {
  // Only revisions never come back; versions, values and leases can, so they do not keep a late second arrival out.
  if (guard.op !== '=' || (guard.target !== 'modRevision' && guard.target !== 'createRevision')) return false;
  if (change.kind === 'get') return false;
  if (change.kind === 'delete')
    return guard.value !== 0n && ('key' in change ? change.key === guard.key : guard.key.startsWith(change.prefix));
  if (change.key !== guard.key) return false;
  return guard.target !== 'createRevision' || guard.value === 0n;
}
