/** Killing a command after some time, as a power cut would. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The program compiled beside this file. */
const PROGRAM = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

/** Milliseconds that the command takes, or undefined when it was killed before it ended. */
export async function runFor(args: readonly string[], limit: number): Promise<number | undefined> {
  const started = performance.now();
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: limit,
    killSignal: 'SIGKILL',
  });
  const [status] = (await once(child, 'exit')) as [number | null];
  if (status === null) return undefined;
  assert.equal(status, 0);
  return performance.now() - started;
}
