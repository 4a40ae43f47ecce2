import type { Clock } from '@cadastre/runtime';

/** One small piece of work, some microseconds; returns false when there is none. */
export type Piece = () => boolean;

/** To look at the clock takes as long as a tenth of a piece. */
const PIECES_A_LOOK = 8;

/**
 * Does the work of many readers in slices, so that the event loop is never held for long: within one turn of the loop the pieces get
 * `sliceMs` together, however often and by whomever they are asked for, and the rest waits for the next turns. What else the process
 * does (the controller's work, sessions, timers) comes in between.
 */
export class Pacer {
  /** A turn of the event loop in which work was done has not ended yet. */
  private inTurn = false;
  private used = 0;
  private pending = false;
  private stopped = false;
  private longest = 0;

  /** @param pieces the first ones go first: a later one waits while an earlier one has work */
  constructor(
    private readonly clock: Clock,
    private readonly sliceMs: number,
    private readonly pieces: readonly Piece[],
  ) {}

  /** Does what this turn has room for, at once. */
  run(): void {
    if (this.stopped) return;
    if (!this.inTurn) {
      this.inTurn = true;
      this.used = 0;
      this.clock.soon(() => this.onTurn());
    }
    this.spend();
  }

  stop(): void {
    this.stopped = true;
  }

  /** The longest that one turn was held since this was last asked. */
  takeLongestMs(): number {
    const { longest } = this;
    this.longest = 0;
    return longest;
  }

  private spend(): void {
    const before = this.used;
    const began = this.clock.monotonicMs();
    this.pending = true;
    while (this.pending && this.used < this.sliceMs) {
      for (let i = 0; this.pending && i < PIECES_A_LOOK; i += 1) this.pending = this.piece();
      this.used = before + this.clock.monotonicMs() - began;
    }
    this.longest = Math.max(this.longest, this.used);
  }

  private piece(): boolean {
    for (const piece of this.pieces) if (piece()) return true;
    return false;
  }

  private onTurn(): void {
    this.inTurn = false;
    if (this.pending) this.run();
  }
}
