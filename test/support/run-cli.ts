/** The command line as its users start it: a process of its own, from the compiled package. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './project.ts';

export interface CliOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Milliseconds; then it is killed. */
  readonly timeout?: number;
}

export interface CliResult {
  /** Exit status; -1 after a signal. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `bootseal ARGS` to its end, as from a pipe: no terminal, no colour. */
export async function bootseal(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const program = join(projectRoot(), 'dist', 'cli', 'main.js');
  if (!existsSync(program)) throw new Error('not compiled: npm run build');
  const child = spawn(process.execPath, [program, ...args], {
    cwd: options.cwd ?? projectRoot(),
    env: { ...process.env, NO_COLOR: '1', ...options.env },
    stdio: 'pipe',
    timeout: options.timeout ?? 120_000,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // A command that reads nothing may be gone before its input is written.
  child.stdin.on('error', () => undefined).end(options.input ?? '');
  const status = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? -1));
  });
  return { status, stdout, stderr };
}

/** As {@link bootseal}, for steps that must succeed: any other exit status throws with what was printed. */
export async function bootsealOk(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const result = await bootseal(args, options);
  if (result.status !== 0) {
    throw new Error(`bootseal ${args.join(' ')}: exit ${result.status}\n${result.stdout}${result.stderr}`);
  }
  return result;
}
