import type { Random } from '@cadastre/runtime';
import { MemoryDisk } from '@cadastre/engine';
import type { Scheduler } from './scheduler.js';
import type { SimProcess } from './process.js';

type Writes = Parameters<MemoryDisk['commit']>[0];

/** A machine's disk under its engine: takes its time, and at a crash may or may not have done what was under way. */
export class SimDisk extends MemoryDisk {
  owner: SimProcess | undefined;
  /** Added to each flush. */
  slowMs = 0;

  constructor(
    private readonly scheduler: Scheduler,
    private readonly random: Random,
    private readonly host: string,
  ) {
    super();
  }

  override commit(writes: Writes, wanted: () => boolean): Promise<boolean> {
    const { owner } = this;
    const flushMs = 0.1 + this.random() * 2 + this.slowMs;
    return new Promise((resolve, reject) => {
      const flush = (): void =>
        void this.scheduler.after(flushMs, `${this.host} flush`, () => {
          const survives = wanted() || this.random() < 0.5;
          super
            .commit(writes, () => survives)
            .then(
              (done) => owner?.enter(() => resolve(done && owner.alive)),
              (error: unknown) => owner?.enter(() => reject(error as Error)),
            );
        });
      if (owner) owner.leave(`${this.host} flush`, this.host, false, flush);
      else flush();
    });
  }
}

/** A machine's small files. Replacing one is all or nothing, and takes its time. */
export class SimFiles {
  private readonly contents = new Map<string, Buffer>();

  constructor(
    private readonly scheduler: Scheduler,
    private readonly random: Random,
  ) {}

  /** The files as one process of that machine sees them. */
  of(process: SimProcess) {
    const slow = <T>(label: string, task: () => T): Promise<T> =>
      new Promise((resolve) => {
        this.scheduler.after(this.random() * 2, `${process.host} ${label}`, () => {
          // Under way when the process died: done or not, nobody knows.
          if (!process.alive && this.random() < 0.5) return;
          const result = task();
          process.enter(() => resolve(result));
        });
      });
    const write = (label: string, task: () => void): Promise<void> =>
      new Promise((resolve) =>
        process.leave(`${process.host} ${label}`, process.host, false, () => void slow(label, task).then(resolve)),
      );
    return {
      makeFolder: async (_path: string): Promise<void> => undefined,
      list: (folder: string): Promise<string[]> =>
        slow('list files', () =>
          [...this.contents.keys()]
            .filter((path) => path.startsWith(`${folder}/`))
            .map((path) => path.slice(folder.length + 1))
            .filter((name) => !name.includes('/')),
        ),
      read: (path: string): Promise<Buffer | undefined> => slow('read file', () => this.contents.get(path)),
      replace: (path: string, bytes: Uint8Array): Promise<void> =>
        write('write file', () => void this.contents.set(path, Buffer.from(bytes))),
      remove: (path: string): Promise<void> =>
        write('remove file', () => {
          for (const name of this.contents.keys())
            if (name === path || name.startsWith(`${path}/`)) this.contents.delete(name);
        }),
    };
  }

  wipe(): void {
    this.contents.clear();
  }

  /** One bit of one file whose name ends so turns. @returns the file, if there was one */
  flipBit(suffix: string): string | undefined {
    const paths = [...this.contents.keys()].filter((path) => path.endsWith(suffix)).sort();
    const path = paths[Math.floor(this.random() * paths.length)];
    const bytes = path === undefined ? undefined : this.contents.get(path);
    if (path === undefined || !bytes || bytes.length === 0) return undefined;
    const at = Math.floor(this.random() * bytes.length);
    bytes[at]! ^= 1 << Math.floor(this.random() * 8);
    return path;
  }
}
