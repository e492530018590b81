/** The framing of packets, and lengths that lie. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { concatBytes } from '../../../src/bytes/bytes.ts';
import { isBootsealError } from '../../../src/errors.ts';
import { readPackets } from '../../../src/formats/openpgp/packets.ts';

interface Spec {
  readonly tag: number;
  readonly body: Uint8Array;
  readonly form: 'new' | 'old' | 'chunks';
}

const spec: fc.Arbitrary<Spec> = fc.oneof(
  fc.record({
    tag: fc.integer({ min: 1, max: 63 }),
    body: fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ minLength: 8383, maxLength: 8390 })),
    form: fc.constant('new' as const),
  }),
  fc.record({
    tag: fc.integer({ min: 1, max: 15 }),
    body: fc.uint8Array({ maxLength: 300 }),
    form: fc.constant('old' as const),
  }),
  fc.record({
    tag: fc.constantFrom(8, 11),
    body: fc.uint8Array({ minLength: 512, maxLength: 3000 }),
    form: fc.constant('chunks' as const),
  }),
);

function encode({ tag, body, form }: Spec): Uint8Array {
  if (form === 'old') return concatBytes([old(tag, body.length), body]);
  if (form === 'new') return concatBytes([Uint8Array.of(0xc0 | tag), newLength(body.length), body]);
  // 512 octets, and then what is left.
  const [first, rest] = [body.subarray(0, 512), body.subarray(512)];
  return concatBytes([Uint8Array.of(0xc0 | tag, 0xe9), first, newLength(rest.length), rest]);
}

function old(tag: number, length: number): Uint8Array {
  if (length < 256) return Uint8Array.of(0x80 | (tag << 2), length);
  return Uint8Array.of(0x81 | (tag << 2), length >> 8, length & 0xff);
}

function newLength(length: number): Uint8Array {
  if (length < 192) return Uint8Array.of(length);
  if (length < 8384) return Uint8Array.of(((length - 192) >> 8) + 192, (length - 192) & 0xff);
  return Uint8Array.of(0xff, 0, length >> 16, (length >> 8) & 0xff, length & 0xff);
}

test('packets: what is written is read back', () => {
  fc.assert(
    fc.property(fc.array(spec, { maxLength: 6 }), (specs) => {
      const found = readPackets(concatBytes(specs.map(encode)), 10);
      assert.deepEqual(
        found.map(({ tag, body }) => ({ tag, body: Buffer.from(body) })),
        specs.map(({ tag, body }) => ({ tag, body: Buffer.from(body) })),
      );
    }),
  );
});

test('packets: cut anywhere, they are refused', () => {
  const whole = concatBytes([
    encode({ tag: 11, body: new Uint8Array(600), form: 'chunks' }),
    encode({ tag: 2, body: new Uint8Array(300), form: 'new' }),
  ]);
  const first = 1 + 1 + 512 + 1 + 88;
  for (let length = 1; length < whole.length; length += 1) {
    if (length === first) continue;
    assert.throws(() => readPackets(whole.subarray(0, length), 10), refusal('openpgp/malformed-packet'));
  }
});

test('pgp-length: a length that is not there is refused at once', () => {
  const started = performance.now();
  for (const bytes of [
    Uint8Array.of(0xc2, 0xff, 0xff, 0xff, 0xff, 0xff, 4),
    Uint8Array.of(0x8a, 0xff, 0xff, 0xff, 0xff, 4),
    Uint8Array.of(0xcb, 0xfe, 4),
    Uint8Array.of(0xc2, 0xc1),
  ]) {
    assert.throws(() => readPackets(bytes, 10), refusal('openpgp/malformed-packet'));
  }
  assert(performance.now() - started < 50);
});

test('only data may come in chunks or without a length', () => {
  for (const bytes of [
    // A signature in chunks, one without a length, chunks that begin too small, tag 0, and no packet at all.
    concatBytes([Uint8Array.of(0xc2, 0xe9), new Uint8Array(512), Uint8Array.of(0)]),
    Uint8Array.of(0x8b, 1, 2),
    Uint8Array.of(0xcb, 0xe1, 0, 0, 0),
    Uint8Array.of(0xc0, 0),
    Uint8Array.of(0x42),
  ]) {
    assert.throws(() => readPackets(bytes, 10), refusal('openpgp/malformed-packet'));
  }
});

test('more packets than allowed are refused', () => {
  assert.throws(
    () =>
      readPackets(
        new Uint8Array(200).fill(0xca).map((b, i) => (i % 2 === 0 ? b : 0)),
        10,
      ),
    refusal('openpgp/too-many-packets'),
  );
});

function refusal(code: string): (error: unknown) => boolean {
  return (error) => isBootsealError(error) && error.code === code;
}
