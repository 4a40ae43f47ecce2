import { CadastreError, invalid } from '@cadastre/core';
import { sha256Hex } from '@cadastre/runtime';
import { keys, ROOT } from '../keys.js';
import { compare, op } from '../ops.js';
import type { AuditHead, ClusterRecord, RecoveryRecord } from '../register/records.js';
import { auditCodec, auditHeadCodec, clusterCodec, planHeadCodec, recoveryCodec } from '../register/records.js';
import { parseKey } from '../keys.js';
import type { KeyValue, Op, Store, Txn } from '../store.js';
import type { BackupFrame } from './backup-frames.js';
import type { BackupReport } from './check-backup.js';
import { BackupCheck } from './check-backup.js';
import { endedPlan, restoredEntry } from './restored-entry.js';

export interface RestoreOptions {
  readonly actor: string;
  readonly reason: string;
  /** Wall clock, ms since 1970. */
  readonly nowMs: number;
  /** Of the register from now on: above all that it ever had, and that any agent has heard of. */
  readonly incarnation: number;
  /** Names this restore, so that another one at the same time is noticed. */
  readonly mark: string;
  readonly onProgress?: (entries: number) => void;
}

const OPS_A_TXN = 100;
const BYTES_A_TXN = 1024 * 1024;
const TRIES = 5;

/**
 * Writes a backup into a store without a register. Until the last transaction a mark says that nothing in it may be believed; that one
 * transaction names the cluster with its new incarnation, says that it waits for recovery, and goes on with the audit log.
 * @param report of the same backup, checked to its end before anything is written
 * @throws CadastreError FAILED_PRECONDITION (field `etcd`) when there is something, DATA_LOSS, INVALID_ARGUMENT (field `incarnation`)
 */
export const restoreBackup = async (
  store: Store,
  frames: AsyncIterable<BackupFrame>,
  report: BackupReport,
  options: RestoreOptions,
): Promise<ClusterRecord> => {
  requireHigher(options.incarnation, report.header.incarnation);
  const writer = new MarkedWriter(store, options);
  await writer.begin();
  const check = new BackupCheck();
  let cluster: ClusterRecord | undefined;
  for await (const frame of frames) {
    check.take(frame);
    if (frame.kind !== 'entries') continue;
    for (const entry of frame.entries) {
      if (entry.key === keys.cluster) cluster = clusterCodec.decode(entry.value);
      const kept = restoredEntry(entry, options.nowMs);
      if (kept) await writer.put(kept.key, kept.value);
    }
  }
  const read = check.finish();
  if (!cluster || read.trailer.sha256 !== report.trailer.sha256)
    throw new CadastreError('DATA_LOSS', 'the backup changed while it was restored', {
      field: 'file',
      remedy: 'empty this etcd and restore again',
    });
  const { header, trailer } = report;
  const raised = { ...cluster, incarnation: options.incarnation };
  const from = { sha256: trailer.sha256, takenMs: header.takenMs, revision: header.revision };
  const before = `incarnation ${header.incarnation}, revision ${header.revision} of etcd ${header.storeClusterId}`;
  await writer.end(endOps(raised, { ...from, fromIncarnation: header.incarnation }, report.auditHead, before, options));
  return raised;
};

/**
 * For an etcd that was itself restored, by `etcdctl snapshot restore` or by hand: its register looks as if it were the newest, and is not.
 * @throws CadastreError NOT_FOUND without a register, FAILED_PRECONDITION while control planes run on it, INVALID_ARGUMENT
 */
export const raiseIncarnation = async (store: Store, options: RestoreOptions): Promise<ClusterRecord> => {
  await refuseRunning(store);
  const kv = await store.get(keys.cluster);
  if (!kv)
    throw new CadastreError('NOT_FOUND', 'there is no register in this etcd', {
      field: 'etcd',
      remedy: 'check the endpoints; to bring a backup in: cadastre restore FILE',
    });
  const cluster = clusterCodec.decode(kv.value);
  requireHigher(options.incarnation, cluster.incarnation);
  const plans = await endPlans(store, options.nowMs);
  const head = await store.get(keys.auditHead);
  const raised = { ...cluster, incarnation: options.incarnation };
  const from = { sha256: '', takenMs: 0, revision: Number(kv.modRevision), fromIncarnation: cluster.incarnation };
  const before = `incarnation ${cluster.incarnation}, etcd restored by other means, ${plans} plans ended`;
  const auditHead = head && auditHeadCodec.decode(head.value);
  const outcome = await store.txn({
    compare: [compare.modRevision(keys.cluster, kv.modRevision), unchanged(keys.auditHead, head)],
    success: endOps(raised, from, auditHead, before, options),
  });
  if (outcome.kind === 'committed') return raised;
  throw new CadastreError('FAILED_PRECONDITION', 'the register changed while its incarnation was raised', {
    field: 'etcd',
    remedy: 'stop every control plane, then try again',
  });
};

const unchanged = (key: string, kv: KeyValue | undefined) =>
  kv ? compare.modRevision(key, kv.modRevision) : compare.absent(key);

const refuseRunning = async (store: Store): Promise<void> => {
  const { kvs } = await store.range(`${keys.controllers}/`, { keysOnly: true });
  if (kvs.length === 0) return;
  throw new CadastreError('FAILED_PRECONDITION', 'control planes run on this etcd, or did until a moment ago', {
    field: 'etcd',
    remedy:
      'stop every control plane; their leases end within a minute after that, or after the start of the restored etcd',
  });
};

const endPlans = async (store: Store, nowMs: number): Promise<number> => {
  let ended = 0;
  for (const { key, value, modRevision } of (await store.range(keys.plans)).kvs) {
    if (parseKey(key).kind !== 'plan-head') continue;
    const head = planHeadCodec.decode(value);
    const next = endedPlan(head, nowMs);
    if (next === head) continue;
    const success = [op.put(key, planHeadCodec.encode(next))];
    await store.txn({ compare: [compare.modRevision(key, modRevision)], success });
    ended += 1;
  }
  return ended;
};

const requireHigher = (incarnation: number, before: number): void => {
  if (Number.isSafeInteger(incarnation) && incarnation > before) return;
  throw invalid(
    'incarnation',
    `${incarnation} is not above ${before}`,
    'leave it out, or give a higher one: readers refuse a register that seems older than what they know',
    `at least ${before + 1}`,
  );
};

const endOps = (
  cluster: ClusterRecord,
  from: Pick<RecoveryRecord, 'sha256' | 'takenMs' | 'revision' | 'fromIncarnation'>,
  auditHead: AuditHead | undefined,
  before: string,
  { actor, reason, nowMs }: RestoreOptions,
): Op[] => {
  const atMs = Math.round(nowMs);
  const number = (auditHead?.number ?? 0) + 1;
  const entry = auditCodec.encode({
    number,
    atMs,
    actor,
    verb: 'restore',
    subject: 'register',
    reason,
    before,
    after: `incarnation ${cluster.incarnation}${from.sha256 === '' ? '' : `, backup ${from.sha256}`}`,
    generation: [],
    previousHash: auditHead?.hash ?? '',
  });
  const recovery = { ...from, state: 'waiting' as const, sinceMs: atMs, actor, reason };
  return [
    op.put(keys.cluster, clusterCodec.encode(cluster)),
    op.put(keys.recovery, recoveryCodec.encode({ ...recovery, approvedBy: '', approvedMs: 0, found: [] })),
    op.put(keys.audit(number), entry),
    op.put(keys.auditHead, auditHeadCodec.encode({ number, hash: sha256Hex(entry) })),
  ];
};

/** Puts in few transactions, each only while the mark of this restore stands: one that arrives late or twice does no harm. */
class MarkedWriter {
  private ops: Op[] = [];
  private bytes = 0;
  private written = 0;
  private readonly mark: Buffer;

  constructor(
    private readonly store: Store,
    private readonly options: RestoreOptions,
  ) {
    this.mark = Buffer.from(options.mark);
  }

  async begin(): Promise<void> {
    const { kvs } = await this.store.range(ROOT, { limit: 1, keysOnly: true });
    if (kvs.length > 0) throw notEmpty(kvs[0]!.key);
    await this.send({ compare: [compare.absent(keys.restoring)], success: [op.put(keys.restoring, this.mark)] });
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    this.ops.push(op.put(key, value));
    this.bytes += value.length;
    if (this.ops.length >= OPS_A_TXN || this.bytes >= BYTES_A_TXN) await this.flush();
  }

  async end(last: readonly Op[]): Promise<void> {
    await this.flush();
    const { compare: mark, success } = this.marked([op.delete(keys.restoring), ...last]);
    await this.send({ compare: [...mark, compare.absent(keys.cluster)], success });
  }

  private async flush(): Promise<void> {
    if (this.ops.length === 0) return;
    await this.send(this.marked(this.ops));
    this.written += this.ops.length;
    this.ops = [];
    this.bytes = 0;
    this.options.onProgress?.(this.written);
  }

  private marked(success: readonly Op[]): Txn {
    return { compare: [compare.value(keys.restoring, this.mark)], success };
  }

  private async send(txn: Txn): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        const { kind } = await this.store.txn(txn);
        if (kind === 'committed' || (tries > 1 && (await this.isDone(txn)))) return;
        throw notEmpty(keys.restoring);
      } catch (error) {
        const { code } = CadastreError.from(error);
        if (tries === TRIES || (code !== 'UNKNOWN_OUTCOME' && code !== 'UNAVAILABLE')) throw error;
      }
    }
  }

  /** An answer was lost, and the transaction itself is what makes its compare false. */
  private async isDone({ success }: Txn): Promise<boolean> {
    const begins = success.some((o) => o.kind === 'put' && o.key === keys.restoring);
    const kv = await this.store.get(begins ? keys.restoring : keys.recovery);
    return kv !== undefined && (!begins || Buffer.compare(kv.value, this.mark) === 0);
  }
}

const notEmpty = (key: string): CadastreError =>
  new CadastreError('FAILED_PRECONDITION', `this etcd is not empty: it has ${key}`, {
    field: 'etcd',
    remedy:
      key === keys.restoring
        ? 'a restore into it has not ended: start a new, empty etcd and restore into that'
        : 'restore into a new, empty etcd: a register is never overwritten',
  });
