import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { concatBytes } from '../../../src/bytes/bytes.ts';
import { encodeHex } from '../../../src/bytes/hex.ts';
import { HEADER, OLD_HEADER, type SplitChunk } from '../../../src/formats/splitstream/format.ts';
import {
  parseChunks,
  parseNames,
  parseSections,
  readSplitStream,
} from '../../../src/formats/splitstream/reader.ts';
import { encodeSplitStream, type SplitStreamParts } from '../../../src/formats/splitstream/writer.ts';
import { zstdStored } from '../../../src/formats/zstd/stored.ts';
import { zstdDecoder } from '../../../src/stores/zstd/decoder.ts';

const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(encodeHex);
const inline = fc
  .uint8Array({ minLength: 1, maxLength: 300 })
  .map((bytes): SplitChunk => ({ kind: 'inline', bytes }));
const chunk = fc.oneof(
  inline,
  digest.map((name): SplitChunk => ({ kind: 'object', digest: name })),
);
const name = fc
  .string({ minLength: 1, maxLength: 80, unit: 'grapheme' })
  .filter((text) => !text.includes('\0'));
const parts: fc.Arbitrary<SplitStreamParts> = fc.record({
  algorithm: fc.constant('sha256' as const),
  contentType: fc.constant('ocilayer'),
  contentSize: fc.nat(),
  namedRefs: fc.array(fc.tuple(name, digest), { maxLength: 5 }).map((entries) => new Map(entries)),
  chunks: fc.array(chunk, { maxLength: 8 }),
});

/** One stored in place of another that begins where it ended is the same content. */
function joined(chunks: readonly SplitChunk[]): unknown[] {
  return chunks.map((item) => (item.kind === 'inline' ? encodeHex(item.bytes) : item));
}

test('what is written is read back', async () => {
  await fc.assert(
    fc.asyncProperty(parts, async (stream) => {
      const read = await readSplitStream(encodeSplitStream(stream), zstdDecoder());
      assert.deepEqual(joined(read.chunks), joined(stream.chunks));
      assert.deepEqual(Object.fromEntries(read.namedRefs), Object.fromEntries(stream.namedRefs));
      assert.equal(read.contentSize, stream.contentSize);
      assert.equal(read.contentType, 'ocilayer');
      const objects = stream.chunks.flatMap((item) => (item.kind === 'object' ? item.digest : []));
      assert.deepEqual(read.objectRefs, [...new Set(objects)]);
    }),
    // Each run starts the zstd program twice where Node has none.
    { numRuns: 25 },
  );
});

test('stored zstd is what the zstd program decodes, runs and all', () => {
  const content = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 5000 }),
      fc
        .tuple(fc.nat(255), fc.integer({ min: 1, max: 300_000 }))
        .map(([value, length]) => Buffer.alloc(length, value)),
    ),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(content, (pieces) => {
      const frame = concatBytes([...zstdStored(pieces)]);
      const decoded = execFileSync('zstd', ['-d', '-q', '-c'], { input: frame, maxBuffer: 2 ** 26 });
      assert.ok(decoded.equals(concatBytes(pieces)));
    }),
    { numRuns: 40 },
  );
});

test('tar headers shrink', () => {
  const header = new Uint8Array(512);
  header.set(Buffer.from('usr/bin/true'), 0);
  header.set(Buffer.from('0000755\x000000000\x00'), 100);
  const frame = concatBytes([...zstdStored(Array.from({ length: 100 }, () => header))]);
  assert.ok(frame.length < 51200 / 4, `${frame.length} bytes`);
});

const EXAMPLE = encodeSplitStream({
  algorithm: 'sha256',
  contentType: 'ociconfg',
  contentSize: 3,
  namedRefs: new Map([['sha256:abc', '11'.repeat(32)]]),
  chunks: [
    { kind: 'inline', bytes: Uint8Array.of(1, 2) },
    { kind: 'object', digest: '22'.repeat(32) },
  ],
});

test('the header order of bootc up to 1.15 is read too', async () => {
  const old = Uint8Array.from(EXAMPLE);
  const header = EXAMPLE.slice(0, 32);
  old.set(header.subarray(HEADER.info, HEADER.info + 16), OLD_HEADER.info);
  old.set([0, 0], OLD_HEADER.flags);
  old.set(header.subarray(HEADER.magic, HEADER.magic + 11), OLD_HEADER.magic);
  old[OLD_HEADER.version] = 0;
  old[OLD_HEADER.algorithm] = header[HEADER.algorithm];
  old[OLD_HEADER.logBlock] = 12;
  assert.deepEqual(await readSplitStream(old, zstdDecoder()), await readSplitStream(EXAMPLE, zstdDecoder()));
});

for (const [what, change] of [
  ['no magic', (bytes: Uint8Array) => (bytes[0] = 0)],
  ['another version', (bytes: Uint8Array) => (bytes[HEADER.version] = 1)],
  ['another hash', (bytes: Uint8Array) => (bytes[HEADER.algorithm] = 3)],
  ['other blocks', (bytes: Uint8Array) => (bytes[HEADER.logBlock] = 16)],
  ['info behind the end', (bytes: Uint8Array) => (bytes[HEADER.info + 8 + 3] = 9)],
  ['a section that ends before it begins', (bytes: Uint8Array) => (bytes[32 + 8] = 0)],
  ['a length past what a number holds', (bytes: Uint8Array) => (bytes[32 + 72 + 7] = 0xff)],
] as const) {
  test(`refused: ${what}`, () => {
    const bytes = Uint8Array.from(EXAMPLE);
    change(bytes);
    assert.throws(() => parseSections(bytes), { code: 'splitstream/malformed' });
  });
}

test('refused: cut anywhere', async () => {
  for (let length = 0; length < EXAMPLE.length; length += 7) {
    await assert.rejects(readSplitStream(EXAMPLE.slice(0, length), zstdDecoder()), { name: 'BootsealError' });
  }
});

test('refused: chunks and names that lead nowhere', () => {
  const i64 = (value: bigint): Uint8Array => {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigInt64(0, value, true);
    return new Uint8Array(view.buffer);
  };
  for (const chunks of [i64(0n), i64(2n ** 62n), i64(-1n), i64(-(2n ** 63n)), Uint8Array.of(1)]) {
    assert.throws(() => parseChunks(chunks, []), { code: 'splitstream/malformed' });
  }
  for (const text of ['0:a\0', '1', ':\0', '00:a\0', '-1:a\0', 'x:a\0']) {
    assert.throws(() => parseNames(Buffer.from(text), []), { code: 'splitstream/malformed' });
  }
  assert.throws(() => parseNames(Buffer.from('0:a\x000:a\0'), ['x']), { code: 'splitstream/malformed' });
});
