/** The documentation says what the code does. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { commands } from '../src/cli/commands.ts';
import { commandLinesOf, problemOf } from './support/command-lines.ts';
import { projectRoot } from './support/project.ts';

const root = projectRoot();

function documents(): string[] {
  const below = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => join('docs', file));
  return ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', ...below];
}

test('docs/errors.md lists every code, and none that is gone', () => {
  const { stdout, status } = spawnSync(
    process.execPath,
    [join(root, 'scripts', 'error-codes.mjs'), '--check'],
    {
      encoding: 'utf8',
    },
  );
  assert.equal(status, 0, stdout);
});

test('docs/known-attacks.md names tests that exist', () => {
  const text = readFileSync(join(root, 'docs', 'known-attacks.md'), 'utf8');
  const missing: string[] = [];
  let named = 0;
  // `file`, "name"; "another of it"
  for (const [, file, names] of text.matchAll(/`(test\/[^`]+)`((?:[,;] "[^"]+")+)/g)) {
    const source = readFileSync(join(root, file), 'utf8').replaceAll(/'\s*\+?\s*'/g, '');
    for (const [, name] of names.matchAll(/"([^"]+)"/g)) {
      named += 1;
      if (!source.includes(name)) missing.push(`${file}: ${name}`);
    }
  }
  assert.deepEqual(missing, []);
  assert(named > 40, String(named));
});

test('links between documents lead somewhere', () => {
  const broken: string[] = [];
  for (const file of documents()) {
    const text = readFileSync(join(root, file), 'utf8');
    for (const [, target] of text.matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)) {
      const external = /^[a-z]+:/.test(target);
      if (!external && !existsSync(join(root, dirname(file), target))) broken.push(`${file}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

test('command lines in the documents are ones that bootseal takes', async () => {
  const wrong: string[] = [];
  for (const file of documents()) {
    const text = readFileSync(join(root, file), 'utf8');
    // In code blocks only: elsewhere people write of commands that are to come.
    for (const [, block] of text.matchAll(/^```(?:sh|console|bash)?\n([\s\S]*?)^```/gm)) {
      for (const line of commandLinesOf(block)) {
        const problem = await problemOf(line);
        if (problem !== undefined) wrong.push(`${file}: ${line}: ${problem}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test('docs/json.md speaks of every command', () => {
  const text = readFileSync(join(root, 'docs', 'json.md'), 'utf8');
  const missing = commands.map(({ path }) => path.join(' ')).filter((name) => !text.includes(`\`${name}\``));
  assert.deepEqual(missing, []);
});
