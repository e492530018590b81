/** Command lines in texts, checked against the commands that there are: words, options and how many arguments. */
import type { Command } from '../../src/cli/command.ts';
import { commonFlags } from '../../src/cli/common-flags.ts';
import { findCommand } from '../../src/cli/commands.ts';
import { kebab } from '../../src/cli/kebab.ts';

/** Lines that start with `bootseal` (after a prompt, or assignments), continued lines joined. */
export function commandLinesOf(text: string): string[] {
  const joined = text.replaceAll(/\\\n\s*/g, ' ');
  return [...joined.matchAll(/^\s*(?:\$ )?(?:[A-Z]+=\S*\s+)?(bootseal [a-z-][^\n]*)$/gm)].map(([, line]) =>
    line.trim(),
  );
}

/** What is wrong with a command line, or undefined. */
export async function problemOf(line: string): Promise<string | undefined> {
  const words = wordsOf(line.replaceAll(/\\\n\s*/g, ' ')).slice(1);
  if (['--help', '--version'].includes(words[0])) return undefined;
  const entry = findCommand(words);
  if (entry === undefined) return 'no such command';
  const { command } = await entry.load();
  const rest = words.slice(entry.path.length);
  let values = 0;
  for (let index = 0; index < rest.length; index++) {
    const word = rest[index];
    if (!word.startsWith('-') || word === '-') {
      values++;
      continue;
    }
    const [name, value] = word.split('=', 2);
    const kind = kindOf(command, name);
    if (kind === undefined) return `no option ${name}`;
    if (kind !== 'boolean' && value === undefined) index++;
  }
  if (command.manyArgs === true) return undefined;
  const needed = command.args.filter((argument) => argument.optional !== true).length;
  const asksHelp = rest.includes('--help');
  if (!asksHelp && (values < needed || values > command.args.length)) return `${values} arguments`;
  return undefined;
}

/** Up to a pipe, a redirection or a comment. */
function wordsOf(line: string): string[] {
  const words = [...line.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)].map(([word]) => word);
  const end = words.findIndex((word) => /^(\||>|2>|&&|;|#)/.test(word));
  return end === -1 ? words : words.slice(0, end);
}

function kindOf(command: Command, option: string): string | undefined {
  if (option === '--help' || option === '-h') return 'boolean';
  const flags = Object.entries({ ...command.flags, ...commonFlags });
  const letters: Readonly<Record<string, string>> = { q: 'quiet', v: 'verbose', ...command.aliases };
  const found = flags.find(
    ([name, flag]) =>
      `--${kebab(name)}` === option ||
      (flag.kind === 'boolean' && `--no-${kebab(name)}` === option) ||
      (option.length === 2 && letters[option[1]] === name),
  );
  return found?.[1].kind;
}
