import type { Command } from 'commander';
import { invalid } from '@cadastre/core';
import type { Transport } from '@cadastre/contracts';
import { readToken, type TokenPlace, tokenPlace } from '../access/token-file.js';
import type { TlsOptions } from '../certificates/credentials.js';
import { resolveTls, transportOf } from '../certificates/credentials.js';
import { resolveServers } from '../cluster-file.js';
import { HttpCalls, resolveHttp } from '../http-calls.js';
import type { Io } from '../io.js';
import { EXIT, type ExitCode } from '../io.js';
import { OperatorCalls } from '../operator-calls.js';
import { Output } from '../output.js';
import type { Programs } from '../supervisor/programs.js';

export interface GlobalOptions extends TlsOptions {
  readonly server?: string;
  readonly json?: boolean;
  readonly actor?: string;
  readonly http?: string;
  readonly tokenFile?: string;
}

/** What each command is given beside its own arguments. */
export interface Context {
  readonly io: Io;
  readonly out: Output;
  /** Empty with a token: then it is who signed in. */
  readonly actor: string;
  /** Where the token of this user is, or is to be. @throws CadastreError */
  tokenPlace(): TokenPlace;
  /** @throws CadastreError FAILED_PRECONDITION for a file that others can read */
  token(): string | undefined;
  /** @param withToken by default who signed in asks */
  http(withToken?: string): HttpCalls;
  servers(): string[];
  /** The way to them, and to nodes. @throws CadastreError for credentials that are missing or of no use */
  transport(): Transport;
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
    const callers: OperatorCalls[] = [];
    const place = tokenPlace(session.io, options.tokenFile);
    const token = () => readToken(place);
    const servers = () => resolveServers(session.io, options.server);
    const tls = () => resolveTls(session.io, options);
    let opened: Transport | undefined;
    const transport = () => (opened ??= transportOf(session.io, tls()));
    const operator = () => {
      const calls = new OperatorCalls(servers(), { bearer: token(), transport: transport() });
      callers.push(calls);
      return calls;
    };
    const args = command.processedArgs.flat().filter((arg) => arg !== undefined) as string[];
    try {
      const context: Context = {
        io: session.io,
        out,
        actor: options.actor ?? (token() === undefined ? session.io.user : ''),
        tokenPlace: () => {
          if (place) return place;
          throw invalid('--token-file', 'is missing: this user has no home', 'say where the token is to be kept');
        },
        token,
        http: (...given) =>
          new HttpCalls(
            resolveHttp(session.io, options.http, tls() !== undefined),
            given.length > 0 ? given[0] : token(),
            tls(),
          ),
        servers,
        transport,
        operator,
        programs: session.programs,
      };
      session.exitCode = (await action(context, args, options)) ?? EXIT.ok;
    } catch (error) {
      out.error(error);
      session.exitCode = EXIT.error;
    } finally {
      for (const calls of callers) calls.close();
    }
  });
