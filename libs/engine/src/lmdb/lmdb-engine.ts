import { systemClock, type Clock } from '@cadastre/runtime';
import { CoreEngine } from '../core/core-engine.js';
import { LmdbBacking } from './lmdb-backing.js';

export interface LmdbEngineOptions {
  /** Made if it is not there. One engine per directory. */
  readonly directory: string;
  readonly clock?: Clock;
  readonly applyFlushDelayMs?: number;
  /** Address space to reserve at first, in bytes; it grows by itself. */
  readonly mapBytes?: number;
}

/** The embedded engine of the storage agent: LMDB, durable, one directory. */
export class LmdbEngine extends CoreEngine {
  constructor({ directory, mapBytes, applyFlushDelayMs, clock = systemClock }: LmdbEngineOptions) {
    super(new LmdbBacking({ directory, ...(mapBytes === undefined ? {} : { mapBytes }) }), {
      clock,
      turn: (task) => void setImmediate(task),
      ...(applyFlushDelayMs === undefined ? {} : { applyFlushDelayMs }),
    });
  }
}
