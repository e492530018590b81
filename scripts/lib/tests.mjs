/** Finding and running test files. Node 20's test runner knows no patterns, so the list is made here. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { Failure, root } from './run.mjs';

/** A test file that takes longer than this hangs. */
const TIMEOUT_MS = 900_000;

/**
 * All test files, as paths from the checkout.
 * `fast`: runs within `npm test`. The others boot virtual machines or need the tree of peer programs.
 */
export function testFiles() {
  return readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => `test/${path}`)
    .sort()
    .map((path) => ({ path, fast: !path.startsWith('test/e2e/') && !usesPeers(path) }));
}

/**
 * True when a file or anything of test/ that it imports runs peer programs.
 * @param {string} path
 * @param {Set<string>} [seen]
 * @returns {boolean}
 */
function usesPeers(path, seen = new Set()) {
  if (path === 'test/support/peers.ts') return true;
  if (seen.has(path) || !path.startsWith('test/') || !existsSync(join(root, path))) return false;
  seen.add(path);
  const imports = readFileSync(join(root, path), 'utf8').matchAll(/from '(\.[^']+)'/g);
  return [...imports].some(([, target]) => usesPeers(join(dirname(path), target), seen));
}

/**
 * Runs compiled tests and prints the runner's own report. Throws when one fails, and when none ran.
 * @param {readonly string[]} sources paths from the checkout
 * @param {{ node?: string }} [options] another node program
 */
export function runTests(sources, { node = process.execPath } = {}) {
  const summary = join(root, '.build', 'tests.tap');
  mkdirSync(dirname(summary), { recursive: true });
  rmSync(summary, { force: true });
  const compiled = sources.map((path) => `.build/${path.replace(/\.ts$/, '.js')}`);
  if (compiled.length === 0) throw new Failure('no test files');
  const reporters = ['spec', 'stdout', 'tap', summary].map((value, at) =>
    at % 2 === 0 ? `--test-reporter=${value}` : `--test-reporter-destination=${value}`,
  );
  const concurrency = `--test-concurrency=${availableParallelism()}`;
  const { status } = spawnSync(
    node,
    ['--test', concurrency, `--test-timeout=${TIMEOUT_MS}`, ...reporters, ...compiled],
    { cwd: root, stdio: 'inherit' },
  );
  if (status !== 0) throw new Failure('tests failed', status ?? 1);
  const passed = Number(/^# pass ([0-9]+)$/m.exec(readFileSync(summary, 'utf8'))?.[1] ?? 0);
  if (passed === 0) throw new Failure('no test ran');
}
