import type { WriteStream } from 'node:fs';
import { createWriteStream } from 'node:fs';
import type { HistoryEvent } from '../checkers/index.js';
import { encodeEvent } from '../checkers/index.js';

/** The machine's monotonic clock, in milliseconds: the same for all processes of a run. */
export const historyNow = (): number => Number(process.hrtime.bigint()) / 1e6;

type Unstamped<E> = E extends HistoryEvent ? Omit<E, 'at'> & { readonly at?: number } : never;

/** Appends events to one file. Each process of a run has its own. */
export class Recorder {
  private readonly file: WriteStream;
  private readonly listeners = new Set<(event: HistoryEvent) => void>();

  constructor(readonly path: string) {
    this.file = createWriteStream(path, { flags: 'a' });
  }

  record(event: Unstamped<HistoryEvent>): void {
    const stamped = { ...event, at: event.at ?? historyNow() } as HistoryEvent;
    this.file.write(encodeEvent(stamped));
    for (const listener of this.listeners) listener(stamped);
  }

  note(text: string): void {
    this.record({ type: 'note', text });
  }

  onEvent(listener: (event: HistoryEvent) => void): void {
    this.listeners.add(listener);
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.file.end(resolve));
  }
}
