import { Readable } from 'node:stream';
import { seededRandom, systemClock } from '@cadastre/runtime';
import type { Io } from '../io.js';

/** Test-only: a world that records what was written to it. */
export class FakeIo implements Io {
  out = '';
  err = '';
  readonly stdout = { write: (text: string) => void (this.out += text) };
  readonly stderr = { write: (text: string) => void (this.err += text) };
  readonly stdin: Io['stdin'];
  readonly user = 'tester';
  readonly clock = systemClock;
  readonly random = seededRandom(1);
  private readonly stops = new Set<() => void>();

  constructor(
    readonly cwd: string,
    input = '',
    readonly env: Io['env'] = {},
  ) {
    this.stdin = Readable.from(input === '' ? [] : [input]);
  }

  onInterrupt(stop: () => void): () => void {
    this.stops.add(stop);
    return () => this.stops.delete(stop);
  }

  interrupt(): void {
    for (const stop of this.stops) stop();
  }

  json<T>(): T {
    return JSON.parse(this.out) as T;
  }
}
