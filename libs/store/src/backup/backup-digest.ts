import { Sha256 } from '@cadastre/runtime';
import { parseKey } from '../keys.js';
import type { BackupEntry, BackupHeader, BackupTrailer } from './backup-frames.js';

/**
 * SHA-256 over what a backup says, whichever way it was cut into frames: the header's fields joined by line feeds, then of each entry
 * u32 BE key length, key, u32 BE value length, value, f64 BE revision.
 */
export class BackupDigest {
  private readonly hash = new Sha256();
  private readonly counts = new Map<string, number>();
  private entries = 0;
  private bytes = 0;

  constructor(header: BackupHeader) {
    const { format, clusterId, incarnation, revision, storeClusterId, storeVersion, takenMs, actor } = header;
    this.hash.update(
      [format, clusterId, incarnation, revision, storeClusterId, storeVersion, takenMs, actor].join('\n'),
    );
  }

  add({ key, value, revision }: BackupEntry): void {
    const name = Buffer.from(key);
    const frame = Buffer.alloc(16);
    frame.writeUInt32BE(name.length, 0);
    frame.writeUInt32BE(value.length, 4);
    frame.writeDoubleBE(revision, 8);
    this.hash.update(frame.subarray(0, 4)).update(name);
    this.hash.update(frame.subarray(4, 8)).update(value).update(frame.subarray(8));
    this.entries += 1;
    this.bytes += name.length + value.length;
    const kind = kindOf(key);
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  /** Once, at the end. */
  trailer(): BackupTrailer {
    const counts = [...this.counts].sort().map(([kind, entries]) => ({ kind, entries }));
    return { entries: this.entries, bytes: this.bytes, sha256: this.hash.hex(), counts };
  }
}

const kindOf = (key: string): string => {
  const { kind } = parseKey(key);
  if (kind !== 'other') return kind;
  if (/\/audit\/\d+$/.test(key)) return 'audit-entry';
  return key.includes('/access/users/') ? 'user' : 'other';
};
