import type { Command } from 'commander';
import { resolveServers } from '../cluster-file.js';
import type { Io } from '../io.js';
import { EXIT, type ExitCode } from '../io.js';
import { OperatorCalls } from '../operator-calls.js';
import { Output } from '../output.js';
import type { Programs } from '../supervisor/programs.js';

export interface GlobalOptions {
  readonly server?: string;
  readonly json?: boolean;
  readonly actor?: string;
}

/** What each command is given beside its own arguments. */
export interface Context {
  readonly io: Io;
  readonly out: Output;
  readonly actor: string;
  servers(): string[];
  operator(): OperatorCalls;
  readonly programs: () => Programs;
}

/** What `main` shares with the commands it registers: the world, and where the exit code goes. */
export interface Session {
  readonly io: Io;
  readonly programs: () => Programs;
  exitCode: ExitCode;
}

export type Action<Options> = (context: Context, args: string[], options: Options) => Promise<ExitCode | void>;

/** Binds an action to a command: gives it a context, closes what it opened, keeps its exit code, prints its error. */
export const act = <Options>(session: Session, command: Command, action: Action<Options>): Command =>
  command.action(async () => {
    const options = command.optsWithGlobals<GlobalOptions & Options>();
    const out = new Output(session.io, options.json ?? false);
    const opened: OperatorCalls[] = [];
    const servers = () => resolveServers(session.io, options.server);
    const operator = () => {
      const calls = new OperatorCalls(servers());
      opened.push(calls);
      return calls;
    };
    const args = command.processedArgs.flat().filter((arg) => arg !== undefined) as string[];
    try {
      const context: Context = {
        io: session.io,
        out,
        actor: options.actor ?? session.io.user,
        servers,
        operator,
        programs: session.programs,
      };
      session.exitCode = (await action(context, args, options)) ?? EXIT.ok;
    } catch (error) {
      out.error(error);
      session.exitCode = EXIT.error;
    } finally {
      for (const calls of opened) calls.close();
    }
  });
