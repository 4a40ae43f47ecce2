import type { HistoryEvent } from './history.js';

/** A promise that was broken. */
export interface Violation {
  /** `INV-3`, or a word of the checker's own. */
  readonly rule: string;
  readonly at: number;
  /** Keyspace and partition, key, plan or node. */
  readonly subject: string;
  readonly what: string;
}

/** Fed one event after the other, in order of time; says at once what the event breaks. */
export interface StreamChecker {
  observe(event: HistoryEvent): readonly Violation[];
}

export const NONE: readonly Violation[] = [];

export const describeViolation = ({ rule, at, subject, what }: Violation): string =>
  `${rule} at ${at.toFixed(1)} ms, ${subject}: ${what}`;
