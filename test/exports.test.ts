/** The library from outside: every area of the export map is there, and every format has its line. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from './support/project.ts';

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
}

const root = projectRoot();
const { exports: map } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
const areas = Object.entries(map).flatMap(([name, target]) =>
  typeof target === 'string' ? [] : [[name, target] as const],
);

for (const [name, { types, default: file }] of areas) {
  test(`bootseal${name.slice(1)} can be imported`, async () => {
    assert.equal(types, file.replace(/\.js$/, '.d.ts'));
    const source = file.replace('./dist/', 'src/').replace(/\.js$/, '.ts');
    assert.ok(existsSync(join(root, source)), source);
    const compiled = new URL(`../${source.replace(/\.ts$/, '.js')}`, import.meta.url);
    const module = (await import(compiled.href)) as Record<string, unknown>;
    assert.ok(
      Object.values(module).some((value) => typeof value === 'function'),
      'exports no function',
    );
  });
}

test('every format has a line in the export map', () => {
  const formats = readdirSync(join(root, 'src', 'formats'));
  assert.deepEqual(
    formats.filter((format) => !(`./formats/${format}` in map)),
    [],
  );
});
