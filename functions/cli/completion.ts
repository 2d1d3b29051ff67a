/** `kashi completion bash|zsh|fish`: a script made from the commands themselves, so that it says what this version has. */
import { Argument, Command } from 'commander';
import type { Entry } from './command-table.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** What may follow a command or subcommand. */
export interface Completed {
  /** Names after `kashi`: none, one or two. */
  readonly path: readonly string[];
  readonly words: readonly { readonly word: string; readonly meaning: string }[];
}

export function completionCommand(entries: readonly Entry[]): Command {
  return new Command('completion')
    .description('print a script that completes commands, subcommands and options of kashi in a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText(
      'after',
      '\nExamples:\n  kashi completion bash > ~/.local/share/bash-completion/completions/kashi\n  kashi completion zsh  > ~/.zfunc/_kashi        (with fpath+=~/.zfunc before compinit)\n  kashi completion fish > ~/.config/fish/completions/kashi.fish\n\nIt completes a command that is called kashi: an alias for npx kashi will do.',
    )
    .action(async (shell: Shell) => {
      process.stdout.write(`${SCRIPTS[shell](await completedOf(entries))}\n`);
    });
}

/** Subcommands come before options; where a command has neither, the shell offers files. */
export async function completedOf(entries: readonly Entry[]): Promise<Completed[]> {
  const top = entries.map(({ name, summary }) => ({ word: name, meaning: summary }));
  const below: Completed[] = [];
  for (const { name, load } of entries) collect([name], await load(), below);
  return [{ path: [], words: [...top, { word: '--help', meaning: 'help' }, { word: '--version', meaning: 'version' }] }, ...below];
}

function collect(path: readonly string[], command: Command, into: Completed[]): void {
  const words = [
    ...command.commands.map((one) => ({ word: one.name(), meaning: one.description() })),
    ...command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices.map((word) => ({ word, meaning: '' }))),
    ...command.options.flatMap(({ long, description }) =>
      long === undefined || long === null ? [] : [{ word: long, meaning: description }],
    ),
    { word: '--help', meaning: 'help' },
  ];
  into.push({ path, words });
  for (const one of command.commands) collect([...path, one.name()], one, into);
}

const SCRIPTS: Readonly<Record<Shell, (all: readonly Completed[]) => string>> = { bash, zsh, fish };

/** Longest path first: `fleet promote` before `fleet *` before nothing. */
function cases(all: readonly Completed[], line: (words: string) => string): string {
  return [...all]
    .sort((left, right) => right.path.length - left.path.length)
    .map(({ path: [first = '', second], words }) => {
      const pattern = second === undefined ? (first === '' ? "' '" : `'${first} '*`) : `'${first} ${second}'`;
      return `    ${pattern}) ${line(words.map(({ word }) => word).join(' '))} ;;`;
    })
    .join('\n');
}

function bash(all: readonly Completed[]): string {
  return `# bash completion of kashi
_kashi() {
  local first='' second='' words=''
  if (( COMP_CWORD > 1 )); then first=\${COMP_WORDS[1]}; fi
  if (( COMP_CWORD > 2 )); then second=\${COMP_WORDS[2]}; fi
  case "$first $second" in
${cases(all, (words) => `words='${words}'`)}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o bashdefault -o default -F _kashi kashi`;
}

function zsh(all: readonly Completed[]): string {
  return `#compdef kashi
_kashi() {
  local first='' second=''
  if (( CURRENT > 2 )); then first=$words[2]; fi
  if (( CURRENT > 3 )); then second=$words[3]; fi
  case "$first $second" in
${cases(all, (words) => `compadd -- ${words}`)}
  esac
  _files
}
if [[ $funcstack[1] == _kashi ]]; then _kashi "$@"; else compdef _kashi kashi; fi`;
}

function fish(all: readonly Completed[]): string {
  const quoted = (text: string): string => `'${text.replaceAll(/[\\']/g, '\\$&')}'`;
  const lines = all.flatMap(({ path, words }) => {
    const seen = path.map((name) => `__fish_seen_subcommand_from ${name}`).join('; and ');
    const when = quoted(seen === '' ? '__fish_use_subcommand' : seen);
    return words.map(({ word, meaning }) => {
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`;
      return `complete -c kashi -n ${when} ${what}${meaning === '' ? '' : ` -d ${quoted(meaning)}`}`;
    });
  });
  return ['# fish completion of kashi', ...lines].join('\n');
}
