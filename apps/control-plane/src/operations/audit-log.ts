import type { ChainHead } from '@cadastre/core';
import { ChainCheck, invalid } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import { sha256Hex } from '@cadastre/runtime';
import type { AuditEntry, RegisterState, Store } from '@cadastre/store';
import { auditCodec, auditHeadCodec, chainEntry, keys } from '@cadastre/store';
import type { AuditQuery } from './ports.js';

/** Entries that are looked at for one page of a filtered list. */
const LOOK_MAX = 20_000;

/** Newest first. Reads from the store: the mirror does not keep what grows for ever. */
export const listAudit = async (
  store: Store,
  state: RegisterState,
  { before, limit, subject, actor }: AuditQuery,
): Promise<Wire.ListAuditReply> => {
  const most = Math.min(Math.max(limit, 1), 1_000);
  const last = state.auditHead?.value.number ?? 0;
  const end = before > 0 ? Math.min(before, last + 1) : last + 1;
  const entries: Wire.AuditRecord[] = [];
  let looked = 0;
  for (let thousand = Math.floor((end - 1) / THOUSAND); thousand >= 0 && end > 1; thousand -= 1) {
    const { kvs } = await store.range(keys.auditThousand(thousand));
    if (kvs.length === 0) break; // older ones have left the register
    for (const kv of [...kvs].reverse()) {
      const entry = auditCodec.decode(kv.value);
      if (entry.number >= end) continue;
      looked += 1;
      if (entry.subject.startsWith(subject) && (actor === '' || entry.actor === actor))
        entries.push(recordView(entry, sha256Hex(kv.value)));
      if (entries.length === most || looked === LOOK_MAX) return { entries, next: entry.number > 1 ? entry.number : 0 };
    }
  }
  return { entries, next: 0 };
};

const THOUSAND = 1_000;

/** Recomputes the whole chain from the stored bytes, a thousand entries at a time, all of one revision. */
export const verifyAudit = async (
  store: Store,
  clusterId: string,
  checkpoints: readonly ChainHead[],
): Promise<Wire.VerifyAuditReply> => {
  checkpoints.forEach(({ hash, number }, i) => {
    if (!/^[0-9a-f]{64}$/.test(hash) || !Number.isSafeInteger(number) || number < 1)
      throw invalid(`checkpoints[${i}]`, 'is no checkpoint', 'give the lines as they were exported');
  });
  const check = new ChainCheck(checkpoints);
  const { kvs, revision } = await store.range(keys.auditEntries, { keysOnly: true });
  const stored = (await store.range(keys.auditHead, { revision })).kvs[0];
  const head = stored && auditHeadCodec.decode(stored.value);
  const thousands = new Set(kvs.map((kv) => kv.key.slice(0, -3)));
  for (const prefix of thousands)
    for (const { key, value } of (await store.range(prefix, { revision })).kvs) check.take(chainEntry(key, value));
  const verdict = check.finish(head);
  return {
    ...verdict,
    faults: verdict.faults.map((f) => ({ ...f })),
    head: { number: head?.number ?? 0, hash: head?.hash ?? '', clusterId },
  };
};

const recordView = (entry: AuditEntry, hash: string): Wire.AuditRecord => ({
  ...entry,
  generation: entry.generation.map((g) => ({ keyspace: g.keyspace, generation: g.generation })),
  hash,
});

export const checkpointOf = (state: RegisterState, atMs: number): Wire.AuditCheckpoint | undefined => {
  const head = state.auditHead?.value;
  return head && { ...head, atMs: Math.round(atMs), clusterId: state.cluster?.value.clusterId ?? '' };
};
