import { CadastreError, printable } from '@cadastre/core';
import type { StaleInfo } from '@cadastre/contracts';
import { toJson } from './format.js';
import type { Io } from './io.js';

/** Of a plan that does not fit any more: what has changed, and what to propose. */
const staleFields = (info: unknown): object => {
  if (typeof info !== 'object' || info === null || !('proposeAgain' in info)) return {};
  const { changes, proposeAgain } = info as StaleInfo;
  return { changes, proposeAgain };
};

/** Where a command's words go: tables for people, JSON for programs. Exactly one of the two. */
export class Output {
  private liveLines = 0;

  constructor(
    private readonly io: Io,
    readonly json: boolean,
  ) {}

  /** True when a person watches: then what moves may be redrawn. */
  get live(): boolean {
    return !this.json && this.io.stdout.isTTY === true;
  }

  /** The one result of a command. */
  result(value: unknown, text: () => string): void {
    this.settle();
    this.io.stdout.write(this.json ? `${toJson(value)}\n` : text());
  }

  /** A line for people; nothing with --json. */
  say(line: string): void {
    if (this.json) return;
    this.clear();
    this.io.stdout.write(`${line}\n`);
  }

  warn(line: string): void {
    this.clear();
    this.io.stderr.write(`${line}\n`);
  }

  /** Redraws `text` in place on a terminal; elsewhere nothing. */
  redraw(text: string): void {
    if (!this.live) return;
    this.clear();
    this.io.stdout.write(text);
    this.liveLines = text.split('\n').length - 1;
  }

  /** Leaves what was drawn last where it is. */
  settle(): void {
    this.liveLines = 0;
  }

  clear(): void {
    if (this.liveLines > 0) this.io.stdout.write(`\u001b[${this.liveLines}A\u001b[0J`);
    this.liveLines = 0;
  }

  error(thrown: unknown): void {
    this.settle();
    const { code, message, field, limit, remedy, info } = CadastreError.from(thrown);
    if (this.json) {
      this.io.stderr.write(`${toJson({ error: { code, message, field, limit, remedy, ...staleFields(info) } })}\n`);
      return;
    }
    const more = remedy ? ` (${remedy})` : '';
    this.io.stderr.write(`${code}: ${printable(message + more, 1_000)}\n`);
  }
}
