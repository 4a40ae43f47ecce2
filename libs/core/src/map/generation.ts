/**
 * Version of a keyspace's map. Never goes back for any observer (INV-2).
 * `incarnation` is the register's: it rises when a register is restored from a backup, so that an older world never looks newer.
 */
export interface Generation {
  readonly incarnation: number;
  readonly number: number;
}

export const compareGenerations = (a: Generation, b: Generation): number =>
  a.incarnation - b.incarnation || a.number - b.number;

export const nextGeneration = (g: Generation): Generation => ({ incarnation: g.incarnation, number: g.number + 1 });

export const formatGeneration = (g: Generation): string => `${g.incarnation}.${g.number}`;
