import type { CadastreClient } from '@cadastre/client';
import { seededRandom } from '@cadastre/runtime';

export interface WorkloadOptions {
  readonly client: CadastreClient;
  readonly keyspace: string;
  /** Concurrent callers; each owns its keys, so it knows what it must read. */
  readonly workers: number;
  readonly keysPerWorker: number;
  readonly seed: number;
  /** Milliseconds a worker rests between operations, 0 for none. */
  readonly pauseMs?: number;
}

export interface WorkloadReport {
  readonly operations: number;
  readonly writes: number;
  /** Operations that threw. */
  readonly failures: readonly string[];
  /** Reads that did not return the last acknowledged value. */
  readonly wrong: readonly string[];
  /** Longest time between two acknowledged operations of one worker, ms. */
  readonly longestGapMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Puts, deletes and gets by callers that each know every value that they must find. */
export class Workload {
  private readonly failures: string[] = [];
  private readonly wrong: string[] = [];
  private readonly latencies: number[] = [];
  private readonly expected: Map<string, string | undefined>[];
  private running = true;
  private writes = 0;
  private longestGapMs = 0;
  private readonly done: Promise<unknown>;

  constructor(private readonly options: WorkloadOptions) {
    this.expected = Array.from({ length: options.workers }, () => new Map());
    this.done = Promise.all(this.expected.map((mine, worker) => this.work(mine, worker)));
  }

  get operations(): number {
    return this.latencies.length;
  }

  /** Ends the load and returns what happened. */
  async stop(): Promise<WorkloadReport> {
    this.running = false;
    await this.done;
    const sorted = [...this.latencies].sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return {
      operations: sorted.length,
      writes: this.writes,
      failures: this.failures,
      wrong: this.wrong,
      longestGapMs: this.longestGapMs,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
    };
  }

  /** Reads every key again; returns sentences for those that are not as they should be. */
  async verify(): Promise<string[]> {
    const keyspace = this.options.client.keyspace(this.options.keyspace);
    const differences: string[] = [];
    for (const mine of this.expected) {
      await Promise.all(
        [...mine].map(async ([key, value]) => {
          const found = await keyspace.get(key);
          const text = found === undefined ? undefined : Buffer.from(found).toString();
          if (text !== value) differences.push(`${key}: ${String(text)} instead of ${String(value)}`);
        }),
      );
    }
    return differences;
  }

  private async work(mine: Map<string, string | undefined>, worker: number): Promise<void> {
    const random = seededRandom(this.options.seed * 1000 + worker);
    const keyspace = this.options.client.keyspace(this.options.keyspace);
    let last = performance.now();
    for (let n = 0; this.running; n += 1) {
      const key = `w${worker}-${Math.floor(random() * this.options.keysPerWorker)}`;
      const began = performance.now();
      try {
        await this.operate(keyspace, mine, key, random(), `${worker}:${n}`);
      } catch (error) {
        // It may or may not have happened: this key can no longer be judged.
        mine.delete(key);
        this.failures.push(`${key}: ${String(error)}`);
      }
      const now = performance.now();
      this.latencies.push(now - began);
      this.longestGapMs = Math.max(this.longestGapMs, now - last);
      last = now;
      if (this.options.pauseMs) await new Promise((resolve) => setTimeout(resolve, this.options.pauseMs));
    }
  }

  private async operate(
    keyspace: ReturnType<CadastreClient['keyspace']>,
    mine: Map<string, string | undefined>,
    key: string,
    dice: number,
    value: string,
  ): Promise<void> {
    if (dice < 0.5) {
      const found = await keyspace.get(key);
      const text = found === undefined ? undefined : Buffer.from(found).toString();
      if (mine.has(key) && text !== mine.get(key))
        this.wrong.push(`${key}: read ${String(text)}, last acknowledged ${String(mine.get(key))}`);
      return;
    }
    this.writes += 1;
    if (dice < 0.95) {
      await keyspace.put(key, value);
      mine.set(key, value);
    } else {
      await keyspace.delete(key);
      mine.set(key, undefined);
    }
  }
}

/** Runs `task` for every item, at most `width` at once. */
export const forEachConcurrently = async <T>(
  items: readonly T[],
  width: number,
  task: (item: T) => Promise<unknown>,
): Promise<void> => {
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const item = items[next]!;
      next += 1;
      await task(item);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
};
