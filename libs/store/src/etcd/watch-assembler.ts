import type { Revision, WatchBatch, WatchEvent } from '../store.js';

export type Assembled =
  | { readonly kind: 'batches'; readonly batches: readonly WatchBatch[] }
  | { readonly kind: 'progress'; readonly revision: Revision }
  | { readonly kind: 'nothing' };

export interface WatchMessage {
  readonly events: readonly WatchEvent[];
  readonly fragment: boolean;
  readonly headerRevision: Revision;
  /** A progress mark whose header may be believed. */
  readonly isProgress: boolean;
}

/**
 * Turns the messages of one watch into whole revisions, and knows where to resume: after the last event DELIVERED, or after a
 * progress mark. Never after the header of a `created` message or of a message with events: while a watcher catches up, both
 * name the present revision although events before it are still to come.
 */
export class WatchAssembler {
  private fragments: WatchEvent[] = [];

  constructor(private next: Revision) {}

  get resumeFrom(): Revision {
    return this.next;
  }

  /** A lost connection takes half a message with it; all of it comes again. */
  reset(next: Revision = this.next): void {
    this.next = next;
    this.fragments = [];
  }

  accept(message: WatchMessage): Assembled {
    if (message.events.length > 0 || message.fragment) return this.acceptEvents(message);
    if (this.fragments.length > 0) return this.acceptEvents(message);
    return message.isProgress ? this.acceptProgress(message.headerRevision) : { kind: 'nothing' };
  }

  private acceptEvents({ events, fragment }: WatchMessage): Assembled {
    for (const event of events) this.fragments.push(event);
    if (fragment) return { kind: 'nothing' };
    const batches = groupByRevision(this.fragments, this.next);
    this.fragments = [];
    const last = batches.at(-1);
    if (last) this.next = last.revision + 1n;
    return { kind: 'batches', batches };
  }

  private acceptProgress(revision: Revision): Assembled {
    if (revision < this.next - 1n) return { kind: 'nothing' };
    this.next = revision + 1n;
    return { kind: 'progress', revision };
  }
}

/** Revisions before `next` have been delivered already. */
function groupByRevision(events: readonly WatchEvent[], next: Revision): WatchBatch[] {
  const groups = new Map<Revision, WatchEvent[]>();
  for (const event of events) {
    const revision = event.kv.modRevision;
    if (revision < next) continue;
    const group = groups.get(revision);
    if (group) group.push(event);
    else groups.set(revision, [event]);
  }
  return [...groups].map(([revision, group]) => ({ revision, events: group }));
}
