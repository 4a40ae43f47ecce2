import { isFinal } from '@cadastre/core';
import type { Clock } from '@cadastre/runtime';
import type { Compare, Draft, PlanView, Register } from '@cadastre/store';
import { planHeadPart } from '@cadastre/store';
import type { RunLatencies } from '../load/run-latencies.js';
import { AFTER_MS } from '../load/run-latencies.js';

export interface AfterRunOptions {
  readonly register: Register;
  readonly runs: RunLatencies;
  readonly clock: Clock;
}

/** Writes down, once, what latencies were like in the minute after a run; who measured nothing of it writes nothing. */
export class AfterRun {
  constructor(private readonly options: AfterRunOptions) {}

  async round(fence: Compare): Promise<void> {
    const { register, runs } = this.options;
    for (const plan of [...register.state.plans.values()]) {
      const latencyAfter = this.isDue(plan) ? runs.afterOf(plan.head.id) : undefined;
      if (!latencyAfter) continue;
      await register.commit((state): Draft<void> => {
        const now = state.plans.get(plan.head.id);
        return now && this.isDue(now)
          ? { ...planHeadPart(state, { ...now.head, latencyAfter }), result: undefined }
          : { compare: [], ops: [], result: undefined };
      }, fence);
    }
  }

  private isDue({ head }: PlanView): boolean {
    if (!isFinal(head.state) || !head.latency || head.latencyAfter || !head.endedMs) return false;
    return this.options.clock.wallMs() > head.endedMs + AFTER_MS;
  }
}
