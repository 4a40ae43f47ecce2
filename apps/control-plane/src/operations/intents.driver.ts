import type { Intent, IntentState, IntentTiming, PlanInput, Smoothed } from '@cadastre/core';
import {
  balancedDimensions,
  CadastreError,
  decideIntents,
  DEFAULT_INTENT_RULES,
  DEFAULT_INTENT_TIMING,
  deviationOf,
  intentsOf,
  NO_INTENTS,
  smoothed,
  unbalancedDimensions,
} from '@cadastre/core';
import type { Cancellable, Clock, Logger } from '@cadastre/runtime';
import type { Register, RegisterState } from '@cadastre/store';
import type { Observed } from '../controller/observed.js';
import { planInputOf } from '../controller/plan-input.js';
import type { OperationsPort } from './ports.js';
import { hasEnded } from './views.js';

export interface IntentsOptions {
  readonly operations: Pick<OperationsPort, 'proposePlan'>;
  readonly register: Pick<Register, 'state'>;
  readonly observed: Observed;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Only the active controller's replica proposes by itself. */
  readonly isActive: () => boolean;
  /** How long nothing new may come up before a plan is proposed. */
  readonly quietMs: number;
}

const LOOK_MS = 5_000;
const HALF_LIFE_MS = 60_000;

/**
 * Looks at the cluster every few seconds for what asks for a plan, and proposes one for all of it when nothing new has come up for a
 * while. A proposal moves nothing: a person approves it. Nodes that are lost are the repair driver's. What was answered is forgotten
 * with the mandate, so that a new active controller proposes anew what still waits.
 */
export class IntentsDriver {
  private answered: IntentState = NO_INTENTS;
  private readonly deviations = new Map<string, Smoothed>();
  private unbalanced: ReadonlySet<string> = new Set();
  private looking = false;
  private timer: Cancellable | undefined;

  constructor(private readonly options: IntentsOptions) {}

  start(): void {
    if (this.options.quietMs === 0) return;
    this.timer = this.options.clock.every(Math.min(LOOK_MS, this.options.quietMs), () => void this.look());
  }

  stop(): void {
    this.timer?.cancel();
  }

  /** One look; exposed for tests that bring their own clock. */
  async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    try {
      if (this.options.isActive()) await this.decide();
      else this.answered = NO_INTENTS;
    } catch (error) {
      // Nothing was changed, or the next look sees what was.
      const { code, message } = CadastreError.from(error);
      this.options.logger.warn('no plan could be proposed', { code, reason: message });
    } finally {
      this.looking = false;
    }
  }

  private async decide(): Promise<void> {
    const { register, observed, clock, logger, operations, quietMs } = this.options;
    const { state } = register;
    // What runs, or waits for a person, is not disturbed.
    if (state.keyspaces.size === 0 || isBusy(state)) return;
    const input = planInputOf(state, observed, [...state.keyspaces.keys()], Math.round(clock.wallMs()));
    const timing: IntentTiming = { quietMs, atMostMs: Math.max(quietMs, DEFAULT_INTENT_TIMING.atMostMs) };
    const decision = decideIntents(this.answered, this.intents(input), clock.monotonicMs(), timing);
    if (decision.do === 'propose') {
      const act = { actor: 'cadastre', reason: decision.reason, automatic: true };
      const { plan, nothingBecause } = await operations.proposePlan([], act);
      logger.info('a plan was proposed for what asked for one', {
        reason: decision.reason,
        ...(plan ? { plan: plan.id } : { nothing: nothingBecause }),
      });
    }
    this.answered = decision.state;
  }

  private intents(input: PlanInput): Intent[] {
    const now = this.options.clock.monotonicMs();
    const scores = balancedDimensions(input).map((name) => {
      const value = smoothed(this.deviations.get(name), deviationOf(input, name), now, HALF_LIFE_MS);
      this.deviations.set(name, value);
      return { name, before: value.value, after: 0 };
    });
    const signs = { downForMs: new Map<string, number>(), scores, unbalanced: this.unbalanced };
    this.unbalanced = new Set(unbalancedDimensions(signs, DEFAULT_INTENT_RULES));
    return intentsOf(input, signs);
  }
}

const isBusy = (state: RegisterState): boolean => [...state.plans.values()].some((p) => !hasEnded(p.head.state));
