import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CadastreError } from '@cadastre/core';
import { isMarkAlive, processMark } from '@cadastre/runtime';

/** Two supervisors on the same data would fight over it. A lock whose owner is gone is taken over. @returns a function that frees it */
export const lockFolder = (folder: string): (() => void) => {
  const path = join(folder, 'up.lock');
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      const file = openSync(path, 'wx');
      writeSync(file, `${processMark()}\n`);
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
  const mark = readFileSync(path, 'utf8');
  if (isMarkAlive(mark)) throw inUse(folder, `process ${mark.split(' ')[0]}`);
};

const inUse = (folder: string, by: string): CadastreError =>
  new CadastreError('FAILED_PRECONDITION', `${folder} is in use by the cluster of ${by}`, {
    field: 'data',
    remedy: 'use that cluster, stop it first, or give another folder with --data',
  });
