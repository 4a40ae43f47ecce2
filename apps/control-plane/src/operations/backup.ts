import { LIMITS, printable } from '@cadastre/core';
import type { Wire } from '@cadastre/contracts';
import type { Register, Store } from '@cadastre/store';
import { encodeBackupFrame, takeBackup } from '@cadastre/store';
import type { Act } from './ports.js';

export interface BackupOptions {
  readonly store: Store;
  readonly register: Register;
  readonly wallMs: number;
}

/**
 * The copy, once the audit log says who took it: it holds all that the register knows. Where nothing can be written any more (a full
 * etcd) the copy is refused with the reason; etcdctl snapshot save works then.
 */
export async function* backup(
  { store, register, wallMs }: BackupOptions,
  { actor, reason = '' }: Act,
): AsyncGenerator<Wire.BackupFrame> {
  await register.commit((state) => ({
    compare: [],
    ops: [],
    auditOnly: true,
    result: undefined,
    audit: {
      actor,
      verb: 'backup',
      subject: 'register',
      reason: printable(reason, LIMITS.reasonCharsMax),
      after: `revision ${state.revision} or later`,
    },
  }));
  for await (const frame of takeBackup(store, { actor, nowMs: wallMs })) yield encodeBackupFrame(frame);
}
