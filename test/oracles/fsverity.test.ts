/** Digests, Merkle trees and descriptors are those of the fsverity program. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeHex } from '../../src/bytes/hex.ts';
import { encodeSignedDigest } from '../../src/formats/fsverity/format.ts';
import { collectMerkleTree } from '../../src/formats/fsverity/merkle.ts';
import { verityOfFile } from '../../src/stores/verity-file.ts';
import { peerOk } from '../support/peers.ts';

const SIZES = [0, 1, 1023, 1024, 1025, 4095, 4096, 4097, 65_536, 65_537, 300_000, 4096 * 128 * 2 + 1];
const BLOCKS = [1024, 2048, 4096, 8192, 16_384, 65_536];
const SALTS = ['', '00', 'a1b2c3', 'ff'.repeat(32)];

test('every size, hash, block size and salt', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bootseal-fsverity-'));
  try {
    for (const size of SIZES) {
      writeFileSync(
        join(folder, `f${size}`),
        new Uint8Array(size).map((_, at) => (at * 31) >> 3),
      );
    }
    const script = `cd "$0"
      for size in ${SIZES.join(' ')}; do for hash in sha256 sha512; do for block in ${BLOCKS.join(' ')}; do
      for salt in ${SALTS.map((salt) => `'${salt}'`).join(' ')}; do
        out=f$size.$hash.$block.$salt
        fsverity digest --compact --for-builtin-sig --hash-alg=$hash --block-size=$block --salt="$salt" \\
          --out-merkle-tree=$out.tree --out-descriptor=$out.descriptor f$size
      done; done; done; done`;
    const theirs = peerOk('sh', ['-c', script, folder], { timeout: 300_000 }).stdout.trim().split('\n');
    let at = 0;
    for (const size of SIZES) {
      for (const algorithm of ['sha256', 'sha512'] as const) {
        for (const blockSize of BLOCKS) {
          for (const salt of SALTS) {
            const name = join(folder, `f${size}.${algorithm}.${blockSize}.${salt}`);
            const tree = collectMerkleTree();
            let descriptor = new Uint8Array(0);
            const digest = await verityOfFile(join(folder, `f${size}`), algorithm, {
              blockSize,
              salt: Buffer.from(salt, 'hex'),
              onBlock: tree.onBlock,
              onDescriptor: (bytes) => (descriptor = Uint8Array.from(bytes)),
            });
            assert.equal(encodeHex(encodeSignedDigest(algorithm, digest)), theirs[at++], name);
            assert.ok(Buffer.concat(tree.blocks()).equals(readFileSync(`${name}.tree`)), `${name}: tree`);
            assert.ok(readFileSync(`${name}.descriptor`).equals(descriptor), `${name}: descriptor`);
          }
        }
      }
    }
    assert.equal(at, theirs.length);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
