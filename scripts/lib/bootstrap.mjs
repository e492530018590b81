/**
 * Makes a fresh clone ready: npm packages, Debian packages, compiled code. Every step looks first whether there
 * is anything to do, so a second run costs next to nothing.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { bundleAll } from '../bundle.mjs';
import { Failure, isInstalled, root, run, runTool, say } from './run.mjs';

/** @typedef {{ name: string, shownBy: string, why: string }} Package */

/** `npm ci`, unless what is installed is at least as new as the lock file. */
export function installNpmPackages() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  const lock = join(root, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  say('installing npm packages (npm ci)');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { quiet: true });
}

/** @param {{ tests?: boolean }} [options] */
export function build({ tests = false } = {}) {
  say('compiling');
  runTool('tsc', ['-p', 'tsconfig.json']);
  bundleAll(join(root, 'dist'));
  if (tests) runTool('tsc', ['-p', 'tsconfig.test.json']);
}

/**
 * Installs what a section of debian-packages.txt lacks, after naming it. Where that cannot be done it says what
 * is missing and goes on.
 * @param {string} section
 * @returns {string[]} programs that are missing in the end
 */
export function installDebianPackages(section) {
  const missing = packagesOf(section).filter(({ shownBy }) => !isInstalled(shownBy));
  if (missing.length === 0) return [];
  const names = missing.map(({ name }) => name);
  const sudo = process.getuid?.() === 0 ? [] : ['sudo'];
  const refusal = !isInstalled('apt-get')
    ? 'this system has no apt-get'
    : sudo.length > 0 && !isInstalled('sudo')
      ? `not root, and no sudo: as root, run apt-get install -y --no-install-recommends ${names.join(' ')}`
      : undefined;
  if (refusal !== undefined) {
    say(`missing programs (${refusal}):`);
    for (const { shownBy, why } of missing) say(`  ${shownBy.padEnd(22)} ${why}`);
    return missing.map(({ shownBy }) => shownBy);
  }
  say('installing Debian packages:');
  for (const { name, why } of missing) say(`  ${name.padEnd(22)} ${why}`);
  if (!names.every(hasCandidate)) aptGet(sudo, ['update', '-q']);
  const install = ['install', '-y', '-q', '--no-install-recommends', ...names];
  try {
    aptGet(sudo, install);
  } catch (error) {
    // Lists from before the mirror's last change name files that are gone.
    if (!(error instanceof Failure)) throw error;
    aptGet(sudo, ['update', '-q']);
    aptGet(sudo, install);
  }
  const left = missing.filter(({ shownBy }) => !isInstalled(shownBy));
  if (left.length > 0)
    throw new Failure(`installed, but not there: ${left.map((it) => it.shownBy).join(', ')}`);
  return [];
}

/** Fetches apt's package lists where there are none, as on a fresh container: downloads need them. */
export function fetchPackageLists() {
  if (!isInstalled('apt-get') || hasCandidate('busybox-static')) return;
  const sudo = process.getuid?.() === 0 ? [] : ['sudo'];
  if (sudo.length > 0 && !isInstalled('sudo'))
    throw new Failure('no package lists: as root, run apt-get update');
  aptGet(sudo, ['update', '-q']);
}

/**
 * @param {readonly string[]} sudo
 * @param {readonly string[]} args
 */
function aptGet(sudo, args) {
  const [program, ...rest] = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args];
  run(program, rest, { quiet: true });
}

/** @param {string} name */
function hasCandidate(name) {
  const { stdout } = spawnSync('apt-cache', ['policy', name], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  return /Candidate: [^(\s]/.test(stdout ?? '');
}

/**
 * @param {string} wanted
 * @returns {Package[]}
 */
function packagesOf(wanted) {
  /** @type {Map<string, { includes: string[], packages: Package[] }>} */
  const sections = new Map();
  let current = '';
  for (const line of readFileSync(join(root, 'scripts', 'debian-packages.txt'), 'utf8').split('\n')) {
    const heading = /^\[(\w+)\](.*)$/.exec(line);
    const item = /^(\S+)\s+(\S+)\s+# (.+)$/.exec(line);
    if (line === '' || line.startsWith('#')) continue;
    if (heading) {
      current = heading[1];
      sections.set(current, { includes: heading[2].split(' ').filter(Boolean), packages: [] });
    } else if (item && sections.has(current)) {
      sections.get(current)?.packages.push({ name: item[1], shownBy: item[2], why: item[3] });
    } else {
      throw new Failure(`scripts/debian-packages.txt: cannot read ${JSON.stringify(line)}`);
    }
  }
  /**
   * @param {string} name
   * @returns {Package[]}
   */
  const collect = (name) => {
    const section = sections.get(name);
    if (!section) throw new Failure(`scripts/debian-packages.txt has no [${name}]`);
    return [...section.includes.flatMap(collect), ...section.packages];
  };
  return collect(wanted);
}
