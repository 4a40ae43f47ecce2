import type { MirrorEvents, RegisterChange, RegisterState } from '@cadastre/store';

type Listener = (change: RegisterChange, state: RegisterState) => void;

/** The mirror tells one; this tells all, in the order in which they came. */
export class RegisterFeed implements MirrorEvents {
  private readonly listeners = new Set<Listener>();

  constructor(readonly onFatal: (error: Error) => void) {}

  subscribe(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  onChange(change: RegisterChange, state: RegisterState): void {
    for (const listener of this.listeners) listener(change, state);
  }
}
