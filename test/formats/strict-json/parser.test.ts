/** The strict JSON parser: what JSON.parse reads, nothing that Go refuses, and every duplicate seen. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isBootsealError } from '../../../src/errors.ts';
import { exactMembers } from '../../../src/formats/strict-json/go-decode.ts';
import { decodeGoBase64 } from '../../../src/formats/strict-json/go-base64.ts';
import { goQuote } from '../../../src/formats/strict-json/go-quote.ts';
import type { JsonNode } from '../../../src/formats/strict-json/json-node.ts';
import { plainValue } from '../../../src/formats/strict-json/plain.ts';
import { parseStrictJson } from '../../../src/formats/strict-json/parser.ts';
import { positionAt } from '../../../src/formats/strict-json/position.ts';

const LIMITS = { maxSize: 1024 * 1024 };

/** Prototypes aside, which only one of the two has. */
function same(a: unknown, b: unknown): void {
  assert.equal(JSON.stringify(a), JSON.stringify(b));
}

function parse(text: string | Uint8Array): JsonNode {
  return parseStrictJson(typeof text === 'string' ? Buffer.from(text) : text, LIMITS);
}

test('reads what JSON.stringify writes', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(undefined, 2, '\t'), (text, space) => {
      const spaced = JSON.stringify(JSON.parse(text), undefined, space);
      same(plainValue(parse(spaced)), JSON.parse(spaced));
    }),
  );
});

test('accepts no text that JSON.parse refuses, and refuses none that it accepts', () => {
  const pieces = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '"\\u0041"',
    '1',
    '-0',
    '1e5',
    '01',
    'true',
    'nul',
    ' ',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      const text = parts.join('');
      let expected: unknown;
      let valid = true;
      try {
        expected = JSON.parse(text);
      } catch {
        valid = false;
      }
      if (!valid) {
        assert.throws(() => parse(text), isBootsealError);
        return;
      }
      same(plainValue(parse(text)), expected);
    }),
    { numRuns: 2000 },
  );
});

test('duplicate keys are seen however they are spelt, and __proto__ is a key like any other', () => {
  for (const text of ['{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '{"__proto__":1,"__proto__":2}']) {
    assert.throws(() => exactMembers(parse(text), ['a', '__proto__']), { code: 'json/duplicate-key' });
  }
  const members = exactMembers(parse('{"__proto__":{"x":1}}'), ['__proto__']);
  assert.equal(Object.getOwnPropertyDescriptor(members, '__proto__')?.value.kind, 'object');
  assert.equal(({} as { x?: unknown }).x, undefined);
});

test('depth is a limit and not a crash', () => {
  const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  assert.equal(parse(deep(10_000)).kind, 'array');
  assert.throws(() => parse(deep(10_001)), { code: 'json/too-deep' });
  assert.throws(() => parse('['.repeat(1_000_000)), { code: 'json/too-deep' });
  assert.throws(() => parse('{"a":'.repeat(200_000)), { code: 'json/too-deep' });
});

test('size is a limit', () => {
  assert.throws(() => parseStrictJson(Buffer.from('[1,2,3]'), { maxSize: 6 }), { code: 'json/too-large' });
});

test('every cut of a document is refused at its end', () => {
  const text = '{"a":[1,-2.5e+3,"x\\n\\u00e9",true,null],"b":{}}';
  for (let length = 0; length < text.length; length++) {
    assert.throws(
      () => parse(text.slice(0, length)),
      (error) =>
        isBootsealError(error) && error.message === 'unexpected end of JSON input' && error.offset === length,
    );
  }
});

test('bytes that are no character become U+FFFD one by one, as in Go', () => {
  const bytes = Buffer.concat([
    Buffer.from('"'),
    Buffer.from([0xe2, 0x82, 0x41, 0xff, 0xc3, 0xa9]),
    Buffer.from('"'),
  ]);
  const node = parse(bytes);
  assert(node.kind === 'string');
  assert.equal(node.value, '\ufffd\ufffdA\ufffd\u00e9');
});

test('places count lines and characters', () => {
  const bytes = Buffer.from('a\nöö x');
  assert.deepEqual(positionAt(bytes, bytes.indexOf('x')), { line: 2, column: 4 });
  assert.deepEqual(positionAt(bytes, 0), { line: 1, column: 1 });
});

test('quoted text holds no control character', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const quoted = goQuote(text);
      // eslint-disable-next-line no-control-regex
      assert(!/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/.test(quoted));
    }),
  );
  assert.equal(goQuote('a"b\\c\u001b[31m\u202e'), '"a\\"b\\\\c\\x1b[31m\\u202e"');
});

test('base64 is read as Go reads it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(60), (bytes, at) => {
      const text = Buffer.from(bytes).toString('base64');
      const broken = `${text.slice(0, at)}\r\n${text.slice(at)}`;
      for (const each of [text, broken]) assert.deepEqual(decodeGoBase64(each), Uint8Array.from(bytes));
    }),
  );
  const refused: readonly [string, number][] = [
    ['YQ', 0],
    ['YQ=', 3],
    ['YQ==x', 4],
    ['YQ= =', 3],
    ['Y', 0],
    ['YWJj-_', 4],
    ['=', 0],
    ['YWI=YWI=', 4],
  ];
  for (const [text, offset] of refused) assert.equal(decodeGoBase64(text), offset, text);
});
