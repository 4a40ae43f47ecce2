import { CadastreError } from '@cadastre/core';
import { keys, ROOT } from '../keys.js';
import { clusterCodec } from '../register/records.js';
import { isCompacted } from '../store-errors.js';
import type { KeyValue, RangeOptions, Store } from '../store.js';
import { NO_LEASE } from '../store.js';
import { BackupDigest } from './backup-digest.js';
import type { BackupEntry, BackupFrame, BackupHeader } from './backup-frames.js';
import { BACKUP_FORMAT } from './backup-frames.js';

export interface TakeBackupOptions {
  readonly actor: string;
  /** Wall clock, ms since 1970. */
  readonly nowMs: number;
}

/** A page is held in memory: a map segment has about 4 KiB, a part of a plan at most half a MiB. */
const PAGE_KEYS = 64;
const FRAME_BYTES = 512 * 1024;

/**
 * All that lasts of the register, as it was at one revision of the store, page by page: what lies under a lease (sessions, elections,
 * sign-ins, marks of writers) is not part of it.
 * @throws CadastreError NOT_FOUND when there is no register, DATA_LOSS for a page of another revision, FAILED_PRECONDITION when the store
 *   forgot the revision meanwhile
 */
export async function* takeBackup(store: Store, { actor, nowMs }: TakeBackupOptions): AsyncGenerator<BackupFrame> {
  const { version, clusterId: storeClusterId } = await store.status();
  const { kvs, revision } = await store.range(keys.cluster, { limit: 1 });
  const [cluster] = kvs;
  if (!cluster)
    throw new CadastreError('NOT_FOUND', 'there is no register in this store', {
      remedy: 'check the endpoints, and that a control plane has ever run on them',
    });
  const { clusterId, incarnation } = clusterCodec.decode(cluster.value);
  const header: BackupHeader = {
    format: BACKUP_FORMAT,
    clusterId,
    incarnation,
    revision: Number(revision),
    storeClusterId,
    storeVersion: version,
    takenMs: Math.round(nowMs),
    actor,
  };
  const digest = new BackupDigest(header);
  yield { kind: 'header', header };
  for await (const entry of framesOf(pagesOf(store, { revision, limit: PAGE_KEYS }))) {
    for (const each of entry) digest.add(each);
    yield { kind: 'entries', entries: entry };
  }
  yield { kind: 'trailer', trailer: digest.trailer() };
}

async function* pagesOf(
  store: Store,
  options: RangeOptions & { readonly revision: bigint; readonly limit: number },
): AsyncGenerator<readonly KeyValue[]> {
  let after: string | undefined;
  for (;;) {
    const page = await store.range(ROOT, { ...options, ...(after !== undefined && { after }) }).catch((error) => {
      throw isCompacted(error) ? forgotten(error) : error;
    });
    for (const kv of page.kvs) if (kv.modRevision > options.revision) throw mixed(kv, options.revision);
    yield page.kvs;
    if (page.kvs.length < options.limit) return;
    after = page.kvs.at(-1)!.key;
  }
}

async function* framesOf(pages: AsyncIterable<readonly KeyValue[]>): AsyncGenerator<BackupEntry[]> {
  let frame: BackupEntry[] = [];
  let bytes = 0;
  for await (const page of pages) {
    for (const { key, value, modRevision, leaseId } of page) {
      if (leaseId !== NO_LEASE) continue;
      frame.push({ key, value, revision: Number(modRevision) });
      bytes += value.length;
      if (bytes < FRAME_BYTES) continue;
      yield frame;
      frame = [];
      bytes = 0;
    }
  }
  if (frame.length > 0) yield frame;
}

const mixed = ({ key, modRevision }: KeyValue, revision: bigint): CadastreError =>
  new CadastreError('DATA_LOSS', `${key} is of revision ${modRevision}, the copy of ${revision}`, {
    remedy: 'take the backup again; if it happens again, etcd answers for the wrong revision: see its version',
  });

const forgotten = (cause: unknown): CadastreError =>
  new CadastreError('FAILED_PRECONDITION', 'etcd forgot the revision while it was copied', {
    remedy: 'take the backup again; keep more history in etcd if it happens again (--auto-compaction-retention)',
    cause,
  });
