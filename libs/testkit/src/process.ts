import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const KEPT_LINES = 2_000;

/** For a look inside: `CADASTRE_NODE_ARGS="--cpu-prof --cpu-prof-dir=prof"`. */
const NODE_ARGS = (process.env['CADASTRE_NODE_ARGS'] ?? '').split(' ').filter(Boolean);

const living = new Set<ChildProcess>();
process.once('exit', () => living.forEach((child) => child.kill('SIGKILL')));
const endWithUs = (child: ChildProcess): void => {
  living.add(child);
  child.once('exit', () => living.delete(child));
};

export interface StartOptions {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly withinMs?: number;
  /** Command that the process is run by, such as `ip netns exec NAME`; it must replace itself by it. */
  readonly prefix?: readonly string[];
  /** Each line that it writes. */
  readonly onLine?: (line: string) => void;
}

/** A Node process of ours that says in one JSON line, `"event":"listening"`, where it can be reached. Ends with this process. */
export class ServerProcess {
  private readonly kept: string[] = [];
  private readonly listeners = new Set<(line: Record<string, unknown>) => void>();
  listening: Record<string, string> = {};

  private constructor(
    readonly name: string,
    private readonly child: ChildProcess,
    private readonly onLine: (line: string) => void,
  ) {
    endWithUs(child);
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream! }).on('line', (line) => this.take(line));
  }

  static async start(options: StartOptions): Promise<ServerProcess> {
    const { name, script, args, env, withinMs = 30_000, prefix = [], onLine = () => undefined } = options;
    const [command, ...rest] = [...prefix, process.execPath, ...NODE_ARGS, script, ...args];
    const child = spawn(command!, rest, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    const server = new ServerProcess(name, child, onLine);
    server.listening = (await server.line('listening', (line) => line['event'] === 'listening', withinMs)) as Record<
      string,
      string
    >;
    return server;
  }

  get pid(): number {
    return this.child.pid!;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** What it has written last, for the message of a failed test. */
  log(lines = 60): string {
    return this.kept.slice(-lines).join('\n');
  }

  /** The next JSON line (or one already written) for which `test` holds. */
  line(
    what: string,
    test: (line: Record<string, unknown>) => boolean,
    withinMs = 30_000,
  ): Promise<Record<string, unknown>> {
    for (const text of this.kept) {
      const parsed = parse(text);
      if (parsed && test(parsed)) return Promise.resolve(parsed);
    }
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        clearTimeout(timer);
        this.listeners.delete(listener);
        this.child.removeListener('exit', onExit);
        settle();
      };
      const listener = (line: Record<string, unknown>) => {
        if (test(line)) finish(() => resolve(line));
      };
      const onExit = () => finish(() => reject(new Error(`${this.name} ended before "${what}":\n${this.log()}`)));
      const timer = setTimeout(
        () => finish(() => reject(new Error(`${this.name} did not say "${what}" in ${withinMs} ms:\n${this.log()}`))),
        withinMs,
      );
      this.listeners.add(listener);
      this.child.once('exit', onExit);
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Resolves when the process is gone. */
  async end(signal: NodeJS.Signals = 'SIGTERM', withinMs = 10_000): Promise<number | null> {
    if (this.running) {
      const gone = once(this.child, 'exit');
      const timer = setTimeout(() => this.child.kill('SIGKILL'), withinMs);
      this.child.kill(signal);
      await gone;
      clearTimeout(timer);
    }
    return this.child.exitCode;
  }

  private take(line: string): void {
    this.kept.push(line);
    if (this.kept.length > KEPT_LINES) this.kept.shift();
    this.onLine(line);
    const parsed = parse(line);
    if (parsed) for (const listener of this.listeners) listener(parsed);
  }
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a Node script until it ends by itself; killed, with code null, when it has not after `withinMs`. */
export const runToEnd = async (script: string, args: readonly string[], withinMs = 30_000): Promise<Ended> => {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  endWithUs(child);
  const timer = setTimeout(() => child.kill('SIGKILL'), withinMs);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  return { code, stdout, stderr };
};

const parse = (line: string): Record<string, unknown> | undefined => {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
};
