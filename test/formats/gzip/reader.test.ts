import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { concatBytes, equalBytes } from '../../../src/bytes/bytes.ts';
import { BootsealError } from '../../../src/errors.ts';
import { gunzip } from '../../../src/formats/gzip/reader.ts';

const TEXT = Buffer.from('words that come again. '.repeat(40_000));
const NOISE = new Uint8Array(200_000).map((_, at) => (Math.imul(at, 2_654_435_761) >>> 13) & 255);

/** One buffer for all chunks, as a store may do it. */
async function* reusing(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  const buffer = new Uint8Array(size);
  for (let at = 0; at < bytes.length; at += size) {
    const length = Math.min(size, bytes.length - at);
    buffer.set(bytes.subarray(at, at + length));
    yield buffer.subarray(0, length);
    buffer.fill(0xaa);
  }
}

async function decode(stream: Uint8Array, size: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of gunzip(reusing(stream, size))) parts.push(part);
  return concatBytes(parts);
}

function refused(code: string): (error: unknown) => boolean {
  return (error) => error instanceof BootsealError && error.code === code;
}

test('all members are decoded, and a chunk may be overwritten once the next is asked for', async () => {
  const stream = concatBytes([gzipSync(TEXT), gzipSync(new Uint8Array(0)), gzipSync(NOISE, { level: 0 })]);
  for (const size of [7, 4096, 65_536, 1 << 20]) {
    assert.ok(equalBytes(await decode(stream, size), concatBytes([TEXT, NOISE])), `chunks of ${size}`);
  }
});

test('bytes after the last member are refused, zeros too', async () => {
  const member = gzipSync(TEXT);
  for (const size of [1, 1000, 1 << 20]) {
    const zeros = concatBytes([member, new Uint8Array(600)]);
    await assert.rejects(decode(zeros, size), refused('gzip/trailing-data'), `zeros, chunks of ${size}`);
    await assert.rejects(decode(concatBytes([member, Buffer.from('junk')]), size), /gzip/);
  }
});

test('a stream cut anywhere is refused', async () => {
  const member = gzipSync(Buffer.from('short'));
  for (let length = 0; length < member.length; length++) {
    await assert.rejects(decode(member.subarray(0, length), 5), refused('gzip/truncated'), `${length} bytes`);
  }
});

test('a flipped bit is refused, wherever it changes the content or its sum', async () => {
  const member = gzipSync(NOISE, { level: 0 });
  for (const at of [0, 2, 20, member.length - 100, member.length - 8, member.length - 1]) {
    const damaged = Uint8Array.from(member);
    damaged[at] ^= 1;
    await assert.rejects(decode(damaged, 4096), refused('gzip/corrupt'), `byte ${at}`);
  }
});

test('an error of the source comes through, and stopping early stops the source', async () => {
  async function* failing(): AsyncGenerator<Uint8Array, void, undefined> {
    yield gzipSync(TEXT).subarray(0, 1000);
    throw new BootsealError('store/digest-mismatch', 'other bytes');
  }
  await assert.rejects(async () => {
    for await (const part of gunzip(failing())) void part;
  }, refused('store/digest-mismatch'));

  let stopped = false;
  async function* endless(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) yield gzipSync(NOISE);
    } finally {
      stopped = true;
    }
  }
  for await (const part of gunzip(endless())) if (part.length > 0) break;
  assert.ok(stopped);
});
