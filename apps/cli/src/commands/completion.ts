import type { Command } from 'commander';
import { invalid } from '@cadastre/core';
import type { Session } from './context.js';
import { act } from './context.js';

interface Words {
  /** `plan approve`, empty for the program itself. */
  readonly path: string;
  readonly words: readonly string[];
}

/** `completion bash|zsh`: a script that knows every command and flag of this version. */
export const addCompletionCommand = (program: Command, session: Session): void => {
  const completion = program
    .command('completion')
    .argument('<shell>', 'bash or zsh')
    .description('for your shell: source <(cadastre completion bash)');
  act(session, completion, async ({ out }, [shell]) => {
    if (shell !== 'bash' && shell !== 'zsh') throw invalid('shell', `"${shell}" is unknown`, 'use bash or zsh');
    const script = scriptOf(wordsOf(program, ''), shell);
    out.result({ shell, script }, () => script);
  });
};

const wordsOf = (command: Command, path: string): Words[] => [
  {
    path,
    words: [
      ...command.commands.map((c) => c.name()),
      ...command.options.flatMap((o) => (o.long ? [o.long] : [])),
      '--help',
    ],
  },
  ...command.commands.flatMap((c) => wordsOf(c, path === '' ? c.name() : `${path} ${c.name()}`)),
];

const scriptOf = (all: readonly Words[], shell: 'bash' | 'zsh'): string => {
  const cases = all.map(({ path, words }) => `    '${path}') words='${words.join(' ')}' ;;`).join('\n');
  const paths = all.map(({ path }) => `'${path}'`).join('|');
  const compat = shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : '';
  return `${compat}_cadastre() {
  local path='' word words='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "\${path:+$path }$word" in
    ${paths}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _cadastre cadastre kubectl-cadastre
`;
};
