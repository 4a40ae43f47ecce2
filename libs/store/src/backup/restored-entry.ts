import { isFinal, PLAN_TRANSITIONS } from '@cadastre/core';
import { keys, parseKey, ROOT } from '../keys.js';
import type { PlanHead } from '../register/records.js';
import { planHeadCodec } from '../register/records.js';
import type { BackupEntry } from './backup-frames.js';

/** Soft state of the cluster that was: who was connected, who led, who was signed in, what automation had stopped for. */
const LEFT_OUT = [
  keys.sessions,
  `${ROOT}departures/`,
  `${ROOT}owed/`,
  `${keys.controllers}/`,
  `${ROOT}writers/`,
  keys.accessSessions,
] as const;

/** Written last, by the restore itself. */
const WRITTEN_LAST: readonly string[] = [keys.cluster, keys.auditHead, keys.recovery, keys.restoring, keys.freeze];

/** What becomes of an entry of a backup in the new register; undefined when nothing does. */
export const restoredEntry = (entry: BackupEntry, nowMs: number): BackupEntry | undefined => {
  const { key } = entry;
  if (WRITTEN_LAST.includes(key) || LEFT_OUT.some((prefix) => key.startsWith(prefix))) return undefined;
  if (parseKey(key).kind !== 'plan-head') return entry;
  const head = planHeadCodec.decode(entry.value);
  const ended = endedPlan(head, nowMs);
  return ended === head ? entry : { ...entry, value: planHeadCodec.encode(ended) };
};

/** A plan runs at most once (INV-7): what was to run, or ran, when the copy was taken may have run since. */
export const endedPlan = (head: PlanHead, nowMs: number): PlanHead => {
  if (isFinal(head.state)) return head;
  const { supersede, fail, finishCancel } = PLAN_TRANSITIONS[head.state];
  const note = 'the register was restored from a copy: propose anew';
  return {
    ...head,
    state: supersede ?? fail ?? finishCancel ?? 'failed',
    note: head.note === '' ? note : `${head.note} ${note}`,
    endedMs: Math.round(nowMs),
    events: [...head.events, { atMs: Math.round(nowMs), actor: 'cadastre', what: 'ended by a restore' }],
  };
};
