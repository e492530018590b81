/** An image that is only hashed comes in pieces: together they are the image that is written in one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { encodeHex } from '../../src/bytes/hex.ts';
import { treeFromDump } from '../../src/composefs/from-dump.ts';
import { imageDigest, writeImage, type ImageVersion } from '../../src/composefs/image.ts';
import { listInodes } from '../../src/composefs/list-inodes.ts';
import { packDump } from '../../src/composefs/pack-dump.ts';
import { isBootsealError } from '../../src/errors.ts';
import type { ErofsDialect, ErofsVersion } from '../../src/formats/erofs/format.ts';
import type { InodeList } from '../../src/formats/erofs/node-table.ts';
import { readErofs } from '../../src/formats/erofs/reader.ts';
import { streamInodes, writeInodes } from '../../src/formats/erofs/writer.ts';
import { readDump } from '../../src/formats/composefs-dump/reader.ts';
import { verityDigest } from '../../src/formats/fsverity/digest.ts';
import { randomDump } from '../support/random-dump.ts';

function inodesOf(text: string, version: ErofsVersion, dialect: ErofsDialect): InodeList {
  const packer = packDump('sha256', dialect);
  packer.push(Buffer.from(text, 'latin1'));
  return listInodes(packer.finish(), version, dialect);
}

function comparePieces(text: string, version: ErofsVersion, dialect: ErofsDialect): number {
  const whole = writeInodes(inodesOf(text, version, dialect), version, dialect);
  const pieces: Uint8Array[] = [];
  streamInodes(inodesOf(text, version, dialect), version, dialect, (bytes) =>
    pieces.push(Uint8Array.from(bytes)),
  );
  assert.ok(Buffer.concat(pieces).equals(whole));
  for (const piece of pieces.slice(0, -1)) assert.equal(piece.length % 4096, 0);
  return pieces.length;
}

test('random trees', () => {
  const cases = [
    [0, 'c'],
    [1, 'c'],
    [0, 'rust'],
    [1, 'rust'],
    [2, 'rust'],
  ] as const;
  fc.assert(
    fc.property(fc.nat(2 ** 30), fc.constantFrom(...cases), (seed, [version, dialect]) => {
      const text = randomDump(seed, { onlyC: dialect === 'c', whiteouts: true });
      try {
        comparePieces(text, version, dialect);
      } catch (error) {
        // More attributes than an inode can count.
        assert.ok(isBootsealError(error) && error.code.startsWith('erofs/too-'), String(error));
      }
    }),
    { numRuns: 80 },
  );
});

test('large trees, contents and attributes, of many pieces', () => {
  const label = 'security.selinux=label';
  const lines = ['/ 4096 40755 3 0 0 0 1.0 - - -', '/d 4096 40755 2 0 0 0 1.0 - - -'];
  for (let at = 0; at < 20_000; at++) {
    const digest = at.toString(16).padStart(64, '0');
    lines.push(
      `/d/${'n'.repeat(at % 200)}${at} 100 100644 1 0 0 0 ${at % 3}.0 ${digest.slice(0, 2)}/${digest.slice(2)} - ${digest} ${label}`,
    );
  }
  // Much behind one inode, and blocks of their own.
  lines.push(`/long 0 100644 1 0 0 0 1.0 - - - user.long=${'v'.repeat(3000)}`);
  for (let at = 0; at < 300; at++) lines.push(`/large${at} 5000 100644 1 0 0 0 1.0 - ${'c'.repeat(5000)} -`);
  const text = `${lines.join('\n')}\n`;
  for (const version of [0, 1] as const) assert.ok(comparePieces(text, version, 'c') > 5);
});

test('a path of an object is one attribute, whether a digest gives it or the dump', () => {
  const digest = 'cd'.repeat(32);
  const path = `${digest.slice(0, 2)}/${digest.slice(2)}`;
  const text = [
    '/ 4096 40755 2 0 0 0 1.0 - - -',
    `/a 100 100644 1 0 0 0 1.0 ${path} - ${digest}`,
    `/b 100 100644 1 0 0 0 1.0 ${path} - -`,
    `/c 100 100644 1 0 0 0 1.0 ${path.toUpperCase()} - -`,
    '',
  ].join('\n');
  for (const version of [0, 1] as const) {
    const { inodes } = readErofs(writeInodes(inodesOf(text, version, 'c'), version, 'c'));
    const redirects = (kind: 'own' | 'shared'): string[] =>
      [...inodes.values()]
        .flatMap((inode) => inode[kind].filter(({ name }) => name === 'trusted.overlay.redirect'))
        .map(({ value }) => Buffer.from(value).toString('latin1'));
    assert.deepEqual(redirects('shared'), [`/${path}`, `/${path}`]);
    assert.deepEqual(redirects('own'), [`/${path.toUpperCase()}`]);
  }
});

test('the digest is that of the bytes', () => {
  const text = Buffer.from(randomDump(7), 'latin1');
  const tree = treeFromDump(readDump(text, 'rust'), 'sha256');
  for (const version of ['v0', 'v1', 'v2'] satisfies ImageVersion[]) {
    for (const algorithm of ['sha256', 'sha512'] as const) {
      const bytes = writeImage(tree, { version, algorithm });
      assert.equal(imageDigest(tree, { version, algorithm }), encodeHex(verityDigest(bytes, algorithm)));
    }
  }
});
