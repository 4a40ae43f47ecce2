/** What the HTTP side is given, by name: there is no type metadata to inject by. */
export const OPERATIONS = Symbol('OperationsPort');
export const EVENTS = Symbol('EventStream');
export const READINESS = Symbol('Readiness');

export interface Readiness {
  /** Undefined when this replica can serve; else why not. */
  unreadyBecause(): string | undefined;
}
export const CLOCK = Symbol('clock');
