import type { Cancellable, Clock, Logger, NewId, Random } from '@cadastre/runtime';
import { seededId, seededRandom } from '@cadastre/runtime';
import type { Scheduler } from './scheduler.js';

/** What a machine's clocks do: how fast they run, and how far the calendar is off. */
export interface ClockTraits {
  /** 1 = exact; quartz is within 1 ± 0.0001. */
  readonly rate: number;
  readonly wallOffsetMs: number;
}

/** 2026-01-01T00:00:00Z, where every run begins. */
const WALL_ZERO_MS = 1_767_225_600_000;

/**
 * One lifetime of one process. When it is killed, nothing that it had asked for reaches it any more; while it is frozen (SIGSTOP), what
 * comes waits, and its clocks go on.
 */
export class SimProcess {
  alive = true;
  frozen = false;
  /** Added to the calendar, as when somebody sets the clock. */
  wallJumpMs = 0;
  /** Nothing leaves it any more: it is about to be killed within its own call. */
  muted = false;
  /** Asked at every port call that is not `idle` talk; performs `task`, or not. */
  onPort: ((kind: string, to: string, task: () => void) => void) | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly newId: NewId;
  private readonly parked: (() => void)[] = [];
  private readonly bornAt: number;

  constructor(
    readonly scheduler: Scheduler,
    /** The machine: outlives the process, and is what the network knows. */
    readonly host: string,
    seed: number,
    readonly traits: ClockTraits,
    readonly logger: Logger,
    /** Tells the processes of one machine apart. */
    readonly life = 0,
  ) {
    this.bornAt = scheduler.now;
    this.random = seededRandom(seed);
    this.newId = seededId(this.random);
    this.clock = this.makeClock();
  }

  /** Runs `task` in this process after `delayMs` of true time. */
  later(delayMs: number, label: string, task: () => void): Cancellable {
    let wanted = true;
    const timer = this.scheduler.after(delayMs, label, () =>
      this.enter(() => {
        if (wanted) task();
      }),
    );
    return {
      cancel: () => {
        wanted = false;
        timer.cancel();
      },
    };
  }

  /** Every call of a port goes through here: `task` sends, or writes. `to`: the machine that it concerns. */
  leave(kind: string, to: string, idle: boolean, task: () => void): void {
    if (this.muted) return;
    if (this.onPort && !idle) this.onPort(kind, to, task);
    else task();
  }

  /** Runs `task` now if this process can, at its thaw if it is frozen, never if it is dead. */
  enter(task: () => void): void {
    if (!this.alive) return;
    if (this.frozen) this.parked.push(task);
    else task();
  }

  kill(): void {
    this.alive = false;
    this.parked.length = 0;
  }

  freeze(): void {
    this.frozen = true;
  }

  thaw(): void {
    if (!this.frozen) return;
    this.frozen = false;
    for (const task of this.parked.splice(0)) this.scheduler.after(0, `${this.host} thaw`, () => this.enter(task));
  }

  private makeClock(): Clock {
    const { scheduler, host } = this;
    const { rate, wallOffsetMs } = this.traits;
    const timerLabel = `${host} timer`;
    // As Node's timers: whole milliseconds, at least one; nonsense counts as one.
    const after = (delayMs: number, task: () => void): Cancellable =>
      this.later(Math.max(1, Math.trunc(delayMs) || 1) / rate, timerLabel, task);
    return {
      monotonicMs: () => 1_000 + (scheduler.now - this.bornAt) * rate,
      wallMs: () => WALL_ZERO_MS + wallOffsetMs + this.wallJumpMs + scheduler.now * rate,
      after,
      every(periodMs, task) {
        let current = after(periodMs, run);
        function run(): void {
          current = after(periodMs, run);
          task();
        }
        return { cancel: () => current.cancel() };
      },
      soon: (task) => void this.later(0, `${host} soon`, task),
    };
  }
}
