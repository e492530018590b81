/**
 * Shell completion. The script of each shell hands the words typed so far to `bootseal __complete`, which answers with
 * one word a line: commands from the table, options from the command itself. Without an answer the shell completes
 * file names.
 */
import type { Command } from './command.ts';
import { commonFlags } from './common-flags.ts';
import { commands, findCommand } from './commands.ts';
import { kebab } from './kebab.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** The last word is the one being typed, maybe empty. */
export async function complete(words: readonly string[]): Promise<number> {
  for (const word of await proposals(words)) process.stdout.write(`${word}\n`);
  return 0;
}

async function proposals(words: readonly string[]): Promise<string[]> {
  const typed = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const entry = findCommand(before);
  if (entry === undefined) return nextWords(before, typed);
  const { command } = await entry.load();
  const choices = typed.startsWith('-') ? optionNames(command) : valuesOf(command, before.at(-1));
  // `digest` is a command, and so is `digest diff`.
  return [...nextWords(before, typed), ...choices.filter((choice) => choice.startsWith(typed))];
}

function nextWords(before: readonly string[], typed: string): string[] {
  const below = commands.filter((entry) => before.every((word, index) => entry.path[index] === word));
  const next = new Set(below.map((entry) => entry.path[before.length] ?? ''));
  return [...next].filter((word) => word !== '' && word.startsWith(typed));
}

function optionNames(command: Command): string[] {
  const flags = Object.entries({ ...command.flags, ...commonFlags });
  return [...flags.filter(([, flag]) => flag.hidden !== true).map(([name]) => `--${kebab(name)}`), '--help'];
}

/** The values of an option that has a fixed list of them. */
function valuesOf(command: Command, option: string | undefined): readonly string[] {
  const found = Object.entries(command.flags).find(([name]) => `--${kebab(name)}` === option);
  return found?.[1].values ?? [];
}

const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `_bootseal() {
  local IFS=$'\\n'
  COMPREPLY=($(bootseal __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _bootseal bootseal
`,
  zsh: `#compdef bootseal
_bootseal() {
  local -a words_found
  words_found=("\${(@f)$(bootseal __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${words_found[1]}" ]]; then compadd -a words_found; else _files; fi
}
if [[ "\${funcstack[1]}" = _bootseal ]]; then _bootseal "$@"; else compdef _bootseal bootseal; fi
`,
  fish: `complete -c bootseal -a '(bootseal __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`,
};

export function completionScript(shell: Shell): string {
  return SCRIPTS[shell];
}
