import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { concatBytes, equalBytes } from '../../../src/bytes/bytes.ts';
import { gzipStored } from '../../../src/formats/gzip/stored.ts';

test('zlib reads back what gzipStored writes', () => {
  const parts = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
  fc.assert(
    fc.property(parts, (list) => {
      const member = concatBytes([...gzipStored(list)]);
      return equalBytes(gunzipSync(member), concatBytes(list));
    }),
  );
});

test('parts longer than a stored block are split', () => {
  const part = new Uint8Array(200_001).map((_, at) => at % 251);
  const member = concatBytes([...gzipStored([part, new Uint8Array(0), part])]);
  assert.ok(equalBytes(gunzipSync(member), concatBytes([part, part])));
});

test('the bytes are fixed, whatever zlib is linked', () => {
  const member = concatBytes([...gzipStored([Uint8Array.of(0x61)])]);
  assert.equal(
    Buffer.from(member).toString('hex'),
    '1f8b08000000000000ff000100feff61010000ffff43beb7e801000000',
  );
});

test('the bytes do not tell how the content was cut into parts', () => {
  const content = new Uint8Array(200_001).map((_, at) => at % 251);
  const whole = concatBytes([...gzipStored([content])]);
  fc.assert(
    fc.property(fc.array(fc.nat(content.length), { maxLength: 6 }), (cuts) => {
      const bounds = [0, ...cuts.toSorted((a, b) => a - b), content.length];
      const parts = bounds.slice(1).map((end, at) => content.subarray(bounds[at], end));
      return equalBytes(concatBytes([...gzipStored(parts)]), whole);
    }),
    { numRuns: 30 },
  );
});
