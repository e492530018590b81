/** Running programs from the project's scripts. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** A failure that has been explained already: the script ends with its status and says no more. */
export class Failure extends Error {
  /**
   * @param {string} message
   * @param {number} [status]
   */
  constructor(message, status = 1) {
    super(message);
    this.status = status;
  }
}

/** @param {string} text */
export function say(text) {
  process.stderr.write(`${text}\n`);
}

/**
 * Runs a program to its end with the script's own console. Throws {@link Failure} on any status but 0.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ env?: Record<string, string>, cwd?: string, quiet?: boolean }} [options]
 *   `quiet`: standard output is dropped
 */
export function run(program, args, { env, cwd = root, quiet = false } = {}) {
  const { status, error } = spawnSync(program, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['inherit', quiet ? 'ignore' : 'inherit', 'inherit'],
  });
  if (error || status !== 0) {
    const why = error ? error.message : `exit ${status}`;
    throw new Failure(`${[program, ...args].join(' ')}: ${why}`, status ?? 1);
  }
}

/**
 * Runs a locally installed npm program.
 * @param {string} name
 * @param {readonly string[]} args
 */
export function runTool(name, args) {
  run(join(root, 'node_modules', '.bin', name), args);
}

/**
 * True when a program is in the search path, or a file of that absolute name is there.
 * Debian keeps some in the sbin folders, which users do not search.
 * @param {string} name
 */
export function isInstalled(name) {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin'];
  const candidates = isAbsolute(name) ? [name] : folders.map((folder) => join(folder, name));
  return candidates.some((path) => {
    try {
      accessSync(path, isAbsolute(name) ? constants.R_OK : constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Runs a script's main function; a {@link Failure} becomes one line and the exit status.
 * @param {() => Promise<void> | void} main
 */
export async function script(main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    say(error.message);
    process.exitCode = error.status;
  }
}
