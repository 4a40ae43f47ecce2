import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export interface Program {
  readonly command: string;
  /** Before the arguments of the child itself. */
  readonly args: readonly string[];
}

export interface FoundEtcd {
  readonly path: string;
  readonly version: string;
  readonly source: string;
}

/** What the supervisor runs; tests bring small scripts. */
export interface Programs {
  findEtcd(log: (line: string) => void): Promise<FoundEtcd>;
  readonly controlPlane: Program;
  readonly storageAgent: Program;
  readonly router: Program;
  readonly watchdog: string;
}

/** From apps/cli/dist/supervisor up to the checkout. */
const root = fileURLToPath(new URL('../../../../', import.meta.url));

export const checkoutPrograms = (): Programs => ({
  findEtcd: async (log) => {
    const tool = (await import(pathToFileURL(join(root, 'tools/etcd.mjs')).href)) as {
      findEtcd(options: { log(line: string): void }): Promise<FoundEtcd>;
    };
    return tool.findEtcd({ log });
  },
  controlPlane: { command: process.execPath, args: [join(root, 'apps/control-plane/dist/main.js')] },
  storageAgent: { command: process.execPath, args: [join(root, 'apps/storage-agent/dist/main.js')] },
  router: { command: process.execPath, args: [join(root, 'apps/router/dist/main.js')] },
  watchdog: fileURLToPath(new URL('watchdog.js', import.meta.url)),
});
