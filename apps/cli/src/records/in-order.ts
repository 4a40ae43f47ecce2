/**
 * Runs tasks with at most `width` at a time, those of the same key one after the other and in the order in which they came: the
 * last record of a key is the one that stays.
 */
export class KeyedPool {
  private readonly tails = new Map<string, Promise<void>>();
  private readonly running = new Set<Promise<void>>();

  constructor(private readonly width: number) {}

  /** Resolves when there is room for more; `task` must not reject. */
  async add(key: string, task: () => Promise<void>): Promise<void> {
    const before = this.tails.get(key);
    const done: Promise<void> = (before ? before.then(task) : task()).finally(() => {
      this.running.delete(done);
      if (this.tails.get(key) === done) this.tails.delete(key);
    });
    this.tails.set(key, done);
    this.running.add(done);
    if (this.running.size >= this.width) await Promise.race(this.running);
  }

  async drain(): Promise<void> {
    await Promise.all(this.running);
  }
}
