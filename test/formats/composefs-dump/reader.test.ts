import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readDump } from '../../../src/formats/composefs-dump/reader.ts';
import { vectorPath } from '../../support/project.ts';

interface Case {
  readonly name: string;
  readonly shows: string;
  readonly text: string;
  readonly rust: { readonly V1: string | { error: string } };
}

const cases = JSON.parse(readFileSync(vectorPath('dump', 'vectors.json'), 'utf8')) as Case[];
/** Refused only when the tree is built: order of parents, targets, duplicates. */
const TREE_RULES = /parent|twice|duplicate|dangling|self|target|missing|before/i;

for (const item of cases.filter(({ name }) => name.startsWith('ok.'))) {
  test(`${item.name}: ${item.shows}`, () => {
    const entries = [...readDump(readFileSync(vectorPath('dump', item.text)))];
    assert.ok(entries.length > 0);
  });
}

for (const item of cases.filter(({ name }) => name.startsWith('fail.'))) {
  test(`${item.name}: ${item.shows}`, (context) => {
    const text = readFileSync(vectorPath('dump', item.text));
    try {
      for (const _ of readDump(text));
    } catch (error) {
      assert.equal((error as { code: string }).code, 'dump/malformed');
      return;
    }
    context.diagnostic('left to the tree');
    assert.match(item.shows, TREE_RULES);
  });
}

test('every field that is not what it should be is refused, with its line', () => {
  const root = '/ 0 40755 2 0 0 0 0.0 - - -\n';
  const bad = [
    '/a 5 100644 1 0 0 0 0.0 - hell -\n',
    '/a 0 100644 1 0 0 0 0.1000000000 - - -\n',
    '/a 0 100644 1 0 0 1 0.0 - - -\n',
    '/a 0 40755 1 0 0 0 0.0 - - - user.a\n',
    '/a 0 120777 1 0 0 0 0.0 - - -\n',
    '/a//b 0 40755 2 0 0 0 0.0 - - -\n',
    '/a 0 @40755 2 0 0 0 0.0 /b - -\n',
    '/a 9 100644 1 0 0 0 0.0 - - abcd\n',
    '/a\\x0 0 40755 2 0 0 0 0.0 - - -\n',
    '/a 0 40755 2 0 0 0 0.0 - - -',
  ];
  for (const line of bad) {
    assert.throws(
      () => [...readDump(Buffer.from(root + line))],
      { code: 'dump/malformed', where: 'line 2' },
      line,
    );
  }
});
