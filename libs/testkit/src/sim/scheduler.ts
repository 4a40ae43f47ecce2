import type { Cancellable } from '@cadastre/runtime';

interface SimEvent {
  readonly at: number;
  readonly order: number;
  readonly label: string;
  task: (() => void) | undefined;
}

const before = (a: SimEvent, b: SimEvent): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** Steps handed to Node at once: it drains promises after each, and asks the system for I/O only between the groups. */
const STEPS_A_TURN = 64;
/** Events at one instant that are taken for a loop without end. */
const STUCK_AFTER = 100_000;

/**
 * Virtual time, in milliseconds, and everything that is going to happen in it. One event runs at a time, together with all promises
 * that it settles; the next one begins when nothing is left to do. Equal seeds give equal runs, which `digest` shows.
 */
export class Scheduler {
  private readonly heap: SimEvent[] = [];
  private order = 0;
  private hash = 0x811c9dc5;
  private stopped = false;
  private stuck = 0;
  now = 0;
  /** Events that have run. */
  events = 0;

  /** What an event threw; without it the run ends with that error. */
  onThrow: ((error: unknown, label: string) => void) | undefined;
  /** After each event. */
  onStep: (() => void) | undefined;

  /** Of the times and names of all events so far. */
  get digest(): string {
    return (this.hash >>> 0).toString(16).padStart(8, '0');
  }

  after(delayMs: number, label: string, task: () => void): Cancellable {
    const event: SimEvent = { at: this.now + Math.max(0, delayMs), order: this.order++, label, task };
    this.push(event);
    return { cancel: () => (event.task = undefined) };
  }

  /** Mixes into the digest what is not an event but must be the same in both runs. */
  mix(text: string): void {
    let { hash } = this;
    for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    this.hash = hash;
  }

  /** Ends `run` before the next event. */
  stop(): void {
    this.stopped = true;
  }

  /** Runs until `untilMs` of virtual time, `done` says so, or nothing is left. */
  run(untilMs: number, done: () => boolean = () => false): Promise<void> {
    this.stopped = false;
    return new Promise((resolve, reject) => {
      let over = false;
      const step = (): void => {
        if (over) return;
        try {
          if (!this.stopped && !done() && this.next(untilMs)) return;
          over = true;
          resolve();
        } catch (error) {
          over = true;
          reject(error as Error);
        }
      };
      const turn = (): void => {
        if (over) return;
        for (let i = 0; i < STEPS_A_TURN; i += 1) setImmediate(step);
        setImmediate(turn);
      };
      turn();
    });
  }

  /** @returns false when there is nothing more to do before `untilMs` */
  private next(untilMs: number): boolean {
    for (let event = this.heap[0]; event; event = this.heap[0]) {
      if (event.at > untilMs) break;
      this.pop();
      if (!event.task) continue;
      this.stuck = event.at > this.now ? 0 : this.stuck + 1;
      if (this.stuck > STUCK_AFTER) throw new Error(`time stands still at ${this.now} ms: ${event.label}`);
      this.now = event.at;
      this.perform(event.label, event.task);
      return true;
    }
    this.now = Math.max(this.now, untilMs);
    return false;
  }

  private perform(label: string, task: () => void): void {
    this.events += 1;
    this.hash = Math.imul(this.hash ^ Math.floor(this.now * 1024), 0x01000193);
    this.mix(label);
    try {
      task();
    } catch (error) {
      if (!this.onThrow) throw error;
      this.onThrow(error, label);
    }
    this.onStep?.();
  }

  private push(event: SimEvent): void {
    const { heap } = this;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}
