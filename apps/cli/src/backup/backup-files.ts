import { createReadStream, existsSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open, rename, rm } from 'node:fs/promises';
import { CadastreError, invalid } from '@cadastre/core';
import type { BackupFrame, BackupReport } from '@cadastre/store';
import { backupMagic, BackupCheck, frameBytes, readBackup } from '@cadastre/store';

/**
 * Writes a backup as it comes, checks it on the way, and gives it its name only when it is whole and on the disk.
 * @throws CadastreError ALREADY_EXISTS, DATA_LOSS, and what the frames throw
 */
export const writeBackup = async (path: string, frames: AsyncIterable<BackupFrame>): Promise<BackupReport> => {
  if (existsSync(path))
    throw new CadastreError('ALREADY_EXISTS', `${path} exists`, {
      field: '--out',
      remedy: 'name a new file: a backup is never overwritten',
    });
  const part = `${path}.part`;
  const file = await openNew(part);
  try {
    const report = await writeFrames(file, frames);
    await file.sync();
    await file.close();
    await rename(part, path);
    return report;
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(part, { force: true });
    throw error;
  }
};

const writeFrames = async (file: FileHandle, frames: AsyncIterable<BackupFrame>): Promise<BackupReport> => {
  const check = new BackupCheck();
  await file.write(backupMagic());
  for await (const frame of frames) {
    check.take(frame);
    await file.write(frameBytes(frame));
  }
  return check.finish();
};

/** Only its owner can read it: it holds password hashes. */
const openNew = (path: string): Promise<FileHandle> =>
  open(path, 'w', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw invalid('--out', `${path} cannot be written (${error.code})`, 'name a file in a folder that is there');
  });

/** The frames of a file, as they are read. @throws CadastreError INVALID_ARGUMENT, DATA_LOSS */
export async function* backupFrames(path: string): AsyncGenerator<BackupFrame> {
  try {
    yield* readBackup(createReadStream(path, { highWaterMark: 1024 * 1024 }));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof CadastreError || code === undefined) throw error;
    throw invalid('file', `${path} cannot be read (${code})`, 'name a file that cadastre backup wrote');
  }
}

/** @throws CadastreError as of `BackupCheck` */
export const checkBackup = async (path: string): Promise<BackupReport> => {
  const check = new BackupCheck();
  for await (const frame of backupFrames(path)) check.take(frame);
  return check.finish();
};
