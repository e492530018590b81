/** Untrusted text at a terminal. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, property, string } from 'fast-check';
import { escapeJson, escapeLines, escapeText } from '../../src/bytes/printable.ts';

const cases: readonly (readonly [what: string, text: string, shown: string])[] = [
  ['plain text', 'quay.io/acme/os:10', 'quay.io/acme/os:10'],
  ['other scripts', 'größe 日本 עברית 🎉', 'größe 日本 עברית 🎉'],
  ['escape sequence', '\u001b[2J\u001b]0;title\u0007', '\\x1b[2J\\x1b]0;title\\x07'],
  ['C1 control sequence introducer', '\u009b31m', '\\x9b31m'],
  ['line ends and tabs', 'a\nb\r\tc', 'a\\nb\\r\\tc'],
  ['delete', '\u007f', '\\x7f'],
  ['right-to-left override', 'gpj.\u202eexe', 'gpj.\\u202eexe'],
  ['isolates', '\u2066x\u2069', '\\u2066x\\u2069'],
  ['zero width', 'ad\u200bmin\ufeff', 'ad\\u200bmin\\ufeff'],
  ['line separator', 'a\u2028b', 'a\\u2028b'],
  ['tag characters', 'a\u{e0041}b', 'a\\u{e0041}b'],
  ['half a surrogate pair', 'a\ud800b', 'a\\ud800b'],
];

for (const [what, text, shown] of cases) {
  test(what, () => assert.equal(escapeText(text), shown));
}

test('what is shown holds no control or invisible character, and escaping it again changes nothing', () => {
  check(
    property(string({ unit: 'binary' }), (text) => {
      const shown = escapeText(text);
      assert.doesNotMatch(shown, /\p{Cc}|\p{Cs}|[\u2028-\u202e\u2066-\u2069]/u);
      assert.equal(escapeText(shown), shown);
    }),
  );
});

test('lines of our own making stay lines', () => {
  assert.deepEqual(escapeLines('one\ntwo\u001b'), ['one', 'two\\x1b']);
});

test('JSON for a terminal parses to the same value and holds nothing but line feeds', () => {
  check(
    property(string({ unit: 'binary' }), (text) => {
      const shown = escapeJson(JSON.stringify({ [text]: text }, undefined, 2));
      assert.doesNotMatch(shown.replaceAll('\n', ''), /\p{Cc}|\p{Cs}|[\u2028-\u202e\u2066-\u2069]/u);
      assert.deepEqual(Object.entries(JSON.parse(shown) as object), [[text, text]]);
    }),
  );
});
