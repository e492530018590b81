/**
 * How a command is written. One file under `commands/`, under 120 lines: options in, one job call, one outcome out.
 *
 * ```ts
 * import { defineCommand, imageArgument, text, type Command } from '../command.ts';
 *
 * interface Flags {
 *   readonly epoch?: string;                 // --epoch NAME
 *   readonly dryRun: boolean;                // --dry-run
 *   readonly cert?: readonly string[];       // --cert FILE, may be repeated
 * }
 *
 * export const command: Command = defineCommand<Flags, [image: string]>({
 *   description: 'Longer text for --help. Optional.',
 *   flags: {
 *     epoch: { kind: 'parsed', parse: text, optional: true, placeholder: 'NAME', brief: 'which release computes it' },
 *     dryRun: { kind: 'boolean', default: false, withNegated: false, brief: 'show what would be written' },
 *     cert: { kind: 'parsed', parse: text, optional: true, variadic: true, placeholder: 'FILE', brief: 'certificate' },
 *   },
 *   args: [imageArgument('IMAGE')],
 *   async run(context, flags, image) {
 *     const { digestImage } = await import('../../seal/digest.ts');      // jobs are imported lazily
 *     const result = await digestImage({ image, epoch: flags.epoch }, { signal: context.signal });
 *     return { ok: true, value: result.hex, json: { digest: result.hex } };
 *   },
 * });
 * ```
 *
 * Then one entry in `../commands.ts`. Keys are camelCase in code and kebab-case on the command line
 * (`'registries.d'` stays as it is). Every command also has `--json --quiet --verbose --no-color --help`.
 *
 * What a command may throw: BootsealError (one cause line, where, hint, its own exit status). Anything else is
 * reported as an internal error, exit 3. A wrong combination of options: `throw usageError('…')`, exit 2.
 * What it returns is printed by `render/outcome.ts`; a command itself prints nothing but `context.note(…)`.
 */
import type { FlagParametersForType, TypedPositionalParameter } from '@stricli/core';
import { BootsealError, type ExitStatus } from '../errors.ts';
import type { Step, StepDetail } from '../steps.ts';
import type { CommonFlags, FlagShape } from './common-flags.ts';
import type { CliContext } from './context.ts';

/** What a command has to say. Printed for people or, with `--json`, as one object. */
export interface Outcome {
  /** False: the verdict is no, exit 1. */
  readonly ok: boolean;
  /** Where `ok` does not say it all: 3 when a part of the verdict could not be had. */
  readonly exit?: 0 | ExitStatus;
  /** The whole answer, for `X=$(bootseal …)`: printed alone on standard output. */
  readonly value?: string;
  readonly verdict?: Verdict;
  readonly steps?: readonly Step[];
  /** Steps before the verdict, as a log of work done. Otherwise the verdict is the first line. */
  readonly stepsFirst?: boolean;
  /** Anything else for standard output: lines already laid out, untrusted parts already escaped. */
  readonly text?: string;
  /** Members of the JSON object beside `schema`, `ok` and `steps`. */
  readonly json?: Readonly<Record<string, unknown>>;
}

export interface Verdict {
  /** `accepted`, `refused`, `sealed`, … */
  readonly word: string;
  /** What it is about, in full: image name, or name and digest. */
  readonly subject: string;
  /** Why not, in the words of the peers; the first line on standard error when `ok` is false. */
  readonly reason?: string;
  /** Label and value lines below. */
  readonly facts?: readonly StepDetail[];
  readonly hint?: string;
}

/** For a command without options of its own. */
export type NoFlags = Readonly<Record<string, never>>;

type Flags = object;
type Args = readonly unknown[];

export interface CommandSpec<FLAGS extends Flags, ARGS extends Args> {
  readonly description?: string;
  readonly flags: FlagParametersForType<FLAGS>;
  /** One letter for a flag: `{ o: 'output' }`. */
  readonly aliases?: Readonly<Partial<Record<string, keyof FLAGS & string>>>;
  /** Positional parameters, each with a placeholder; those in brackets in the help are optional. */
  readonly args: { readonly [K in keyof ARGS]: TypedPositionalParameter<ARGS[K]> };
  /** The one argument may be given any number of times, or not at all. */
  readonly manyArgs?: boolean;
  readonly run: (context: CliContext, flags: FLAGS & CommonFlags, ...args: ARGS) => Promise<Outcome>;
}

/** A command whose types have been checked and forgotten. */
export interface Command {
  readonly description?: string;
  readonly flags: Readonly<Record<string, FlagShape>>;
  readonly aliases: Readonly<Record<string, string>>;
  readonly args: readonly ArgumentShape[];
  readonly manyArgs?: boolean;
  readonly run: (context: CliContext, flags: CommonFlags, ...args: readonly unknown[]) => Promise<Outcome>;
}

export interface ArgumentShape {
  readonly brief: string;
  readonly placeholder?: string;
  readonly optional?: boolean;
}

export function defineCommand<FLAGS extends Flags, ARGS extends Args>(
  spec: CommandSpec<FLAGS, ARGS>,
): Command {
  return {
    ...(spec.description === undefined ? {} : { description: spec.description }),
    flags: spec.flags,
    aliases: (spec.aliases ?? {}) as Command['aliases'],
    args: spec.args,
    ...(spec.manyArgs === true && { manyArgs: true }),
    run: spec.run as unknown as Command['run'],
  };
}

/** Parser of a flag or argument that is taken as it is. An empty one is a slip of the shell, and refused. */
export function text(input: string): string {
  if (input === '') throw new Error('must not be empty');
  return input;
}

export function imageArgument(
  placeholder: string,
  brief = 'image name, transport first; a bare name means docker://',
): {
  readonly parse: (input: string) => string;
  readonly placeholder: string;
  readonly brief: string;
} {
  return { parse: text, placeholder, brief };
}

export function usageError(message: string, hint?: string): BootsealError {
  return new BootsealError('usage/options', message, { exit: 2, ...(hint === undefined ? {} : { hint }) });
}
