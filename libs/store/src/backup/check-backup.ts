import type { ChainVerdict } from '@cadastre/core';
import { CadastreError, ChainCheck, createPartitioner } from '@cadastre/core';
import { keys, parseKey, ROOT } from '../keys.js';
import { userCodec } from '../register/access-records.js';
import { chainEntry } from '../register/audit-chain.js';
import type { AuditHead, KeyspaceRecord, RecordCodec } from '../register/records.js';
import * as records from '../register/records.js';
import { BackupDigest } from './backup-digest.js';
import type { BackupEntry, BackupFrame, BackupHeader, BackupTrailer } from './backup-frames.js';
import { BACKUP_FORMAT } from './backup-frames.js';

export interface BackupReport {
  readonly header: BackupHeader;
  readonly trailer: BackupTrailer;
  readonly audit: ChainVerdict;
  readonly auditHead: AuditHead | undefined;
}

/**
 * Reads a backup once, in order, and refuses what is not whole: a newer format, entries out of order or newer than the copy, records that
 * cannot be read, maps with segments missing, another digest. A broken audit chain is reported, not refused: it was so in the register.
 * @throws CadastreError DATA_LOSS, FAILED_PRECONDITION (field `format`) from `take` and `finish`
 */
export class BackupCheck {
  private header: BackupHeader | undefined;
  private digest: BackupDigest | undefined;
  private report: BackupReport | undefined;
  private lastKey = Buffer.alloc(0);
  private readonly chain = new ChainCheck([]);
  private auditHead: AuditHead | undefined;
  private readonly keyspaces: KeyspaceRecord[] = [];
  private readonly segments = new Map<string, number>();
  private readonly heads = new Set<string>();

  take(frame: BackupFrame): void {
    if (this.report) throw damaged('it goes on after its end');
    if (frame.kind === 'header') this.begin(frame.header);
    else if (!this.header || !this.digest) throw damaged('it does not begin with a header');
    else if (frame.kind === 'entries') for (const entry of frame.entries) this.entry(entry, this.header, this.digest);
    else this.end(frame.trailer, this.header, this.digest);
  }

  finish(): BackupReport {
    if (this.report) return this.report;
    throw damaged('it ends too early');
  }

  private begin(header: BackupHeader): void {
    if (this.header) throw damaged('it has two headers');
    refuseNewer(header.format);
    this.header = header;
    this.digest = new BackupDigest(header);
  }

  private entry(entry: BackupEntry, header: BackupHeader, digest: BackupDigest): void {
    const name = Buffer.from(entry.key);
    if (!entry.key.startsWith(ROOT)) throw damaged(`${entry.key} is no key of a register`);
    if (Buffer.compare(this.lastKey, name) >= 0) throw damaged(`${entry.key} is out of order`);
    if (entry.revision > header.revision)
      throw damaged(`${entry.key} is of revision ${entry.revision}, the copy of ${header.revision}`);
    this.lastKey = name;
    digest.add(entry);
    this.look(entry);
  }

  private look({ key, value }: BackupEntry): void {
    const parsed = parseKey(key);
    if (key.startsWith(keys.auditEntries)) return this.chain.take(chainEntry(key, value));
    if (key.startsWith(keys.accessUsers)) return void readable(key, value, userCodec);
    switch (parsed.kind) {
      case 'keyspace':
        this.keyspaces.push(readable(key, value, records.keyspaceCodec));
        break;
      case 'map-head':
        this.heads.add(parsed.id);
        readable(key, value, records.headCodec);
        break;
      case 'map-segment':
        this.segments.set(parsed.id, (this.segments.get(parsed.id) ?? 0) + readable(key, value, SEGMENT).length);
        break;
      case 'audit-head':
        this.auditHead = readable(key, value, records.auditHeadCodec);
        break;
      default: {
        const codec = CODECS[parsed.kind];
        if (codec) readable(key, value, codec);
      }
    }
  }

  private end(trailer: BackupTrailer, header: BackupHeader, digest: BackupDigest): void {
    const found = digest.trailer();
    if (found.sha256 !== trailer.sha256)
      throw damaged(`its SHA-256 is ${found.sha256}, it says ${trailer.sha256}: bytes were changed or lost`);
    if (found.entries !== trailer.entries || found.bytes !== trailer.bytes)
      throw damaged(`it has ${found.entries} entries, it says ${trailer.entries}`);
    for (const keyspace of this.keyspaces) this.checkWhole(keyspace);
    this.report = { header, trailer, audit: this.chain.finish(this.auditHead), auditHead: this.auditHead };
  }

  /** Counted two ways: what the scheme makes, what the segments hold. */
  private checkWhole({ id, spec, partitions }: KeyspaceRecord): void {
    const made = createPartitioner(spec.scheme).partitions;
    const held = this.segments.get(id) ?? 0;
    if (!this.heads.has(id) || held !== partitions || made !== partitions)
      throw damaged(
        `${spec.name} has ${held} partitions in its map, ${partitions} by its record, ${made} by its scheme`,
      );
  }
}

const SEGMENT = records.segmentCodec;

const CODECS: Readonly<Partial<Record<ReturnType<typeof parseKey>['kind'], RecordCodec<unknown>>>> = {
  cluster: records.clusterCodec,
  node: records.nodeCodec,
  'plan-head': records.planHeadCodec,
  move: records.moveCodec,
  settings: records.settingsCodec,
  freeze: records.freezeCodec,
  'frozen-by-hand': records.manualFreezeCodec,
  'approval-policy': records.approvalPolicyCodec,
  owed: records.owedCodec,
  floor: records.headCodec,
};

const readable = <T>(key: string, value: Uint8Array, codec: RecordCodec<T>): T => {
  try {
    return codec.decode(value);
  } catch (error) {
    throw damaged(`${key} cannot be read: ${String(error)}`);
  }
};

export const refuseNewer = (format: number): void => {
  if (format <= BACKUP_FORMAT) return;
  throw new CadastreError('FAILED_PRECONDITION', `this backup is of format ${format}, known is ${BACKUP_FORMAT}`, {
    field: 'format',
    limit: `format ${BACKUP_FORMAT}`,
    remedy: 'use the release of Cadastre that made it, or a newer one',
  });
};

export const damaged = (why: string): CadastreError =>
  new CadastreError('DATA_LOSS', `this is not a whole backup: ${why}`, {
    field: 'file',
    remedy: 'use another copy; nothing was changed',
  });
