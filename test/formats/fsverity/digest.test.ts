import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { encodeHex } from '../../../src/bytes/hex.ts';
import { createVerityHasher, verityDigest } from '../../../src/formats/fsverity/digest.ts';
import {
  checkVerityOptions,
  encodeVerityDescriptor,
  VERITY_BLOCK,
  VERITY_DIGEST_SIZE,
  type VerityAlgorithm,
} from '../../../src/formats/fsverity/format.ts';
import { parseVerityAlgorithm, parseVerityDigest } from '../../../src/formats/fsverity/spelling.ts';

/** Digests of composefs's own test suite, and of the kernel's documentation where it has them. */
const KNOWN: readonly (readonly [VerityAlgorithm, string, string])[] = [
  ['sha256', 'hello world', '1e2eaa4202d750a41174ee454970b92c1bc2f925b1e35076d8c7d5f56362ba64'],
  ['sha256', 'hello world\n', '37061ef2ac4c21bec68489b56138c5780306a4ad7fe6676236ecdf2c9027cd92'],
  ['sha256', 'foo bar baz\n', '91e7d88cb7bc9cf6d8db3b0ecf89af4abf204bef5b3ade5113d5b62ef374e70b'],
  ['sha256', '', '3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95'],
  [
    'sha512',
    'hello world',
    '18430270729d162d4e469daca123ae61893db4b0583d8f7081e3bf4f92b88ba514e7982f10733fb6aa895195c5ae8fd2eb2c47a8be05513ce5a0c51a6f570409',
  ],
];

test('known digests', () => {
  for (const [algorithm, text, digest] of KNOWN) {
    assert.equal(encodeHex(verityDigest(Buffer.from(text), algorithm)), digest, JSON.stringify(text));
  }
});

/** The definition, without any of our shortcuts: levels of whole blocks until one hash is left. */
function byDefinition(bytes: Uint8Array, algorithm: VerityAlgorithm): string {
  const size = VERITY_DIGEST_SIZE[algorithm];
  let level = bytes;
  let root = new Uint8Array(size);
  while (level.length > 0) {
    const hashes: Buffer[] = [];
    for (let at = 0; at < level.length; at += VERITY_BLOCK) {
      const block = Buffer.alloc(VERITY_BLOCK);
      block.set(level.subarray(at, at + VERITY_BLOCK));
      hashes.push(createHash(algorithm).update(block).digest());
    }
    if (hashes.length === 1) {
      root = Uint8Array.from(hashes[0]);
      break;
    }
    level = Buffer.concat(hashes);
  }
  return createHash(algorithm)
    .update(encodeVerityDescriptor(algorithm, bytes.length, root))
    .digest('hex');
}

test('every size around the edges of blocks and levels', () => {
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const perBlock = VERITY_BLOCK / VERITY_DIGEST_SIZE[algorithm];
    const blocks = [0, 1, 2, perBlock - 1, perBlock, perBlock + 1, 2 * perBlock, 3 * perBlock + 7];
    for (const size of blocks.flatMap((count) => [count * VERITY_BLOCK, count * VERITY_BLOCK + 1])) {
      const bytes = new Uint8Array(size).map((_, at) => (at * 7 + (at >> 8)) & 255);
      assert.equal(
        encodeHex(verityDigest(bytes, algorithm)),
        byDefinition(bytes, algorithm),
        `${size} bytes`,
      );
    }
  }
});

test('pieces of any length give the digest of the whole', () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 6000 }), { maxLength: 6 });
  fc.assert(
    fc.property(pieces, fc.constantFrom('sha256' as const, 'sha512' as const), (list, algorithm) => {
      const hasher = createVerityHasher(algorithm);
      for (const piece of list) hasher.update(piece);
      assert.equal(encodeHex(hasher.digest()), byDefinition(Buffer.concat(list), algorithm));
    }),
  );
});

test('spellings of a digest', () => {
  const hex = 'ab'.repeat(64);
  for (const text of [hex, `sha512:${hex}`, `fsverity-sha512-12:${hex}`, `v1-sha512-12:${hex}`]) {
    const { algorithm, digest, version } = parseVerityDigest(text);
    assert.equal(algorithm, 'sha512');
    assert.equal(encodeHex(digest), hex);
    assert.equal(version, text.startsWith('v1') ? 'v1' : undefined);
  }
  assert.equal(parseVerityDigest('cd'.repeat(32)).algorithm, 'sha256');
  const bad = [
    '',
    'abcd',
    hex.toUpperCase(),
    `sha256:${hex}`,
    `v1-sha512:${hex}`,
    `v3-sha512-12:${hex}`,
    ` ${hex}`,
  ];
  for (const text of [...bad, `fsverity-sha512-16:${hex}`, `sha512:${hex}\n`]) {
    assert.throws(() => parseVerityDigest(text), { code: 'fsverity/bad-digest' }, text);
  }
  assert.equal(parseVerityAlgorithm('fsverity-sha512-12'), 'sha512');
  for (const text of ['sha512', 'fsverity-sha512-16', 'fsverity-md5-12']) {
    assert.throws(() => parseVerityAlgorithm(text), { code: 'fsverity/bad-algorithm' }, text);
  }
});

test('block sizes and salts that no kernel takes are refused', () => {
  for (const blockSize of [0, -4096, 1000, 512, 131_072, Number.NaN]) {
    assert.throws(
      () => checkVerityOptions({ blockSize }),
      { code: 'fsverity/bad-block-size' },
      `${blockSize}`,
    );
  }
  assert.throws(() => checkVerityOptions({ salt: new Uint8Array(33) }), { code: 'fsverity/bad-salt' });
});
