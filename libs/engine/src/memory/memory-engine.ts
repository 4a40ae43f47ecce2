import { CadastreError } from '@cadastre/core';
import { systemClock, type Clock } from '@cadastre/runtime';
import type { Backing, KeyRange, ReadSnapshot, Table, Write } from '../core/backing.js';
import { CoreEngine } from '../core/core-engine.js';
import type { Turn } from '../core/group-commit.js';
import { MemoryDisk } from './memory-disk.js';

export interface MemoryEngineOptions {
  readonly disk?: MemoryDisk;
  readonly clock?: Clock;
  /** When a group is closed and slices go on; microtasks by default, so that a simulation stays deterministic. */
  readonly turn?: Turn;
  readonly applyFlushDelayMs?: number;
}

export class MemoryBacking implements Backing {
  private alive = false;

  constructor(readonly disk: MemoryDisk) {}

  async open(): Promise<void> {
    if (this.disk.inUse)
      throw new CadastreError('FAILED_PRECONDITION', 'the disk is in use', {
        field: 'directory',
        remedy: 'close the other engine',
      });
    this.disk.inUse = true;
    this.alive = true;
  }

  async close(): Promise<void> {
    this.die();
  }

  die(): void {
    if (this.alive) this.disk.inUse = false;
    this.alive = false;
  }

  get(table: Table, key: Uint8Array): Uint8Array | undefined {
    return this.disk.get(table, key);
  }

  range(table: Table, range: KeyRange): Iterable<{ key: Uint8Array; value: Uint8Array }> {
    return this.disk.range(table, range);
  }

  keys(table: Table, range: KeyRange, limit: number): Uint8Array[] {
    const keys: Uint8Array[] = [];
    for (const { key } of this.disk.range(table, range)) {
      if (keys.push(key) >= limit) break;
    }
    return keys;
  }

  snapshot(): ReadSnapshot {
    return this.disk.snapshot();
  }

  async commit(writes: readonly Write[]): Promise<void> {
    const written = await this.disk.commit(writes, () => this.alive);
    // A dead process neither acknowledges nor complains.
    if (!written) await new Promise<never>(() => undefined);
  }

  load(writes: readonly Write[]): Promise<void> {
    return this.commit(writes);
  }
}

/** The same engine over memory, for simulation and unit tests. */
export class MemoryEngine extends CoreEngine {
  readonly disk: MemoryDisk;
  private readonly memory: MemoryBacking;

  constructor({
    disk = new MemoryDisk(),
    clock = systemClock,
    turn = queueMicrotask,
    applyFlushDelayMs,
  }: MemoryEngineOptions = {}) {
    const memory = new MemoryBacking(disk);
    super(memory, {
      clock,
      turn: (task) => turn(task),
      ...(applyFlushDelayMs === undefined ? {} : { applyFlushDelayMs }),
    });
    this.disk = disk;
    this.memory = memory;
  }

  /** As kill -9: everything that was not flushed is gone, and a commit under way with it. Open a new engine over `disk`. */
  crash(): void {
    this.memory.die();
    this.abandon();
  }
}
