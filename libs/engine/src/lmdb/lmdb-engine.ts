import { join } from 'node:path';
import { systemClock, type Clock } from '@cadastre/runtime';
import { CoreEngine } from '../core/core-engine.js';
import { FileJournal } from '../journal/file-journal.js';
import { JournaledBacking } from '../journal/journaled-backing.js';
import { LmdbBacking } from './lmdb-backing.js';

export interface LmdbEngineOptions {
  /** Made if it is not there. One engine per directory. */
  readonly directory: string;
  readonly clock?: Clock;
  readonly applyFlushDelayMs?: number;
  /** Journalled bytes after which LMDB takes them over; default 16 MiB. */
  readonly checkpointBytes?: number;
  /** Address space to reserve at first, in bytes; it grows by itself. */
  readonly mapBytes?: number;
}

/** What is applied can be applied again from the log after a crash, so it may wait until many writes of a pair have become one. */
const APPLY_FLUSH_DELAY_MS = 100;

/** The embedded engine of the storage agent: LMDB behind a journal, durable, one directory. */
export class LmdbEngine extends CoreEngine {
  constructor({ directory, mapBytes, applyFlushDelayMs, checkpointBytes, clock = systemClock }: LmdbEngineOptions) {
    const turn = (task: () => void) => clock.soon(task);
    const lmdb = new LmdbBacking({ directory, ...(mapBytes === undefined ? {} : { mapBytes }) });
    const journal = new FileJournal(join(directory, 'journal'));
    super(
      new JournaledBacking(lmdb, journal, { clock, turn, ...(checkpointBytes !== undefined && { checkpointBytes }) }),
      {
        clock,
        turn,
        applyFlushDelayMs: applyFlushDelayMs ?? APPLY_FLUSH_DELAY_MS,
      },
    );
  }
}
