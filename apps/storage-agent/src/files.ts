import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { randomId } from '@cadastre/runtime';

/** The small files of an agent beside its engine: who it is, and the last maps it knew. */
export interface Files {
  /** Makes the folder if it is not there. */
  makeFolder(path: string): Promise<void>;
  /** Names in a folder; none where there is no folder. */
  list(folder: string): Promise<string[]>;
  /** Undefined when there is no such file. */
  read(path: string): Promise<Buffer | undefined>;
  /** Replaces a file so that a crash leaves the old or the new one, never half of either. Durable when it resolves. */
  replace(path: string, bytes: Uint8Array): Promise<void>;
  /** A file, or a folder with all in it; nothing when there is none. */
  remove(path: string): Promise<void>;
}

export const systemFiles: Files = {
  makeFolder: async (path) => void (await mkdir(path, { recursive: true })),
  list: (folder) => readdir(folder).catch(() => []),
  read: (path) =>
    readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    }),
  async replace(path, bytes) {
    const draft = `${path}.${randomId(4)}.new`;
    const file = await open(draft, 'w');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
    const folder = await open(dirname(path), 'r');
    await folder.sync().finally(() => folder.close());
  },
  remove: (path) => rm(path, { recursive: true, force: true }),
};
