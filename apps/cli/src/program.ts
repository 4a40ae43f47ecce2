import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { invalid } from '@cadastre/core';
import { addAccessCommands } from './commands/access.js';
import { addAgentCommands } from './commands/agent.js';
import { addApprovalCommands } from './commands/approval.js';
import { addAuditCommands } from './commands/audit.js';
import { addBackupCommands } from './commands/backup.js';
import { addCertCommands } from './commands/cert.js';
import { addClusterCommands } from './commands/cluster.js';
import { addCompletionCommand } from './commands/completion.js';
import type { Session } from './commands/context.js';
import { addKeyspaceCommands } from './commands/keyspace.js';
import { addKvCommands } from './commands/kv.js';
import { addLocateCommand } from './commands/locate.js';
import { addNodeCommands } from './commands/node.js';
import { addPlanCommands } from './commands/plan.js';
import { addExplainCommand } from './commands/plan-why.js';
import { addClusterPolicyCommand } from './commands/policy.js';
import { addRecoveryCommands } from './commands/recovery.js';
import { addRestoreCommand } from './commands/restore.js';
import { addReportCommands } from './commands/report.js';
import { addSchemeCommands } from './commands/scheme.js';
import { addSettingsCommands, addUnfreezeCommand } from './commands/settings.js';
import { addUpCommand } from './commands/up.js';
import type { Io } from './io.js';
import { EXIT, type ExitCode } from './io.js';
import { Output } from './output.js';
import { checkoutPrograms, type Programs } from './supervisor/programs.js';

const REGISTER = [
  addUpCommand,
  addAgentCommands,
  addClusterCommands,
  addLocateCommand,
  addKeyspaceCommands,
  addNodeCommands,
  addPlanCommands,
  addClusterPolicyCommand,
  addKvCommands,
  addSchemeCommands,
  addSettingsCommands,
  addUnfreezeCommand,
  addApprovalCommands,
  addReportCommands,
  addAuditCommands,
  addBackupCommands,
  addRestoreCommand,
  addRecoveryCommands,
  addExplainCommand,
  addAccessCommands,
  addCertCommands,
  addCompletionCommand,
];

const versionOf = (): string =>
  (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version;

/** Runs one command line; an empty one asks for help. @returns 0 done, 1 error, 2 a plan is open */
export const run = async (
  argv: readonly string[],
  io: Io,
  programs: () => Programs = checkoutPrograms,
): Promise<ExitCode> => {
  const session: Session = { io, programs, exitCode: EXIT.ok };
  const program = build(session);
  try {
    await program.parseAsync(argv.length === 0 ? ['--help'] : [...argv], { from: 'user' });
    return session.exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT.ok;
    new Output(io, argv.includes('--json')).error(usageError(error));
    return EXIT.error;
  }
};

const build = (session: Session): Command => {
  const program = new Command('cadastre')
    .description('who owns which partition: a sharding control plane, its agents and its data')
    .version(versionOf(), '--version', 'of this command line')
    .option(
      '--server <addresses>',
      'control planes as host:port, several with commas (or CADASTRE_SERVER; by default the cluster of this folder)',
    )
    .option('--json', 'one JSON document instead of text; a document a line where there are many')
    .option('--http <urls>', 'control planes as https://HOST:PORT, to sign in (or CADASTRE_HTTP)')
    .option('--tls-ca <file>', 'authorities that are believed, PEM: with it all is TLS (or CADASTRE_TLS_CA)')
    .option('--tls-cert <file>', 'certificate that is shown, PEM (or CADASTRE_TLS_CERT)')
    .option('--tls-key <file>', 'its private key, PEM (or CADASTRE_TLS_KEY)')
    .option('--token-file <path>', 'who you are, as cadastre login left it (or CADASTRE_TOKEN_FILE)')
    .option('--actor <name>', 'who acts, for the audit log; by default who signed in, or the user of this system')
    .showSuggestionAfterError(false);
  for (const register of REGISTER) register(program, session);
  quiet(program, session.io);
  return program;
};

/** Commander throws instead of ending the process, and leaves the printing of errors to us. */
const quiet = (command: Command, io: Io): void => {
  command.exitOverride().configureOutput({
    writeOut: (text) => void io.stdout.write(text),
    writeErr: () => undefined,
    outputError: () => undefined,
  });
  for (const child of command.commands) quiet(child, io);
};

const usageError = (error: CommanderError) => {
  if (error.code === 'commander.help')
    return invalid('command', 'is missing', 'see cadastre --help, or the --help of each command');
  const text = error.message.replace(/^error: /, '');
  // What is too much stands under the name of the command, which is not at fault.
  const field = error.code === 'commander.excessArguments' ? 'arguments' : (/'([^']+)'/.exec(text)?.[1] ?? 'arguments');
  return invalid(field, text, 'see cadastre --help, or the --help of each command');
};
