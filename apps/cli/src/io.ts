import type { Clock, Random } from '@cadastre/runtime';

/** All that a command may touch of the world outside; tests bring their own. */
export interface Io {
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Of the operating system; the default of --actor. */
  readonly user: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Runs `stop` at the first SIGINT or SIGTERM. @returns a function that ends this */
  onInterrupt(stop: () => void): () => void;
}

export const EXIT = { ok: 0, error: 1, pending: 2 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
