import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CadastreError } from '@cadastre/core';

/** When a process began, in ticks since boot: with its id, that names it for good. Empty where the system does not tell. */
const startOf = (pid: number): string => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
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

/** Two supervisors on the same data would fight over it. A lock whose owner is gone is taken over. @returns a function that frees it */
export const lockFolder = (folder: string): (() => void) => {
  const path = join(folder, 'up.lock');
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      const file = openSync(path, 'wx');
      writeSync(file, `${process.pid} ${startOf(process.pid)}\n`);
      closeSync(file);
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      refuseIfOwned(path, folder);
      rmSync(path, { force: true });
    }
  }
  throw inUse(folder, 'another process');
};

const refuseIfOwned = (path: string, folder: string): void => {
  const [pid = '', start = ''] = readFileSync(path, 'utf8').trim().split(' ');
  const owner = Number(pid);
  if (Number.isInteger(owner) && owner > 0 && isAlive(owner) && startOf(owner) === start)
    throw inUse(folder, `process ${owner}`);
};

const inUse = (folder: string, by: string): CadastreError =>
  new CadastreError('FAILED_PRECONDITION', `${folder} is in use by the cluster of ${by}`, {
    field: 'data',
    remedy: 'use that cluster, stop it first, or give another folder with --data',
  });
