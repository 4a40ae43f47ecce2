import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CadastreError } from '@cadastre/core';

const LOCK_FILE = 'engine.pid';
/** Directories that this process has open. */
const held = new Set<string>();

/**
 * Start time of a process in clock ticks since boot: tells a live owner from a new process with its old pid, as in containers,
 * where the agent is pid 1 in every life. '' where /proc is not there.
 */
const startOf = (pid: number): string => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

const ownerIsAlive = (text: string): boolean => {
  const [pid = '', start = ''] = text.trim().split(' ');
  const number = Number(pid);
  if (!Number.isInteger(number) || number <= 0 || !isAlive(number)) return false;
  const now = startOf(number);
  if (now === '' || start === '') return number !== process.pid;
  return now === start;
};

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
      await writeFile(this.file, `${process.pid} ${startOf(process.pid)}\n`, { flag: 'wx' });
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
    if (ownerIsAlive(owner)) throw taken(this.directory, `process ${owner.split(' ')[0]}`);
    const aside = `${this.file}.${process.pid}`;
    await rename(this.file, aside).catch(() => undefined);
    const moved = await this.read(aside);
    if (moved !== undefined && moved !== owner && ownerIsAlive(moved)) {
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
