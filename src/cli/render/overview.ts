/** `bootseal --help`, `bootseal key --help`, and what is said about words that name no command. */
import { writeSync } from 'node:fs';
import { editDistance } from '../../bytes/nearest.ts';
import { GROUPS, type CommandEntry } from '../commands.ts';
import { peerCommand } from './peer-commands.ts';

const HELP_WORDS: ReadonlySet<string> = new Set(['--help', '-h', 'help']);

const INTRODUCTION = `bootseal signs, seals and verifies container images, bootable or not.

Usage: bootseal COMMAND [OPTIONS] [ARGUMENTS]
       bootseal COMMAND --help
`;

const CLOSING = `Every command: --json, --quiet, --verbose, --no-color, --help. Also: --version.
Images: docker://, oci:, oci-archive:, dir:, docker-archive:, containers-storage:, as in
  containers-transports(5); a bare name means docker://.
Exit status: 0 yes, 1 the verdict is no, 2 usage, 3 could not decide.

Examples:
  bootseal key generate sigstore --output-prefix acme
  bootseal verify --policy policy.json docker://quay.io/acme/os:10
`;

export function printOverview(commands: readonly CommandEntry[], argv: readonly string[]): number {
  const words = argv.filter((word) => !HELP_WORDS.has(word));
  const wantsHelp = words.length < argv.length;
  const prefix = words.filter((word) => !word.startsWith('-'));
  const below = commands.filter((entry) => prefix.every((word, index) => entry.path[index] === word));
  if (wantsHelp && below.length > 0) {
    printNow(overview(below, prefix));
    return 0;
  }
  const error = argv.length === 0 || below.length > 0 ? missing(prefix) : unknown(commands, prefix, argv);
  process.stderr.write(error);
  return 2;
}

/** Written without `process.stdout`, whose making takes longer than all the rest of this command. */
function printNow(text: string): void {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  try {
    while (at < bytes.length) at += writeSync(1, bytes, at);
  } catch {
    // A pipe that is full for the moment, or closed: the stream knows how to deal with either.
    process.stdout.on('error', () => undefined).write(bytes.subarray(at));
  }
}

function overview(all: readonly CommandEntry[], prefix: readonly string[]): string {
  const commands = all.filter(({ hidden }) => hidden !== true);
  const names = commands.map((entry) => entry.path.join(' '));
  const width = Math.max(...names.map((name) => name.length)) + 2;
  const parts = [
    prefix.length === 0 ? INTRODUCTION : `Usage: bootseal ${prefix.join(' ')} COMMAND [OPTIONS]\n`,
  ];
  for (const group of GROUPS) {
    const lines = commands
      .filter((entry) => entry.group === group)
      .map((entry) => `  ${entry.path.join(' ').padEnd(width)}${entry.summary}\n`);
    if (lines.length > 0) parts.push(`${group}:\n${lines.join('')}`);
  }
  parts.push(
    prefix.length === 0
      ? CLOSING
      : `Examples:\n${commands.map((entry) => `  ${entry.examples[0]}\n`).join('')}`,
  );
  return parts.join('\n');
}

function missing(prefix: readonly string[]): string {
  const name = ['bootseal', ...prefix].join(' ');
  return `error: a command is missing after "${name}"\n  hint   ${name} --help\n`;
}

function unknown(
  commands: readonly CommandEntry[],
  prefix: readonly string[],
  argv: readonly string[],
): string {
  const peer = peerCommand(prefix, (name) => commands.some(({ path }) => path.join(' ') === name));
  if (peer !== undefined) {
    return `error: unknown command "${peer.given}"; here it is "${peer.ours}"\n  hint   bootseal ${peer.ours} --help\n`;
  }
  const given = prefix.length === 0 ? argv[0] : prefix.slice(0, 3).join(' ');
  // JSON.stringify escapes control characters; what is left (bidi controls) came from the user's own shell.
  const line = `error: unknown command ${JSON.stringify(given)}`;
  const close = closest(commands, given);
  const hint = close === undefined ? 'bootseal --help' : `bootseal ${close}`;
  return `${line}${close === undefined ? '' : `; did you mean "${close}"?`}\n  hint   ${hint}\n`;
}

function closest(commands: readonly CommandEntry[], given: string): string | undefined {
  let best: string | undefined;
  let bestDistance = 3;
  for (const entry of commands) {
    const name = entry.path.join(' ');
    const typed = given.split(' ').slice(0, entry.path.length).join(' ');
    if (typed.length >= 3 && name.startsWith(typed)) return name;
    const distance = editDistance(typed, name);
    if (distance < bestDistance) [best, bestDistance] = [name, distance];
  }
  return best;
}
