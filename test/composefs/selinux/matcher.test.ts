/** Patterns of file_contexts against what the two engines of composefs-rs say to them. */
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { array, assert as check, constantFrom, letrec, oneof, property, string, tuple } from 'fast-check';
import { isRegular } from '../../../src/composefs/selinux/nfa.ts';
import { compileSpecs } from '../../../src/composefs/selinux/matcher.ts';
import { parsePcrePattern } from '../../../src/composefs/selinux/pcre-syntax.ts';
import { parseRustPattern } from '../../../src/composefs/selinux/rust-syntax.ts';
import { isBootsealError } from '../../../src/errors.ts';

/** Whether a pattern of a line matches a path, given a byte a character. */
function matches(regex: string, path: string): boolean {
  const matcher = compileSpecs([{ pattern: `^(${regex})-$`, where: 'line 1' }]);
  return matcher.match(matcher.run(matcher.start, path), '-', path) === 0;
}

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function parsedBy(regex: string): 'first' | 'second' | 'none' {
  const pattern = `^(${regex})-$`;
  for (const [name, parse] of [
    ['first', parseRustPattern],
    ['second', (text: string) => parsePcrePattern(latin1(text))],
  ] as const) {
    try {
      parse(pattern);
      return name;
    } catch (error) {
      assert.ok(isBootsealError(error), String(error));
    }
  }
  return 'none';
}

type Row = readonly [
  regex: string,
  engine: 'first' | 'second',
  yes: readonly string[],
  no: readonly string[],
];

const ROWS: readonly Row[] = [
  ['/a.c', 'first', ['/abc', '/a\nc', '/a\xffc'], ['/ac', '/a\0c']],
  ['/a.c(?=)', 'second', ['/abc', '/a\0c'], ['/a\nc']],
  ['/(a|b)+', 'first', ['/a', '/abba'], ['/', '/c']],
  ['/a{2,3}', 'first', ['/aa', '/aaa'], ['/a', '/aaaa']],
  ['/a{,3}', 'second', ['/', '/aaa'], ['/a{,3}', '/aaaa']],
  ['/a{x', 'second', ['/a{x'], ['/a']],
  ['/é*', 'first', ['/', latin1('/éé')], [latin1('/é').slice(0, 2)]],
  ['/é*(?=)', 'second', [latin1('/é'), latin1('/é').slice(0, 2), '/\xc3\xa9\xa9'], ['/']],
  [String.raw`/\xe9`, 'first', ['/\xe9'], [latin1('/é')]],
  [String.raw`/\x{e9}`, 'first', [latin1('/é')], ['/\xe9']],
  ['/[é]', 'second', ['/\xc3', '/\xa9'], [latin1('/é')]],
  [String.raw`/\h`, 'second', ['/ ', '/\t', '/\xa0'], ['/\n']],
  [String.raw`/([ab])\2`, 'second', ['/aa', '/bb'], ['/ab']],
  [String.raw`/(?:(a)|b)\2`, 'second', ['/aa'], ['/b', '/ba']],
  ['/(?>a*)a', 'second', [], ['/aaa']],
  ['/a*+b', 'first', ['/aab', '/b'], ['/aa']],
  ['/a*+(?=)ab', 'second', [], ['/aab']],
  ['/(?!b)[a-c]', 'second', ['/a', '/c'], ['/b']],
  ['/[a-c](?<!b)x', 'second', ['/ax'], ['/bx']],
  ['/(?<=^/)x', 'second', ['/x'], ['/y']],
  ['/[a-c&&[^b]]', 'first', ['/a', '/c'], ['/b', '/&']],
  ['/[a-c--b]', 'first', ['/a'], ['/b', '/-']],
  ['/[a-c~~b-d]', 'first', ['/a', '/d'], ['/b', '/c']],
  ['/[]a]', 'first', ['/]', '/a'], ['/b']],
  ['/[[:digit:]x]', 'first', ['/1', '/x'], ['/:']],
  ['/(?i)ab', 'first', ['/aB', '/AB'], ['/xb']],
  ['/(?i:a)b', 'first', ['/Ab'], ['/AB']],
  ['/a(?i)b|c', 'first', ['/aB', 'C'], ['/AB']],
  [String.raw`/\Qa.b\E?`, 'second', ['/a.b', '/a.'], ['/axb']],
  [String.raw`/\w+\b.*`, 'first', ['/ab', '/a-'], ['/-']],
  [String.raw`/a\z`, 'first', [], ['/a']],
  ['/a$', 'first', [], ['/a', '/a\n']],
  [String.raw`/\141`, 'second', ['/a'], ['/141']],
  [String.raw`/\pL`, 'second', ['/a', '/\xe9'], ['/1']],
  ['/a)|(/b', 'first', ['/a', '/axyz', '/b'], ['/c', '/xb']],
  ['/', 'first', ['/'], ['//']],
];

describe('patterns', () => {
  for (const [regex, engine, yes, no] of ROWS) {
    it(`${regex}, in the ${engine} engine`, () => {
      assert.equal(parsedBy(regex), engine);
      for (const path of yes) assert.ok(matches(regex, path), JSON.stringify(path));
      for (const path of no) assert.ok(!matches(regex, path), JSON.stringify(path));
    });
  }

  const refused = ['+a', '[z-a]', '(a', 'a)', 'a{3,2}', '(?<=a+)b', String.raw`\2\9(?=)`, '\\'];
  for (const regex of refused) {
    it(`no engine takes ${regex}`, () => {
      assert.equal(parsedBy(regex), 'none');
      assert.throws(() => matches(regex, '/a'), { code: 'composefs/bad-selinux-pattern', where: 'line 1' });
    });
  }

  const unsupported = [
    String.raw`(?u)\w`,
    '(?u).',
    '(?=)(?R)',
    '(?1)',
    '(?|a|b)',
    '(*FAIL)',
    '(?(1)a|b)',
    String.raw`a\Kb`,
    String.raw`\p{Greek}`,
    `${'('.repeat(80)}a${')'.repeat(80)}`,
  ];
  for (const regex of unsupported) {
    it(`${regex.slice(0, 20)} is an error and no guess`, () => {
      assert.throws(() => matches(regex, '/a'), {
        code: 'composefs/selinux-pattern-unsupported',
        where: 'line 1',
      });
    });
  }
});

describe('hostile patterns', () => {
  it('what takes other engines exponential time takes this one none', () => {
    const start = performance.now();
    assert.ok(!matches('/(a*)*b', `/${'a'.repeat(4000)}`));
    assert.ok(!matches('/(a|a)*b', `/${'a'.repeat(4000)}`));
    assert.ok(!matches('/(.*)(.*)(.*)(.*)(.*)b', `/${'a'.repeat(4000)}`));
    assert.ok(performance.now() - start < 5000);
  });

  it('counts are not taken at their word', () => {
    for (const regex of ['a{4000000000}', '(a{1000}){1000}']) {
      assert.throws(() => matches(regex, '/a'), /selinux|steps|counts/);
    }
    assert.ok(!matches('(?:){4000000000}', '/a'));
  });

  it('ways to match are counted where an automaton cannot help', () => {
    const path = `/${'a'.repeat(2000)}`;
    assert.throws(() => matches('/(a*)*(a*)*(a*)*(?!a)b', path), { code: 'composefs/selinux-too-complex' });
  });
});

/** Of bytes that JavaScript sees as both engines do. */
const regexes = letrec<{ node: string; atom: string }>((tie) => ({
  atom: oneof(
    { maxDepth: 2 },
    constantFrom('a', 'b', '.', '[ab]', '[^a]', String.raw`\d`, String.raw`\w`, String.raw`\.`, '/'),
    tuple(tie('node'), tie('node')).map(([a, b]) => `(${a}|${b})`),
    tie('node').map((node) => `(?:${node})`),
  ),
  node: array(tuple(tie('atom'), constantFrom('', '', '*', '+', '?', '{2}', '{1,2}', '*?')), {
    maxLength: 3,
  }).map((items) => items.map(([atom, count]) => atom + count).join('')),
})).node;
const subjects = string({ unit: constantFrom('a', 'b', '/', '1', '.', '\n', '\xe9'), maxLength: 5 });

test('both matchers agree with the expressions of JavaScript where all mean the same', () => {
  check(
    property(regexes, subjects, (regex, subject) => {
      const dotAll = new RegExp(`^(${regex})-$`, 's');
      assert.ok(isRegular(parseRustPattern(`^(${regex})-$`)));
      // NUL apart, which no path has, the first engine's dot is any byte.
      assert.equal(matches(regex, subject), dotAll.test(`${subject}-`));
      const noNewline = new RegExp(`^((?=)${regex})-$`);
      assert.ok(!isRegular(parsePcrePattern(`^((?=)${regex})-$`)));
      assert.equal(matches(`(?=)${regex}`, subject), noNewline.test(`${subject}-`));
    }),
    { numRuns: 500 },
  );
});

test('the last line that matches wins, whatever engine it is for', () => {
  const specs = ['/.*', '/usr(?=/).*', '/usr/.*', '/usr/(?!b).*', '/usr/b'].map((regex, at) => ({
    pattern: `^(${regex}).$`,
    where: `line ${at + 1}`,
  }));
  const matcher = compileSpecs(specs);
  const index = (path: string): number => matcher.match(matcher.run(matcher.start, path), 'd', path);
  assert.deepEqual(['/', '/usr', '/usr/a', '/usr/b', '/usr/bc'].map(index), [0, 0, 3, 4, 2]);
  assert.equal(index('x'), -1);
});
