import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { concatBytes, equalBytes } from '../../../src/bytes/bytes.ts';
import { BootsealError } from '../../../src/errors.ts';
import { createFrameWalker } from '../../../src/formats/zstd/frames.ts';
import { unzstd } from '../../../src/formats/zstd/reader.ts';
import { zstdDecoder } from '../../../src/stores/zstd/decoder.ts';
import { inChunks } from '../../support/layers.ts';

function compress(bytes: Uint8Array, ...options: readonly string[]): Uint8Array {
  return execFileSync('zstd', ['-q', '-c', ...options], { input: bytes, maxBuffer: 2 ** 26 });
}

const TEXT = Buffer.from('seven words that come again and again. '.repeat(9000));
const FRAMES: readonly Uint8Array[] = [
  compress(TEXT),
  compress(TEXT, '--no-check'),
  compress(new Uint8Array(0)),
  compress(new Uint8Array(300_000)),
  compress(TEXT, '--single-thread', '--long=27'),
];

function skippable(length: number): Uint8Array {
  const frame = new Uint8Array(8 + length).fill(0xfd);
  new DataView(frame.buffer).setUint32(0, 0x184d2a50 + (length % 16), true);
  new DataView(frame.buffer).setUint32(4, length, true);
  return frame;
}

/** Frames as the walker gives them out. */
function walk(bytes: Uint8Array, chunk: number): Uint8Array[] {
  const walker = createFrameWalker();
  const frames: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += chunk) {
    for (const piece of walker.push(bytes.slice(at, at + chunk))) {
      parts.push(piece.bytes);
      if (!piece.last) continue;
      frames.push(concatBytes(parts));
      parts = [];
    }
  }
  walker.end();
  assert.equal(parts.length, 0);
  return frames;
}

test('frames are found in chunks of any length, skippable ones left out', () => {
  const part = fc.oneof(fc.nat(FRAMES.length - 1), fc.nat(40).map(skippable));
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 900 }),
      (list, chunk) => {
        const stream = concatBytes(list.map((item) => (typeof item === 'number' ? FRAMES[item] : item)));
        const expected = list.filter((item) => typeof item === 'number').map((index) => FRAMES[index]);
        const found = walk(stream, chunk);
        assert.equal(found.length, expected.length);
        assert.ok(found.every((frame, index) => equalBytes(frame, expected[index])));
      },
    ),
    { numRuns: 60 },
  );
});

function refused(code: string): (error: unknown) => boolean {
  return (error) => error instanceof BootsealError && error.code === code;
}

test('a stream that ends inside a frame is refused', () => {
  const [frame] = FRAMES;
  for (let length = 0; length < frame.length; length++) {
    assert.throws(() => walk(frame.subarray(0, length), 1000), refused('zstd/truncated'), `${length} bytes`);
  }
  assert.throws(() => walk(skippable(10).subarray(0, 12), 5), refused('zstd/truncated'));
});

test('what is no frame is refused', () => {
  assert.throws(() => walk(Buffer.from('not zstd'), 3), refused('zstd/corrupt'));
  assert.throws(() => walk(concatBytes([FRAMES[0], Buffer.from('tail')]), 7), refused('zstd/trailing-data'));
  assert.throws(() => walk(concatBytes([FRAMES[0], new Uint8Array(4)]), 7), refused('zstd/trailing-data'));
});

test('windows over 128 MiB and dictionaries are refused before anything is decoded', () => {
  // Magic, descriptor without single segment, window descriptor: exponent 18 is 256 MiB, 17 is 128 MiB.
  const withWindow = (byte: number): Uint8Array => Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, byte, 1, 0, 0);
  assert.equal(walk(withWindow(17 << 3), 9).length, 1);
  assert.throws(() => walk(withWindow((17 << 3) | 1), 9), refused('zstd/window'));
  assert.throws(() => walk(withWindow(18 << 3), 9), refused('zstd/window'));
  // In a single segment the content is the window: here 2^40 bytes.
  const single = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0);
  assert.throws(() => walk(single, 16), refused('zstd/window'));
  const dictionary = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x01, 17 << 3, 9, 1, 0, 0);
  assert.throws(() => walk(dictionary, 16), refused('zstd/dictionary'));
});

async function decode(stream: Uint8Array, chunk = 1000): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
    yield* inChunks(stream, chunk);
  }
  for await (const part of unzstd(source(), zstdDecoder())) parts.push(part.slice());
  return concatBytes(parts);
}

test('every frame is decoded', async () => {
  const stream = concatBytes([
    skippable(3),
    FRAMES[0],
    FRAMES[2],
    skippable(0),
    FRAMES[3],
    FRAMES[1],
    skippable(9),
  ]);
  const plain = await decode(stream);
  assert.ok(equalBytes(plain, concatBytes([TEXT, new Uint8Array(300_000), TEXT])));
  assert.equal((await decode(skippable(5))).length, 0);
});

test('a wrong checksum and damaged blocks are refused', async () => {
  const [frame] = FRAMES;
  const checksum = frame.slice();
  checksum[checksum.length - 1] ^= 1;
  await assert.rejects(decode(checksum), refused('zstd/corrupt'));
  const block = frame.slice();
  block.fill(0xff, 30, 60);
  await assert.rejects(decode(block), refused('zstd/corrupt'));
});
