/** What the demo prints: steps, the commands as typed, and the answers of the real program. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Failure, root } from '../run.mjs';

const colour = process.stdout.isTTY && !process.env['NO_COLOR'];
/** @param {string} text */
const bold = (text) => (colour ? `\u001b[1m${text}\u001b[22m` : text);
/** @param {string} text */
const dim = (text) => (colour ? `\u001b[2m${text}\u001b[22m` : text);

/** Longer answers are for the folder of results, not for the screen. */
const MAX_LINES = 16;

/**
 * @param {number} number
 * @param {string} title
 */
export function heading(number, title) {
  process.stdout.write(`\n${bold(`${number}  ${title}`)}\n`);
}

/** @param {string} text what the step has shown */
export function proves(text) {
  process.stdout.write(`   ${bold('→')} ${text}\n`);
}

/** @param {string} text */
export function note(text) {
  process.stdout.write(`   ${dim(text)}\n`);
}

/**
 * Runs `bootseal ARGS`, shows both, and fails when the exit status is another than expected.
 * @param {readonly string[]} args
 * @param {{ expect?: number, quiet?: boolean, silent?: boolean, lines?: number }} [options]
 *   `quiet`: do not show the answer; `silent`: nor the command
 * @returns {Promise<{ stdout: string, stderr: string }>}
 */
export async function bootseal(args, { expect = 0, quiet = false, silent = false, lines = MAX_LINES } = {}) {
  if (!silent) process.stdout.write(`   $ bootseal ${args.map(shown).join(' ')}\n`);
  const child = spawn(process.execPath, [join(root, 'dist', 'cli', 'main.js'), ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  const status = await new Promise((resolve) => child.once('close', resolve));
  const answer = `${stdout}${stderr}`.trimEnd();
  if (status !== expect) {
    throw new Failure(`${answer}\nthe demo expected exit status ${expect}, and got ${status}`);
  }
  if (!quiet && !silent && answer !== '') {
    const all = answer.split('\n');
    for (const line of all.slice(0, lines)) process.stdout.write(`     ${line}\n`);
    if (all.length > lines) note(`  … ${all.length - lines} more lines`);
  }
  return { stdout, stderr };
}

/**
 * As it would be typed into a shell.
 * @param {string} argument
 */
function shown(argument) {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", String.raw`'\''`)}'`;
}
