/** `bootseal COMMAND --help`. */
import type { ArgumentShape, Command } from '../command.ts';
import { commonFlags, type FlagShape } from '../common-flags.ts';
import type { CommandEntry } from '../commands.ts';
import { kebab } from '../kebab.ts';

const WIDTH = 100;
/** Longer left columns get the text on the next line. */
const MAX_LEFT = 34;

export function commandHelp(entry: CommandEntry, command: Command): string {
  const many = command.manyArgs === true ? '…' : '';
  const usage = ['bootseal', ...entry.path, '[OPTIONS]', ...command.args.map(argumentText)].join(' ') + many;
  const summary = `${entry.summary.charAt(0).toUpperCase()}${entry.summary.slice(1)}${entry.summary.endsWith('?') ? '' : '.'}`;
  const parts = [`Usage: ${usage}\n`, `${summary}\n`];
  if (command.description !== undefined) parts.push(`${wrap(command.description, 0)}\n`);
  const rows: [string, string][] = command.args.map((argument) => [argumentText(argument), argument.brief]);
  if (rows.length > 0) parts.push(`Arguments:\n${table(rows)}`);
  const options = Object.entries(command.flags).filter(([, flag]) => flag.hidden !== true);
  if (options.length > 0)
    parts.push(`Options:\n${table(options.map(([name, flag]) => optionRow(name, flag, command)))}`);
  const common = Object.entries(commonFlags).map(([name, flag]) => optionRow(name, flag, command));
  parts.push(`Common options:\n${table([...common, ['-h, --help', 'print this text']])}`);
  parts.push(`Examples:\n${entry.examples.map((example) => `  ${example}\n`).join('')}`);
  return parts.join('\n');
}

function argumentText(argument: ArgumentShape): string {
  const name = argument.placeholder ?? 'ARGUMENT';
  return argument.optional === true ? `[${name}]` : name;
}

const COMMON_ALIASES: Readonly<Record<string, string>> = { quiet: 'q', verbose: 'v' };

function optionRow(name: string, flag: FlagShape, command: Command): [string, string] {
  const letter =
    Object.entries(command.aliases).find(([, target]) => target === name)?.[0] ?? COMMON_ALIASES[name];
  const value = flag.kind === 'boolean' ? '' : ` ${flag.placeholder ?? flag.values?.join('|') ?? 'VALUE'}`;
  const left = `${letter === undefined ? '    ' : `-${letter}, `}--${kebab(name)}${value}`;
  return [left, `${flag.brief}${remark(flag)}`];
}

function remark(flag: FlagShape): string {
  const remarks: string[] = [];
  if (flag.kind !== 'boolean' && flag.optional !== true && flag.default === undefined)
    remarks.push('required');
  if (flag.variadic !== undefined && flag.variadic !== false) remarks.push('may be repeated');
  if (flag.kind === 'boolean' && flag.default === true) remarks.push('on by default');
  if (typeof flag.default === 'string' && flag.default !== '') remarks.push(`default ${flag.default}`);
  return remarks.length === 0 ? '' : ` (${remarks.join(', ')})`;
}

function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.min(MAX_LEFT, Math.max(...rows.map(([left]) => left.length))) + 4;
  return rows
    .map(([left, right]) => {
      const head = `  ${left}`;
      const text = wrap(right, width);
      return head.length + 2 > width
        ? `${head}\n${' '.repeat(width)}${text}\n`
        : `${head.padEnd(width)}${text}\n`;
    })
    .join('');
}

function wrap(text: string, indent: number): string {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && indent + line.length + 1 + word.length > WIDTH) {
        lines.push(line);
        line = word;
      } else line = line === '' ? word : `${line} ${word}`;
    }
    lines.push(line);
  }
  return lines.join(`\n${' '.repeat(indent)}`);
}
