import { open, readFile, rename, rm } from 'node:fs/promises';
import type { KeyspaceMap } from '@cadastre/core';
import { decodeColumns, encodeColumns } from '@cadastre/contracts';
import type { Cancellable, Clock, Logger } from '@cadastre/runtime';
import { sha256Hex } from '@cadastre/runtime';

/** What a file of last-known-good maps holds. Layout: `cadastre-map 1 <sha256 of the rest>\n`, then length-prefixed parts. */
export interface CachedMaps {
  /** Empty when no control plane had told it yet. */
  readonly clusterId: string;
  readonly maps: readonly KeyspaceMap[];
}

const MAGIC = 'cadastre-map 1 ';
const HEADER_BYTES = MAGIC.length + 64 + 1;

const framed = (part: Uint8Array): Buffer[] => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(part.length);
  return [length, Buffer.from(part.buffer, part.byteOffset, part.byteLength)];
};

export const encodeCache = ({ clusterId, maps }: CachedMaps): Buffer => {
  const parts = [Buffer.from(JSON.stringify({ clusterId })), ...maps.map(encodeColumns)];
  const body = Buffer.concat(parts.flatMap(framed));
  return Buffer.concat([Buffer.from(`${MAGIC}${sha256Hex(body)}\n`), body]);
};

/** @throws Error saying what is wrong with the bytes */
export const decodeCache = (bytes: Buffer): CachedMaps => {
  const header = bytes.subarray(0, HEADER_BYTES).toString('latin1');
  if (!header.startsWith(MAGIC)) throw new Error('it is no map cache of this version');
  const body = bytes.subarray(HEADER_BYTES);
  if (sha256Hex(body) !== header.slice(MAGIC.length, -1)) throw new Error('its checksum does not match');
  const [first, ...columns] = unframed(body);
  const { clusterId } = JSON.parse(first!.toString()) as { clusterId: string };
  return { clusterId, maps: columns.map(decodeColumns) };
};

const unframed = (body: Buffer): Buffer[] => {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length;) {
    const end = at + 4 + body.readUInt32LE(at);
    parts.push(body.subarray(at + 4, end));
    at = end;
  }
  return parts;
};

/** A file that is missing is nothing to speak of; one that is damaged is ignored with a warning. */
export const readCache = async (file: string, logger: Logger): Promise<CachedMaps | undefined> => {
  try {
    return decodeCache(await readFile(file));
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (!missing) logger.warn(`map cache ${file} is ignored: ${(error as Error).message}`);
    return undefined;
  }
};

/** Written whole under another name, then renamed: a reader finds the old file or the new one. */
export const writeCache = async (file: string, cached: CachedMaps): Promise<void> => {
  const part = `${file}.${process.pid}.part`;
  try {
    const handle = await open(part, 'w');
    try {
      await handle.writeFile(encodeCache(cached));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
};

/** Writes at most once a second, and only after a change. */
export class CacheWriter {
  private timer: Cancellable | undefined;
  private writing: Promise<void> = Promise.resolve();
  private failed = false;

  constructor(
    private readonly file: string,
    private readonly snapshot: () => CachedMaps,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  changed(): void {
    this.timer ??= this.clock.after(1_000, () => void this.flush(), { background: true });
  }

  /** Resolves when what was to be written has been written; a failure is logged, for the client works without the file. */
  flush(): Promise<void> {
    if (this.timer) {
      this.timer.cancel();
      this.timer = undefined;
      this.writing = this.writing.then(() => this.write());
    }
    return this.writing;
  }

  private async write(): Promise<void> {
    try {
      await writeCache(this.file, this.snapshot());
      this.failed = false;
    } catch (error) {
      if (!this.failed) this.logger.warn(`map cache ${this.file} cannot be written: ${(error as Error).message}`);
      this.failed = true;
    }
  }
}
