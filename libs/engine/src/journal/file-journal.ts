import { constants } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { toCadastreError } from '../lmdb/lmdb-errors.js';
import type { JournalDevice } from './journal-device.js';

const NAME = /^(\d{10})\.journal$/;
const nameOf = (segment: number): string => `${String(segment).padStart(10, '0')}.journal`;
/** Released segments that are kept to be written again. */
const SPARES = 6;

/**
 * Segments as files, filled with zeros when they are made and then overwritten through O_DSYNC: a write is then one transfer to the
 * disk, without a change of the file system's own records and so without waiting for what others write to it.
 */
export class FileJournal implements JournalDevice {
  private handle: FileHandle | undefined;
  private written = 0;
  private spares: number[] = [];

  constructor(private readonly folder: string) {}

  async open(): Promise<void> {
    await this.guarded(() => mkdir(this.folder, { recursive: true }));
  }

  async close(): Promise<void> {
    const { handle } = this;
    this.handle = undefined;
    this.written = 0;
    this.spares = [];
    await handle?.close();
  }

  async list(): Promise<number[]> {
    const names = await this.guarded(() => readdir(this.folder));
    return names.flatMap((name) => Number(NAME.exec(name)?.[1] ?? []) || []).sort((a, b) => a - b);
  }

  read(segment: number): Promise<Buffer> {
    return this.guarded(() => readFile(this.pathOf(segment)));
  }

  make(segment: number, bytes: number): Promise<void> {
    return this.guarded(async () => {
      const size = await this.sizeOf(segment);
      if (size >= bytes) return;
      const spare = size < 0 ? await this.takeSpare(bytes) : undefined;
      if (spare !== undefined) await rename(this.pathOf(spare), this.pathOf(segment));
      else await this.fill(segment, bytes);
      await this.syncFolder();
    });
  }

  write(segment: number, offset: number, bytes: Uint8Array): Promise<void> {
    return this.guarded(async () => {
      const handle = await this.handleOf(segment);
      for (let at = 0; at < bytes.length;)
        at += (await handle.write(bytes, at, bytes.length - at, offset + at)).bytesWritten;
    });
  }

  release(before: number): Promise<void> {
    return this.guarded(async () => {
      const old = (await this.list()).filter((segment) => segment < before);
      this.spares = old.slice(-SPARES);
      for (const segment of old.slice(0, -SPARES)) await rm(this.pathOf(segment), { force: true });
    });
  }

  private pathOf(segment: number): string {
    return join(this.folder, nameOf(segment));
  }

  /** -1 = there is none. */
  private async sizeOf(segment: number): Promise<number> {
    const found = await stat(this.pathOf(segment)).catch(() => undefined);
    return found?.size ?? -1;
  }

  private async takeSpare(bytes: number): Promise<number | undefined> {
    for (const segment of this.spares) {
      if ((await this.sizeOf(segment)) < bytes) continue;
      this.spares = this.spares.filter((other) => other !== segment);
      return segment;
    }
    return undefined;
  }

  private async fill(segment: number, bytes: number): Promise<void> {
    const file = await open(this.pathOf(segment), 'w');
    try {
      await file.writeFile(Buffer.alloc(bytes));
      await file.sync();
    } finally {
      await file.close();
    }
  }

  private async syncFolder(): Promise<void> {
    const folder = await open(this.folder, 'r');
    await folder.sync().finally(() => folder.close());
  }

  private async handleOf(segment: number): Promise<FileHandle> {
    if (this.handle && this.written === segment) return this.handle;
    await this.handle?.close();
    this.handle = await open(this.pathOf(segment), constants.O_WRONLY | constants.O_DSYNC);
    this.written = segment;
    return this.handle;
  }

  private async guarded<T>(task: () => Promise<T>): Promise<T> {
    try {
      return await task();
    } catch (error) {
      throw await toCadastreError(error, this.folder);
    }
  }
}
