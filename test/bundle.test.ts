/** scripts/bundle.mjs: joined modules do what they did apart. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { projectRoot } from './support/project.ts';

const folder = mkdtempSync(join(tmpdir(), 'bootseal-bundle-'));
after(() => rmSync(folder, { recursive: true }));
const script = pathToFileURL(join(projectRoot(), 'scripts', 'bundle.mjs')).href;

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

function node(code: string): {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
} {
  return spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8', cwd: folder });
}

function joinedText(entries: readonly string[]): ReturnType<typeof node> {
  const list = JSON.stringify(entries);
  return node(
    `import { joinModules } from '${script}'; process.stdout.write(joinModules(process.cwd(), ${list}))`,
  );
}

test('imports, exports, renamings, packages and late imports', () => {
  write({
    'package.json': '{"type":"module"}',
    'a/main.js': `#!/usr/bin/env node
import { join as put } from 'node:path';
import { one, two as zwei } from '../b/values.js';
import { passed } from './list.js';
import * as all from '../b/values.js';
import { here } from './stays.js';
export { one as first } from '../b/values.js';
export const text = put(one, zwei, passed, Object.keys(all).sort().join('-'));
export async function late() { return [(await import('../b/late.js')).name, (await import('./list.js')).passed]; }
export class Thing { static word = 'thing'; }
const hidden = 1;
export { hidden as shown, here };
`,
    'a/list.js': `export { one as passed } from '../b/values.js';\n`,
    'a/stays.js': `export const here = new URL('.', import.meta.url).pathname;\n`,
    'b/values.js': `export const one = 'one';\nexport const two = 'two';\n`,
    'b/late.js': `export const name = 'late';\n`,
  });
  const use =
    "import * as m from './a/main.js'; console.log(JSON.stringify([m.text, await m.late(), m.Thing.word, m.shown, m.first, m.here, Object.keys(m).sort()]))";
  const apart = node(use);
  assert.equal(apart.status, 0, apart.stderr);
  const joined = joinedText(['a/main.js']);
  assert.equal(joined.status, 0, joined.stderr);
  assert.ok(!joined.stdout.includes("from '../b/values.js'"));
  assert.ok(
    joined.stdout.includes("from './stays.js'"),
    'a module that finds files beside itself is not moved',
  );
  writeFileSync(join(folder, 'a/main.js'), joined.stdout);
  assert.equal(node(use).stdout, apart.stdout);
});

test('what is not understood is an error, not a guess', () => {
  write({
    'x.js': 'export default 1;\n',
    'y.js': "import a, { b } from './x.js';\n",
    'z.js': 'export let z = 1;\n',
  });
  for (const name of ['x.js', 'y.js', 'z.js']) assert.notEqual(joinedText([name]).status, 0, name);
});

test('the program of the package judges an image', () => {
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(projectRoot(), 'dist', 'cli', 'main.js'), 'verify', '--policy', 'absent.json', 'dir:absent'],
    { encoding: 'utf8', cwd: folder },
  );
  assert.equal(status, 3, stderr);
  assert.match(stderr, /Error loading trust policy: open absent\.json: no such file or directory/);
});
