import type { PlanState } from '@cadastre/core';
import { CadastreError, isFinal } from '@cadastre/core';
import type { Wire, WritableCall } from '@cadastre/contracts';
import { endWithError } from '@cadastre/contracts';
import type { Cancellable, Clock } from '@cadastre/runtime';
import { unauthenticated } from '../access/identify.js';
import type { OperationsPort } from '../operations/ports.js';

type PlanCall = WritableCall<Wire.GetPlanRequest__Output, Wire.Plan>;

export interface PlanWatchesOptions {
  readonly operations: OperationsPort;
  readonly clock: Clock;
  /** While a plan executes, its progress is looked at this often, default 250. */
  readonly periodMs?: number;
}

const hasEnded = (plan: Wire.Plan): boolean => isFinal(plan.state as PlanState);

/** Progress of copies is soft state: no change of the register tells of it. */
const isRunning = (plan: Wire.Plan): boolean =>
  plan.state === 'executing' || plan.state === 'paused' || plan.state === 'approved';

interface PlanWatch {
  readonly call: PlanCall;
  readonly holds: () => boolean;
  /** Full: names beginnings and "latest" are resolved once. */
  readonly id: string;
  sent: string;
  blocked: boolean;
  running: boolean;
}

/** Streams of plans as they change. A reader that is behind is sent the newest state once it reads again, never what it missed. */
export class PlanWatches {
  private readonly watches = new Set<PlanWatch>();
  private timer: Cancellable | undefined;

  constructor(private readonly options: PlanWatchesOptions) {}

  /** @param holds whether the reader may still read. @throws CadastreError NOT_FOUND */
  serve(call: PlanCall, holds: () => boolean): void {
    const plan = this.options.operations.getPlan(call.request.id);
    const watch: PlanWatch = { call, holds, id: plan.id ?? '', sent: '', blocked: false, running: isRunning(plan) };
    this.watches.add(watch);
    this.timer ??= this.options.clock.every(this.options.periodMs ?? 250, () => this.onTick());
    call.on('drain', () => {
      watch.blocked = false;
      this.look(watch);
    });
    for (const event of ['cancelled', 'close', 'error'] as const) call.on(event, () => this.drop(watch));
    this.look(watch);
  }

  /** To be called when the register changed. */
  onPlansChanged(ids: readonly string[]): void {
    if (ids.length === 0) return;
    for (const watch of this.watches) if (ids.includes(watch.id)) this.look(watch);
  }

  close(): void {
    const error = new CadastreError('UNAVAILABLE', 'this replica is stopping', { remedy: 'watch at another replica' });
    for (const watch of this.watches) {
      this.drop(watch);
      endWithError(watch.call, error);
    }
  }

  private onTick(): void {
    for (const watch of this.watches) {
      if (!watch.holds()) this.refuse(watch);
      else if (watch.running) this.look(watch);
    }
  }

  private look(watch: PlanWatch): void {
    if (watch.blocked || !this.watches.has(watch)) return;
    if (!watch.holds()) return this.refuse(watch);
    try {
      const plan = this.options.operations.getPlan(watch.id);
      watch.running = isRunning(plan);
      this.send(watch, plan);
    } catch (error) {
      this.drop(watch);
      endWithError(watch.call, error);
    }
  }

  /** Whoever signed out, or lost its role, reads no further: also where nothing happens. */
  private refuse(watch: PlanWatch): void {
    this.drop(watch);
    endWithError(watch.call, unauthenticated());
  }

  private send(watch: PlanWatch, plan: Wire.Plan): void {
    const text = JSON.stringify(plan);
    if (text !== watch.sent) {
      watch.sent = text;
      watch.blocked = !watch.call.write(plan);
    }
    if (!hasEnded(plan)) return;
    this.drop(watch);
    watch.call.end();
  }

  private drop(watch: PlanWatch): void {
    this.watches.delete(watch);
    if (this.watches.size > 0) return;
    this.timer?.cancel();
    this.timer = undefined;
  }
}
