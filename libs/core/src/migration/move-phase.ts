export const MOVE_PHASES = [
  'pending',
  'preparing',
  'transferring',
  'catching-up',
  'handing-over',
  'cutover',
  'cleaning-up',
  'done',
  'failed',
  'cancelled',
] as const;
export type MovePhaseName = (typeof MOVE_PHASES)[number];

/** How far a move is, each phase with what it knows. */
export type MovePhase =
  | { readonly name: 'pending' }
  /** The learner is being written into the map. */
  | { readonly name: 'preparing'; readonly to: string }
  | { readonly name: 'transferring'; readonly to: string; readonly bytesDone: number; readonly bytesTotal: number }
  | { readonly name: 'catching-up'; readonly to: string; readonly appliedSeq: number }
  | { readonly name: 'handing-over'; readonly to: string }
  /** The source, or on the way back the target, leaves the map. */
  | { readonly name: 'cutover'; readonly node: string }
  | { readonly name: 'cleaning-up'; readonly waitingFor: 'agents' | 'source' }
  | { readonly name: 'done' }
  | { readonly name: 'failed'; readonly why: string }
  | { readonly name: 'cancelled'; readonly why: string };

const ENDS: readonly MovePhaseName[] = ['done', 'failed', 'cancelled'];

export const isEnded = (phase: MovePhaseName): boolean => ENDS.includes(phase);

/** Begun and not ended: it uses the limits, and a cancel waits for it. */
export const isInFlight = (phase: MovePhaseName): boolean => phase !== 'pending' && !isEnded(phase);
