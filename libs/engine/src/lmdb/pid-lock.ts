import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CadastreError } from '@cadastre/core';
import { isMarkAlive, processMark } from '@cadastre/runtime';

const LOCK_FILE = 'engine.pid';
/** Directories that this process has open. */
const held = new Set<string>();

const taken = (directory: string, owner: string): CadastreError =>
  new CadastreError('FAILED_PRECONDITION', `${directory} is in use by ${owner}`, {
    field: 'directory',
    remedy: 'stop the other agent or give this one a directory of its own',
  });

/**
 * One engine per directory: a file with the owner's pid and start time. It guards processes that see each other's pids; a volume
 * shared between machines has to be guarded by its mount mode.
 */
export class PidLock {
  private readonly file: string;
  private readonly directory: string;

  constructor(directory: string) {
    this.directory = resolve(directory);
    this.file = join(this.directory, LOCK_FILE);
  }

  /** @throws CadastreError FAILED_PRECONDITION, field `directory` */
  async acquire(): Promise<void> {
    if (held.has(this.directory)) throw taken(this.directory, 'another engine of this process');
    held.add(this.directory);
    try {
      await mkdir(this.directory, { recursive: true });
      while (!(await this.create())) await this.removeStale();
    } catch (error) {
      held.delete(this.directory);
      throw error;
    }
  }

  async release(): Promise<void> {
    await rm(this.file, { force: true });
    held.delete(this.directory);
  }

  private async create(): Promise<boolean> {
    try {
      await writeFile(this.file, `${processMark()}\n`, { flag: 'wx' });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  }

  /** Renames before it removes, so that of two that find the same stale file only one gets it and a fresh one is put back. */
  private async removeStale(): Promise<void> {
    const owner = await this.read(this.file);
    if (owner === undefined) return;
    if (isMarkAlive(owner)) throw taken(this.directory, `process ${owner.split(' ')[0]}`);
    const aside = `${this.file}.${process.pid}`;
    await rename(this.file, aside).catch(() => undefined);
    const moved = await this.read(aside);
    if (moved !== undefined && moved !== owner && isMarkAlive(moved)) {
      await rename(aside, this.file);
      throw taken(this.directory, `process ${moved.split(' ')[0]}`);
    }
    await rm(aside, { force: true });
  }

  private async read(file: string): Promise<string | undefined> {
    try {
      return await readFile(file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }
}
