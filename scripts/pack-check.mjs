/**
 * Packs the package as it would be published, installs it in an empty folder, and runs it there on this Node and
 * on the newest one; then the fast tests on the newest one.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { build, installNpmPackages } from './lib/bootstrap.mjs';
import { newestNode } from './lib/newest-node.mjs';
import { Failure, root, run, say, script } from './lib/run.mjs';
import { runTests, testFiles } from './lib/tests.mjs';

/** Bytes of the packed file: far above what it needs, far below what a stray file of test data would make it. */
const MAX_PACKED = 1024 * 1024;

await script(() => {
  installNpmPackages();
  build({ tests: true });
  const newest = newestNode();
  const folder = mkdtempSync(join(tmpdir(), 'bootseal-pack-'));
  try {
    const packed = pack(folder);
    for (const node of [process.execPath, newest]) tryInstalled(node, packed, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  say(`\nfast tests on Node ${answer(newest, ['--version'])}`);
  runTests(
    testFiles()
      .filter(({ fast }) => fast)
      .map(({ path }) => path),
    { node: newest },
  );
});

/** @param {string} folder */
function pack(folder) {
  const output = answer('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], root);
  /** @type {[{ filename: string, size: number, files: { path: string }[] }]} */
  const [{ filename, size, files }] = JSON.parse(output);
  const stray = files
    .map(({ path }) => path)
    .filter((path) => !/^(dist\/|package\.json$|[A-Z]+(\.md)?$)/.test(path));
  if (stray.length > 0) throw new Failure(`files that do not belong into the package: ${stray.join(', ')}`);
  if (size > MAX_PACKED) throw new Failure(`the packed file has ${size} bytes, more than ${MAX_PACKED}`);
  say(`packed ${filename}: ${files.length} files, ${size} bytes`);
  return join(folder, filename);
}

/**
 * @param {string} node
 * @param {string} packed
 * @param {string} folder
 */
function tryInstalled(node, packed, folder) {
  const version = answer(node, ['--version']);
  const home = join(folder, version);
  mkdirSync(home);
  writeFileSync(join(home, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  // No scripts of any dependency may be needed.
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', packed], {
    cwd: home,
    quiet: true,
  });
  // `#!/usr/bin/env node` finds the Node that comes first.
  const path = `${dirname(node)}${delimiter}${process.env['PATH'] ?? ''}`;
  /** @param {string[]} args */
  const bootseal = (...args) => answer(join(home, 'node_modules', '.bin', 'bootseal'), args, home, path);
  const { version: expected } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect('--version', bootseal('--version'), (text) => text.includes(expected));
  expect('--help', bootseal('--help'), (text) => text.includes('digest'));
  const { layout, name, digest } = smallImage();
  expect('digest', bootseal('digest', `oci:${layout}:${name}`), (text) => text === digest);
  expect(
    'import',
    answer(
      node,
      ['--input-type=module', '-e', "console.log(typeof (await import('bootseal')).BootsealError)"],
      home,
    ),
    (text) => text === 'function',
  );
  say(`Node ${version}: the installed package runs`);
}

/** An image of the digest vectors, and what the reference implementation says it is. */
function smallImage() {
  const layout = join(root, 'test', 'vectors', 'oci-digest', 'oci');
  const file = join(layout, '..', 'vectors.json');
  /** @type {{ name: string, expect: { sha512: { bootable?: { any?: { V1?: unknown } } } } }[]} */
  const cases = JSON.parse(readFileSync(file, 'utf8'));
  for (const { name, expect: expected } of cases) {
    const digest = expected.sha512.bootable?.any?.V1;
    if (typeof digest === 'string') return { layout, name, digest };
  }
  throw new Failure(`${file} has no image with a digest`);
}

/**
 * @param {string} what
 * @param {string} got
 * @param {(text: string) => boolean} holds
 */
function expect(what, got, holds) {
  if (!holds(got))
    throw new Failure(`the installed package, ${what}: unexpected output ${JSON.stringify(got)}`);
}

/**
 * Standard output of a program, trimmed.
 * @param {string} program
 * @param {readonly string[]} args
 */
function answer(program, args, cwd = root, path = process.env['PATH']) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, PATH: path },
  });
  if (error || status !== 0) {
    throw new Failure(
      `${[program, ...args].join(' ')}: ${error?.message ?? `exit ${status}\n${stdout}${stderr}`}`,
    );
  }
  return stdout.trim();
}
