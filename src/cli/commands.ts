/**
 * The table of commands: words, one line, examples, and where the code is. One entry a command; the code behind
 * `load` is imported only when the command runs or prints its own help.
 */
import type { Command } from './command.ts';

export interface CommandEntry {
  /** The words after `bootseal`. */
  readonly path: readonly string[];
  readonly summary: string;
  /** Whole command lines, shown by `--help`. */
  readonly examples: readonly string[];
  readonly group: Group;
  readonly load: () => Promise<{ readonly command: Command }>;
}

/** Headings of `bootseal --help`, in their order. */
export type Group = 'Keys and trust' | 'Sign and copy' | 'Verify' | 'Seal' | 'Host' | 'Help';

export const commands: readonly CommandEntry[] = [
  {
    path: ['completion'],
    summary: 'print a completion script for bash, zsh or fish',
    examples: [
      'source <(bootseal completion bash)',
      'bootseal completion fish > ~/.config/fish/completions/bootseal.fish',
    ],
    group: 'Help',
    load: () => import('./commands/completion.ts'),
  },
];

/** The command whose words the arguments start with. */
export function findCommand(argv: readonly string[]): CommandEntry | undefined {
  return commands.find((entry) => entry.path.every((word, index) => argv[index] === word));
}
