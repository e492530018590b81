/** The rules of the house, kept by a test: layers, cycles, purity, file size. docs/architecture.md explains them. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { codeOnly, findCycle, importsOf, type Import } from './support/source.ts';
import { projectRoot } from './support/project.ts';

const root = projectRoot();
const source = join(root, 'src');

/** From the bottom up. A file may import files of its own layer and of those below. */
const LAYERS: readonly (readonly string[])[] = [
  ['bytes'],
  ['formats'],
  ['stores'],
  ['trust', 'composefs', 'uki'],
  ['sign', 'verify', 'seal', 'run', 'host'],
  ['cli', 'serve'],
];

/** Files in `src/` itself that every layer may import. */
const SHARED: ReadonlySet<string> = new Set(['errors.ts', 'steps.ts']);

/** What these folders are made of: computation only. They are handed bytes and small interfaces. */
const PURE: ReadonlySet<string> = new Set(['bytes', 'formats', 'trust', 'composefs', 'uki']);
const PURE_MAY_IMPORT: ReadonlySet<string> = new Set([
  'node:crypto',
  // createRequire, for a package that loads twice as fast in its CommonJS form.
  'node:module',
  'node:zlib',
  'node:util',
  'node:buffer',
  'node:stream',
]);

const MAX_LINES = 500;
const MAX_COMMAND_LINES = 120;

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .sort();
const texts = new Map(files.map((file) => [file, readFileSync(join(source, file), 'utf8')]));
const imports = new Map(files.map((file) => [file, importsOf(texts.get(file)!)]));

function topFolder(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : '';
}

/** Areas whose subfolders are parts of their own; what lies beside those subfolders counts file by file. */
const AREAS: ReadonlySet<string> = new Set(['formats', 'stores']);

function folderOf(file: string): string {
  const area = topFolder(file);
  if (!AREAS.has(area)) return area;
  return file.split('/').length === 2 ? file : dirname(file);
}

function target(file: string, { specifier }: Import): string {
  return relative(source, join(source, dirname(file), specifier));
}

function relativeImports(file: string): Import[] {
  return imports.get(file)!.filter((found) => found.specifier.startsWith('.'));
}

test('every folder of src is in a layer', () => {
  const folders = new Set(files.map(topFolder).filter((folder) => folder !== ''));
  const known = new Set(LAYERS.flat());
  assert.deepEqual(
    [...folders].filter((folder) => !known.has(folder)),
    [],
  );
});

test('imports point down only', () => {
  const wrong: string[] = [];
  for (const file of files) {
    const own = LAYERS.findIndex((layer) => layer.includes(topFolder(file)));
    for (const found of relativeImports(file)) {
      const to = target(file, found);
      if (SHARED.has(to)) continue;
      const other = LAYERS.findIndex((layer) => layer.includes(topFolder(to)));
      // index.ts (own === -1) is the library's root export and sees everything.
      const fine = file === 'index.ts' ? true : own !== -1 && other !== -1 && other <= own;
      if (!fine) wrong.push(`${file} imports ${to}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('imports name a file that exists, with its extension', () => {
  const missing = files.flatMap((file) =>
    relativeImports(file)
      .filter((found) => !existsSync(join(source, target(file, found))))
      .map((found) => `${file} imports ${found.specifier}`),
  );
  assert.deepEqual(missing, []);
});

test('files do not import one another in a circle', () => {
  const graph = new Map(
    files.map((file) => [
      file,
      relativeImports(file)
        .filter((found) => !found.dynamic)
        .map((found) => target(file, found)),
    ]),
  );
  assert.equal(findCycle(graph)?.join(' -> '), undefined);
});

test('folders do not import one another in a circle', () => {
  const graph = new Map<string, string[]>();
  for (const file of files) {
    const from = folderOf(file);
    // Within cli the folders are one program: the table of commands loads the commands that use its types.
    if (from === 'cli' || from === '') continue;
    const targets = relativeImports(file).map((found) => folderOf(target(file, found)));
    graph.set(from, [...(graph.get(from) ?? []), ...targets.filter((to) => to !== from && to !== '')]);
  }
  assert.equal(findCycle(graph)?.join(' -> '), undefined);
});

test('pure folders import no file system, network, process or thread, not even dynamically', () => {
  const wrong: string[] = [];
  for (const file of files.filter((name) => PURE.has(topFolder(name)))) {
    for (const { specifier } of imports.get(file)!) {
      const builtin = specifier.startsWith('node:');
      if (builtin && !PURE_MAY_IMPORT.has(specifier)) wrong.push(`${file} imports ${specifier}`);
    }
    if (
      /\bprocess\s*\.\s*(?!arch\b|platform\b)|\bgetBuiltinModule\b|\brequire\s*\(|\bfetch\s*\(|\bDate\.now\b/.test(
        codeOnly(texts.get(file)!),
      )
    )
      wrong.push(`${file} reaches for process, require, fetch or the clock`);
  }
  assert.deepEqual(wrong, []);
});

test('built-in modules are imported with the node: prefix', () => {
  const bare =
    /^(assert|buffer|child_process|crypto|events|fs|http|https|net|os|path|stream|tls|tty|url|util|worker_threads|zlib)(\/|$)/;
  const wrong = files.flatMap((file) =>
    imports
      .get(file)!
      .filter((found) => bare.test(found.specifier))
      .map((found) => `${file}: ${found.specifier}`),
  );
  assert.deepEqual(wrong, []);
});

test(`no file is longer than ${MAX_LINES} lines, no command than ${MAX_COMMAND_LINES}`, () => {
  const lengths = files.map((file) => [file, texts.get(file)!.split('\n').length - 1] as const);
  const limit = (file: string): number => (file.startsWith('cli/commands/') ? MAX_COMMAND_LINES : MAX_LINES);
  assert.deepEqual(
    lengths.filter(([file, lines]) => lines > limit(file)),
    [],
  );
});

test('every file opens with its purpose', () => {
  const silent = files.filter((file) => !/^(#![^\n]*\n)?(\/\*\*|\/\/) ?\S?/.test(texts.get(file)!));
  assert.deepEqual(silent, []);
});

test('every format has a test', () => {
  const formats = new Set<string>(
    files.filter((file) => topFolder(file) === 'formats').map((file) => file.split('/')[1]),
  );
  const tests = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.test.ts'),
  );
  const untested = [...formats].filter(
    (format) =>
      !tests.some((file) => file.startsWith(`formats/${format}/`) || file.startsWith(`formats/${format}.`)),
  );
  assert.deepEqual(untested, []);
});

test('no `any`', () => {
  const wrong = files.filter((file) =>
    /[:<,|&]\s*any\b|\bas any\b|\bany\[\]/.test(codeOnly(texts.get(file)!)),
  );
  assert.deepEqual(wrong, []);
});

test('only the command line and the servers print', () => {
  const loud = files.filter(
    (file) =>
      !['cli', 'serve'].includes(topFolder(file)) &&
      /\bconsole\s*\.|\bprocess\s*\.\s*(stdout|stderr|exit)\b/.test(codeOnly(texts.get(file)!)),
  );
  assert.deepEqual(loud, []);
});

test('the checks above see every kind of import', () => {
  const text = `
    import a from './a.ts';
    import { b,
      type C } from "./b.ts";
    import type { D } from './d.ts';
    export * from './e.ts';
    import './f.ts';
    const g = await import('./g.ts');
    new Worker(new URL('./h.ts', import.meta.url));
    // import './no.ts';
    const text = 'import("./x.ts") // not a comment';`;
  const found = importsOf(text).map(({ specifier, dynamic }) => (dynamic ? `${specifier}*` : specifier));
  assert.deepEqual(found.slice(0, 7), [
    './a.ts',
    './b.ts',
    './d.ts',
    './e.ts',
    './f.ts',
    './g.ts*',
    './h.ts*',
  ]);
  assert.deepEqual(
    findCycle(
      new Map([
        ['a', ['b']],
        ['b', ['c']],
        ['c', ['b']],
      ]),
    ),
    ['b', 'c', 'b'],
  );
  assert.equal(
    findCycle(
      new Map([
        ['a', ['b', 'c']],
        ['b', ['c']],
      ]),
    ),
    undefined,
  );
});
