/**
 * Runs one command: options parsed by stricli, signals, the context, and the outcome or the error printed. The exit
 * status is 0 yes, 1 the verdict is no, 2 usage, 3 could not decide, 130 and 143 when interrupted.
 */
import { buildApplication, buildCommand, run, text_en } from '@stricli/core';
import { isBootsealError, withDetails } from '../errors.ts';
import { commonFlags, type CommonFlags } from './common-flags.ts';
import type { Command, Outcome } from './command.ts';
import { usageError } from './command.ts';
import type { CommandEntry } from './commands.ts';
import { createContext } from './context.ts';
import { openOut, type Out } from './out.ts';
import { describeError, failureJson, renderFailure } from './render/error.ts';
import { printOutcome } from './render/outcome.ts';
import { isRich, plainStyle, richStyle } from './render/style.ts';
import { watchSignals } from './signals.ts';
import { usageMessage } from './usage.ts';

/** A letter too many, missing, other or swapped counts one each. */
const EDIT_WEIGHTS = { insertion: 1, deletion: 1, substitution: 1, transposition: 1 };

type Ending = { readonly outcome: Outcome } | { readonly error: unknown };

export async function runCommand(entry: CommandEntry, argv: readonly string[]): Promise<number> {
  const { command } = await entry.load();
  if (asksForHelp(argv)) {
    const { commandHelp } = await import('./render/help.ts');
    process.stdout.write(commandHelp(entry, command));
    return 0;
  }
  const out = openOut();
  const signals = watchSignals();
  let ending: Ending | undefined;
  let flags: CommonFlags = {
    json: argv.includes('--json'),
    quiet: false,
    verbose: false,
    noColor: argv.includes('--no-color'),
  };
  const usage: string[] = [];
  const application = buildApplication<StricliContext>(
    buildCommand<CommonFlags, readonly unknown[], StricliContext>({
      docs: { brief: entry.summary },
      parameters: stricliParameters(command),
      func: async function (given, ...args) {
        flags = given;
        ending = await runGuarded(entry, command, given, args, signals.signal, out);
      },
    }),
    {
      name: ['bootseal', ...entry.path].join(' '),
      scanner: {
        caseStyle: 'allow-kebab-for-camel',
        allowArgumentEscapeSequence: true,
        distanceOptions: { threshold: 2, weights: EDIT_WEIGHTS },
      },
      localization: { text: { ...text_en, exceptionWhileParsingArguments: usageMessage } },
    },
  );
  const stream = { write: (text: string): void => void usage.push(text.trimEnd()) };
  await run(application, splitOddValues(argv), { process: { stdout: stream, stderr: stream, env: {} } });
  signals.dispose();
  return out.finish(
    printEnding(ending ?? { error: usageErrorOf(entry, usage) }, flags, signals.received(), out),
  );
}

interface StricliContext {
  readonly process: {
    readonly stdout: { write(text: string): void };
    readonly stderr: { write(text: string): void };
  };
}

async function runGuarded(
  entry: CommandEntry,
  command: Command,
  flags: CommonFlags,
  args: readonly unknown[],
  signal: AbortSignal,
  out: Out,
): Promise<Ending> {
  const { context, close } = createContext(flags, signal, out);
  try {
    const outcome = await command.run(context, flags, ...args);
    await close();
    printOutcome(outcome, context, out);
    return { outcome };
  } catch (error) {
    await close();
    return { error: explained(located(error, args), entry) };
  }
}

/** An error that does not say where it is, is in the one thing that the command is about. */
function located(error: unknown, args: readonly unknown[]): unknown {
  if (!isBootsealError(error) || error.where !== undefined || error.exit === 2) return error;
  const [only, ...others] = args;
  return typeof only === 'string' && others.length === 0 ? withDetails(error, { where: only }) : error;
}

/** Wrong usage without a better hint: the help. */
function explained(error: unknown, entry: CommandEntry): unknown {
  return isBootsealError(error) && error.code === 'usage/options'
    ? withDetails(error, { hint: helpHint(entry) })
    : error;
}

function helpHint(entry: CommandEntry): string {
  return `bootseal ${entry.path.join(' ')} --help`;
}

function printEnding(
  ending: Ending,
  flags: CommonFlags,
  received: NodeJS.Signals | undefined,
  out: Out,
): number {
  if ('outcome' in ending) return ending.outcome.exit ?? (ending.outcome.ok ? 0 : 1);
  const style = isRich(process.stderr, process.env, flags.noColor) ? richStyle : plainStyle;
  if (received !== undefined) {
    out.stderr(`${style.bad('interrupted')}: what had been begun was removed\n`);
    return received === 'SIGINT' ? 130 : 143;
  }
  const failure = describeError(ending.error);
  if (flags.json) out.stdout(failureJson(failure));
  out.stderr(renderFailure(failure, style, process.env['BOOTSEAL_DEBUG'] === '1'));
  return failure.exit;
}

function usageErrorOf(entry: CommandEntry, messages: readonly string[]): Error {
  return usageError(messages.join('\n') || 'wrong usage', helpHint(entry));
}

function stricliParameters(command: Command): never {
  // `never`: the flags were checked by defineCommand; their types cannot be carried through the table of commands.
  return {
    flags: { ...command.flags, ...commonFlags },
    aliases: { q: 'quiet', v: 'verbose', ...command.aliases },
    positional:
      command.manyArgs === true
        ? { kind: 'array', parameter: command.args[0] }
        : { kind: 'tuple', parameters: command.args },
  } as unknown as never;
}

/** The scanner takes `--name=value` apart only when the value is one line and not empty; others go as two words. */
function splitOddValues(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  return argv.flatMap((word, index) => {
    const match = end >= 0 && index >= end ? null : /^(--[a-zA-Z][\w.-]*)=(|.*\n.*)$/s.exec(word);
    return match === null ? [word] : [match[1], match[2]];
  });
}

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  const options = end === -1 ? argv : argv.slice(0, end);
  return options.includes('--help') || options.includes('-h');
}
