import { CadastreError } from '@cadastre/core';
import type { Write } from './backing.js';

/** Runs a task after the I/O events at hand were handled, so that what they ask for lands in one group. */
export type Turn = (task: () => void) => void;

export interface GroupCommitOptions {
  readonly commit: (writes: readonly Write[]) => Promise<void>;
  /** Adds what waits in memory to a group that is about to be written; the result is called once that is durable, before `done` settles. */
  readonly assemble: (writes: Write[], done: Promise<void>) => () => void;
  readonly turn: Turn;
}

export interface Group {
  readonly writes: Write[];
  readonly done: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: CadastreError) => void;
}

/** A promise that may be left alone: its failure shows on every later write. */
export const newGroup = (): Group => {
  let resolve = (): void => undefined;
  let reject = (_error: CadastreError): void => undefined;
  const done = new Promise<void>((onDone, onError) => {
    resolve = onDone;
    reject = onError;
  });
  done.catch(() => undefined);
  return { writes: [], done, resolve, reject };
};

/**
 * One flush at a time; everything requested meanwhile is the next one.
 * After a failed flush it stays shut: a page that failed to sync may read back as clean (PostgreSQL's "fsyncgate", 2018).
 */
export class GroupCommit {
  private next: Group | undefined;
  private scheduled = false;
  private flushing: Group | undefined;
  private failure: CadastreError | undefined;
  /** Flushes done since the start; with the caller's own count it gives the size of groups. */
  flushes = 0;

  constructor(private readonly options: GroupCommitOptions) {}

  request(writes: readonly Write[]): Promise<void> {
    this.assertOpen();
    this.next ??= newGroup();
    for (const write of writes) this.next.writes.push(write);
    this.schedule();
    return this.next.done;
  }

  /** Resolves when what was requested before is durable. */
  settled(): Promise<void> {
    this.assertOpen();
    return this.next?.done ?? this.flushing?.done ?? Promise.resolve();
  }

  assertOpen(): void {
    if (this.failure === undefined) return;
    throw new CadastreError(
      'FAILED_PRECONDITION',
      `the engine refuses writes since a flush failed: ${this.failure.message}`,
      {
        remedy: 'remove the cause, then close and open the engine',
        cause: this.failure,
      },
    );
  }

  /** Refuses everything from now on; promises of what was not flushed are rejected. */
  shut(error: CadastreError): void {
    const group = this.next;
    this.halt(error);
    group?.reject(error);
  }

  /** As shut, but silently, as a process that was killed: what was not flushed is never settled. */
  halt(error: CadastreError): void {
    this.failure ??= error;
    this.next = undefined;
  }

  private schedule(): void {
    if (this.scheduled || this.flushing !== undefined) return;
    this.scheduled = true;
    this.options.turn(() => {
      this.scheduled = false;
      this.flush();
    });
  }

  private flush(): void {
    const group = this.next;
    if (group === undefined || this.failure !== undefined) return;
    this.next = undefined;
    this.flushing = group;
    this.write(group).then(
      () => this.finish(group),
      (error: unknown) => this.fail(group, CadastreError.from(error)),
    );
  }

  private async write(group: Group): Promise<void> {
    const settle = this.options.assemble(group.writes, group.done);
    if (group.writes.length > 0) await this.options.commit(group.writes);
    this.flushes += 1;
    settle();
  }

  private finish(group: Group): void {
    this.flushing = undefined;
    group.resolve();
    if (this.next !== undefined) this.schedule();
  }

  private fail(group: Group, error: CadastreError): void {
    this.flushing = undefined;
    group.reject(error);
    this.shut(error);
  }
}
