import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { CadastreError } from '@cadastre/core';
import type { Cancellable, Clock, Random } from '@cadastre/runtime';
import { Backoff } from '@cadastre/runtime';

export interface ChildSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The first word of the child that counts: a line of JSON on its stdout with this `event`. None: it counts as started at once. */
  readonly readyEvent?: string;
}

export interface ChildHost {
  readonly clock: Clock;
  readonly random: Random;
  /** One line for the person who watches. */
  say(line: string): void;
  onPid(event: { add: number } | { remove: number }): void;
  /** It has a new process, or none any more. */
  onChange(): void;
}

export type ReadyLine = Readonly<Record<string, unknown>>;

/** A child that has run so long is well: its next death is a new story, not the continuation of the last. */
const STABLE_MS = 30_000;

/** A process that is started again when it dies, unless it was told to stop. */
export class ManagedChild {
  private process: ChildProcess | undefined;
  private wanted = false;
  private startedAt = 0;
  private retry: Cancellable | undefined;
  private readonly backoff: Backoff;
  private exited: Promise<void> = Promise.resolve();
  restarts = 0;

  constructor(
    readonly spec: ChildSpec,
    private readonly host: ChildHost,
  ) {
    this.backoff = new Backoff({ initialMs: 250, maxMs: 10_000 }, host.random);
  }

  get pid(): number | undefined {
    return this.process?.pid;
  }

  get running(): boolean {
    return this.process !== undefined;
  }

  /** Resolves with the child's ready line. @throws CadastreError UNAVAILABLE when it ends before, or says nothing for `timeoutMs` */
  start(timeoutMs = 30_000): Promise<ReadyLine> {
    if (this.process)
      throw new CadastreError('FAILED_PRECONDITION', `${this.spec.name} runs already`, {
        field: 'id',
        remedy: 'nothing is to be done',
      });
    this.wanted = true;
    return this.launch(timeoutMs);
  }

  /** SIGTERM, then SIGKILL after `graceMs`. Resolves when the process has ended. */
  async stop(graceMs: number): Promise<void> {
    this.forget();
    const child = this.process;
    if (!child) return;
    child.kill('SIGTERM');
    const force = this.host.clock.after(graceMs, () => child.kill('SIGKILL'));
    await this.exited;
    force.cancel();
  }

  /** SIGKILL, without a restart. */
  async kill(): Promise<void> {
    this.forget();
    this.process?.kill('SIGKILL');
    await this.exited;
  }

  private forget(): void {
    this.wanted = false;
    this.retry?.cancel();
  }

  private launch(timeoutMs: number): Promise<ReadyLine> {
    const { command, args, env, logFile } = this.spec;
    const log = createWriteStream(logFile, { flags: 'a' });
    // A session of its own: Ctrl-C reaches the supervisor alone, which ends its children in order.
    const child = spawn(command, [...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      ...(env && { env: env as NodeJS.ProcessEnv }),
    });
    child.stdin.on('error', () => undefined);
    this.process = child;
    this.startedAt = this.host.clock.monotonicMs();
    if (child.pid !== undefined) this.host.onPid({ add: child.pid });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    let failure: Error | undefined;
    child.on('error', (error) => (failure = error));
    this.exited = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        log.end();
        this.onExit(child, failure ? failure.message : (signal ?? `exit code ${code}`));
        resolve();
      });
    });
    this.host.onChange();
    return this.ready(child, timeoutMs);
  }

  private ready(child: ChildProcess, timeoutMs: number): Promise<ReadyLine> {
    const { readyEvent, name, logFile } = this.spec;
    if (readyEvent === undefined) return Promise.resolve({});
    return new Promise((resolve, reject) => {
      const fail = (why: string) =>
        done(() => reject(new CadastreError('UNAVAILABLE', `${name} ${why}`, { remedy: `see ${logFile}` })));
      const timer = this.host.clock.after(timeoutMs, () =>
        fail(`has not said that it is listening within ${timeoutMs} ms`),
      );
      const lines = createInterface({ input: child.stdout! });
      const done = (finish: () => void) => {
        timer.cancel();
        lines.removeAllListeners('line');
        child.off('close', onClose);
        finish();
      };
      const onClose = () => fail('ended before it was listening');
      child.once('close', onClose);
      lines.on('line', (line) => {
        const parsed = parseReady(line, readyEvent);
        if (parsed) done(() => resolve(parsed));
      });
    });
  }

  private onExit(child: ChildProcess, how: string): void {
    if (this.process !== child) return;
    this.process = undefined;
    if (child.pid !== undefined) this.host.onPid({ remove: child.pid });
    this.host.onChange();
    if (this.wanted) this.restartLater(how);
  }

  private restartLater(how: string): void {
    if (this.host.clock.monotonicMs() - this.startedAt > STABLE_MS) this.backoff.reset();
    const inMs = this.backoff.nextMs();
    this.host.say(
      `${this.spec.name} ended (${how}): it is started again in ${Math.round(inMs)} ms; its log is ${this.spec.logFile}`,
    );
    this.retry = this.host.clock.after(inMs, () => {
      this.restarts += 1;
      this.launch(30_000).then(
        () => this.host.say(`${this.spec.name} is back (process ${this.pid})`),
        () => undefined, // its end has been said, and starts it again
      );
    });
  }
}

const parseReady = (line: string, event: string): ReadyLine | undefined => {
  if (!line.startsWith('{')) return undefined;
  try {
    const parsed = JSON.parse(line) as ReadyLine;
    return parsed['event'] === event ? parsed : undefined;
  } catch {
    return undefined;
  }
};
