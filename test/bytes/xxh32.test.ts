import assert from 'node:assert/strict';
import { test } from 'node:test';
import { xxh32 } from '../../src/bytes/xxh32.ts';

test('values of the reference implementation', () => {
  const known: readonly (readonly [string, number, number])[] = [
    ['', 0, 0x02cc5d05],
    ['', 0x9e3779b1, 0x36b78ae7],
    ['a', 0, 0x550d7456],
    ['abc', 0, 0x32d153ff],
    ['Nobody inspects the spammish repetition', 0, 0xe2293b2f],
  ];
  for (const [text, seed, value] of known) assert.equal(xxh32(Buffer.from(text), seed), value, text);
});
