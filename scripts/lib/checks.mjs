/** The fast checks: what can be said about the code without running it. Each prints only what is wrong. */
import { say, runTool } from './run.mjs';

/** @type {readonly { name: string, tool: string, args: readonly string[] }[]} */
const CHECKS = [
  { name: 'types of the scripts', tool: 'tsc', args: ['-p', 'tsconfig.scripts.json'] },
  { name: 'lint', tool: 'oxlint', args: ['--quiet', 'src', 'test', 'bench', 'scripts'] },
  { name: 'format', tool: 'oxfmt', args: ['--check', 'src', 'test', 'bench', 'scripts'] },
  { name: 'unused code and dependencies', tool: 'knip', args: ['--no-progress'] },
  { name: 'package manifest', tool: 'publint', args: ['--strict'] },
];

/** Runs all, then throws the first failure: one run shows everything that is wrong. */
export function runChecks() {
  /** @type {unknown} */
  let first;
  for (const { name, tool, args } of CHECKS) {
    say(`checking ${name}`);
    try {
      runTool(tool, args);
    } catch (error) {
      first ??= error;
    }
  }
  if (first !== undefined) throw first;
}
