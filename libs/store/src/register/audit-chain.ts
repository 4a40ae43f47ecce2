import type { ChainEntry } from '@cadastre/core';
import { sha256Hex } from '@cadastre/runtime';
import { auditCodec } from './records.js';

/** A stored entry as the check of the chain takes it. */
export const chainEntry = (key: string, value: Uint8Array): ChainEntry => {
  const at = Number(key.slice(key.lastIndexOf('/') + 1));
  const hash = sha256Hex(value);
  try {
    const { number, previousHash, actor, verb, subject, before } = auditCodec.decode(value);
    const pruned =
      actor === 'cadastre' && verb === 'prune' && subject === 'audit' ? /^\d+ to (\d+)$/.exec(before) : null;
    return { at, record: { number, previousHash }, hash, prunedTo: Number(pruned?.[1] ?? 0) };
  } catch {
    return { at, record: undefined, hash, prunedTo: 0 };
  }
};
