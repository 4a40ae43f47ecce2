import type { Logger } from '@cadastre/runtime';
import type { Scheduler } from '../../libs/testkit/src/sim/index.js';

/** What a reader of a failed run wants to know, the last of it. */
const KEPT = 4000;

/** Faults, what processes log, what operators do, each with its virtual time. */
export class Trace {
  private readonly lines: string[] = [];
  print: ((line: string) => void) | undefined;

  constructor(private readonly scheduler: Scheduler) {}

  note(text: string): void {
    const line = `${this.scheduler.now.toFixed(1).padStart(9)} ${text}`;
    this.scheduler.mix(line);
    this.print?.(line);
    this.lines.push(line);
    if (this.lines.length > 2 * KEPT) this.lines.splice(0, KEPT);
  }

  last(count: number): string[] {
    return this.lines.slice(-count);
  }

  loggerOf(host: string, onEvent: (event: string, fields: Record<string, unknown>) => void): Logger {
    const say = (level: string) => (message: string, fields?: Record<string, unknown>) => {
      this.note(`${host} ${level}: ${message}${fields ? ` ${short(fields)}` : ''}`);
      if (typeof fields?.['event'] === 'string') onEvent(fields['event'], fields);
    };
    return { debug: () => undefined, info: say('info'), warn: say('warn'), error: say('error') };
  }
}

const short = (fields: Record<string, unknown>): string =>
  Object.entries(fields)
    .filter(([name]) => name !== 'event' && name !== 'stack')
    .map(
      ([name, value]) =>
        `${name}=${value instanceof Error ? `${value.name}: ${value.message}` : typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
    )
    .join(' ')
    .slice(0, 400);
