import { appendFileSync } from 'node:fs';
import type { Cancellable, Clock, Logger } from '@cadastre/runtime';
import type { RegisterState } from '@cadastre/store';
import { checkpointOf } from '../operations/audit-log.js';

export interface AuditSinkOptions {
  /** A file that is appended to, or `-` for standard output. */
  readonly to: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly state: () => RegisterState;
  readonly writeOut: (line: string) => void;
  readonly periodMs?: number;
}

/**
 * Says every minute how long the audit log is and how it ends, to somewhere outside of etcd: who cuts the tail of the log, head and all,
 * cannot take that back. `cadastre audit verify --checkpoints` compares.
 */
export class AuditSink {
  private last = 0;
  private timer: Cancellable | undefined;

  constructor(private readonly options: AuditSinkOptions) {}

  start(): void {
    this.write();
    this.timer = this.options.clock.every(this.options.periodMs ?? 60_000, () => this.write());
  }

  /** With a last line. */
  stop(): void {
    if (!this.timer) return;
    this.timer.cancel();
    this.timer = undefined;
    this.write();
  }

  private write(): void {
    const { to, clock, logger, state, writeOut } = this.options;
    const checkpoint = checkpointOf(state(), clock.wallMs());
    if (!checkpoint || Number(checkpoint.number) <= this.last) return;
    const line = `${JSON.stringify({ event: 'audit-checkpoint', ...checkpoint })}\n`;
    try {
      if (to === '-') writeOut(line);
      else appendFileSync(to, line, { mode: 0o600 });
      this.last = Number(checkpoint.number);
    } catch (error) {
      logger.error('a checkpoint of the audit log could not be exported', { to, reason: (error as Error).message });
    }
  }
}
