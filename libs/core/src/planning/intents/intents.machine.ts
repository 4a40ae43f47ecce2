import type { Intent } from './intents.js';

/** What asks for a plan, since when, and what was answered already. */
export interface IntentState {
  /** By kind and subject: when it was first seen. */
  readonly since: ReadonlyMap<string, number>;
  /** What the last proposal, or the answer that nothing is to be done, was made for. */
  readonly answered: ReadonlySet<string>;
}

export const NO_INTENTS: IntentState = { since: new Map(), answered: new Set() };

export interface IntentTiming {
  /** So long nothing new may come up before a plan is proposed: several intents make one plan. */
  readonly quietMs: number;
  /** No longer than this, though new ones keep coming. */
  readonly atMostMs: number;
}

export const DEFAULT_INTENT_TIMING: IntentTiming = { quietMs: 30_000, atMostMs: 300_000 };

export type IntentDecision =
  | {
      readonly do: 'propose';
      readonly intents: readonly Intent[];
      readonly reason: string;
      readonly state: IntentState;
    }
  | { readonly do: 'wait'; readonly why: string; readonly wakeAt: number | undefined; readonly state: IntentState };

const keyOf = (intent: Intent): string => `${intent.kind} ${intent.subject}`;
const REASONS_NAMED = 5;

/**
 * Whether to propose now. An intent is answered once: what a person turned down, or what no plan could help, is not proposed again and
 * again; one that ends and comes back is new.
 */
export const decideIntents = (
  before: IntentState,
  intents: readonly Intent[],
  now: number,
  { quietMs, atMostMs }: IntentTiming = DEFAULT_INTENT_TIMING,
): IntentDecision => {
  const since = new Map(intents.map((i) => [keyOf(i), before.since.get(keyOf(i)) ?? now]));
  const answered = new Set([...before.answered].filter((key) => since.has(key)));
  const state = { since, answered };
  const open = intents.filter((i) => !answered.has(keyOf(i)));
  if (open.length === 0)
    return {
      do: 'wait',
      why: intents.length === 0 ? 'nothing asks for a plan' : 'all is answered',
      wakeAt: undefined,
      state,
    };
  const times = open.map((i) => since.get(keyOf(i))!);
  const due = Math.min(Math.max(...times) + quietMs, Math.min(...times) + atMostMs);
  if (now < due) return { do: 'wait', why: 'more may come', wakeAt: due, state };
  const named = open.slice(0, REASONS_NAMED).map((i) => i.text);
  const more = open.length > REASONS_NAMED ? `; and ${open.length - REASONS_NAMED} more` : '';
  return {
    do: 'propose',
    intents: open,
    reason: `${named.join('; ')}${more}`,
    state: { since, answered: new Set([...answered, ...open.map(keyOf)]) },
  };
};
