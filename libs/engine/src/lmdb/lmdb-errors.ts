import { statfs } from 'node:fs/promises';
import { CadastreError } from '@cadastre/core';

/** errno ENOSPC, EFBIG, EDQUOT and LMDB's MDB_MAP_FULL. */
const FULL = new Set<unknown>([28, 27, 122, -30792]);
const FULL_TEXT = /no space left|file too large|quota|MDB_MAP_FULL/i;

/** LMDB reports a short write, which is how a full disk first shows, as EIO. */
const EIO = 5;
const NEARLY_FULL_BYTES = 8 * 1024 * 1024;

const isNearlyFull = async (directory: string): Promise<boolean> => {
  try {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize < NEARLY_FULL_BYTES;
  } catch {
    return false;
  }
};

/** A rejected commit hides its cause in a second promise, `commitError`. */
const causeOf = async (error: unknown): Promise<unknown> => {
  const hidden = (error as { commitError?: PromiseLike<unknown> } | undefined)?.commitError;
  if (hidden === undefined) return error;
  try {
    await hidden;
    return error;
  } catch (cause) {
    return cause;
  }
};

/** `directory` tells a full disk from a broken one. */
export const toCadastreError = async (error: unknown, directory: string): Promise<CadastreError> => {
  if (error instanceof CadastreError) return error;
  const cause = await causeOf(error);
  const message = cause instanceof Error ? cause.message : String(cause);
  const code = (cause as { code?: unknown } | undefined)?.code;
  const full = FULL.has(code) || FULL_TEXT.test(message) || (code === EIO && (await isNearlyFull(directory)));
  return full
    ? new CadastreError('RESOURCE_EXHAUSTED', `the disk is full: ${message}`, {
        remedy: 'free space, then restart the agent',
        cause,
      })
    : new CadastreError('INTERNAL', `the disk failed: ${message}`, {
        remedy: 'check the disk, then restart the agent',
        cause,
      });
};
