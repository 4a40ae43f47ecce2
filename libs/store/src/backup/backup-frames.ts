import { messageCodec, type Wire } from '@cadastre/contracts';

/** Of the file and of the stream. A newer one is refused by what cannot read it. */
export const BACKUP_FORMAT = 1;

export interface BackupHeader {
  readonly format: number;
  readonly clusterId: string;
  /** Of the register. */
  readonly incarnation: number;
  /** Every entry is as it was at this revision of the store. */
  readonly revision: number;
  readonly storeClusterId: string;
  readonly storeVersion: string;
  readonly takenMs: number;
  readonly actor: string;
}

export interface BackupEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** At which it was written last. */
  readonly revision: number;
}

export interface BackupTrailer {
  readonly entries: number;
  /** Of keys and values. */
  readonly bytes: number;
  /** Hex; see `BackupDigest`. */
  readonly sha256: string;
  readonly counts: readonly { readonly kind: string; readonly entries: number }[];
}

/** A backup is one header, any number of entries in the order of their keys, one trailer. */
export type BackupFrame =
  | { readonly kind: 'header'; readonly header: BackupHeader }
  | { readonly kind: 'entries'; readonly entries: readonly BackupEntry[] }
  | { readonly kind: 'trailer'; readonly trailer: BackupTrailer };

const wire = messageCodec<Wire.BackupFrame, Wire.BackupFrame__Output>('BackupFrame');

export const encodeBackupFrame = (frame: BackupFrame): Wire.BackupFrame => {
  if (frame.kind === 'header') return { header: { ...frame.header } };
  if (frame.kind === 'entries')
    return { entries: { entries: frame.entries.map((e) => ({ ...e, value: Buffer.from(e.value) })) } };
  return { trailer: { ...frame.trailer, counts: frame.trailer.counts.map((c) => ({ ...c })) } };
};

/** Undefined for a frame of a kind that is not known here. */
export const decodeBackupFrame = (frame: Wire.BackupFrame__Output): BackupFrame | undefined => {
  if (frame.header) return { kind: 'header', header: frame.header };
  if (frame.entries) return { kind: 'entries', entries: frame.entries.entries };
  if (frame.trailer) return { kind: 'trailer', trailer: frame.trailer };
  return undefined;
};

export const backupFrameCodec = {
  encode: (frame: BackupFrame): Uint8Array => wire.encode(encodeBackupFrame(frame)),
  decode: (bytes: Uint8Array): BackupFrame | undefined => decodeBackupFrame(wire.decode(bytes)),
};
