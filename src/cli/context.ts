/** What a command is given besides its options: signals, the streams for people, progress. */
import type { CommonFlags } from './common-flags.ts';
import type { Out } from './out.ts';
import type { Progress } from './progress.ts';
import { escapeText } from '../bytes/printable.ts';
import { isRich, plainStyle, richStyle, type Style } from './render/style.ts';

export interface CliContext {
  readonly env: NodeJS.ProcessEnv;
  /** Aborted by SIGINT and SIGTERM. Pass it on to every job: a job then removes what it had begun and throws. */
  readonly signal: AbortSignal;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly json: boolean;
  /** How text on standard output may look. */
  readonly style: Style;
  /** A line on standard error, unless `--quiet`. Control characters are escaped here. */
  note(line: string): void;
  /** A line on standard error with `--verbose` only. */
  detail(line: string): void;
  /** Progress on standard error; shows nothing before one second has passed. The same one at every call. */
  progress(): Promise<Progress>;
  /** Asks at the terminal, without echo. Throws `usage/no-terminal` where there is none. */
  askSecret(question: string): Promise<string>;
}

export interface OpenContext {
  readonly context: CliContext;
  /** Ends the progress display; call before anything else is printed. */
  readonly close: () => Promise<void>;
}

export function createContext(flags: CommonFlags, signal: AbortSignal, out: Out): OpenContext {
  let progress: Promise<Progress> | undefined;
  const startProgress = async (): Promise<Progress> => {
    const { createProgress } = await import('./progress.ts');
    return createProgress({ stream: process.stderr, env: process.env, silent: flags.quiet });
  };
  const context: CliContext = {
    env: process.env,
    signal,
    quiet: flags.quiet,
    verbose: flags.verbose,
    json: flags.json,
    style: isRich(process.stdout, process.env, flags.noColor) ? richStyle : plainStyle,
    note(line) {
      if (!flags.quiet) out.stderr(`${escapeText(line)}\n`);
    },
    detail(line) {
      if (flags.verbose) out.stderr(`${escapeText(line)}\n`);
    },
    progress: () => (progress ??= startProgress()),
    async askSecret(question) {
      const { askSecret } = await import('./prompt.ts');
      return askSecret(question, signal);
    },
  };
  return { context, close: async () => (await progress)?.stop() };
}
