/** Images are read back as the trees that they were made of, whoever wrote them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { dumpTree } from '../../src/composefs/dump.ts';
import { treeFromDump } from '../../src/composefs/from-dump.ts';
import { treeFromImage } from '../../src/composefs/from-image.ts';
import { dumpImage } from '../../src/composefs/image-dump.ts';
import { writeImage, writePackedImage, type ImageVersion } from '../../src/composefs/image.ts';
import { packDump } from '../../src/composefs/pack-dump.ts';
import { cloneTree, emptyTree, type Directory, type Leaf, type Tree } from '../../src/composefs/tree.ts';
import { isBootsealError } from '../../src/errors.ts';
import { readDump } from '../../src/formats/composefs-dump/reader.ts';
import { readErofs } from '../../src/formats/erofs/reader.ts';
import { readVectors } from '../support/oci-vectors.ts';
import { vectorPath } from '../support/project.ts';
import { randomDump } from '../support/random-dump.ts';

const VERSIONS = ['v0', 'v1', 'v2'] as const;

function randomTree(seed: number): Tree {
  const text = Buffer.from(randomDump(seed, { whiteouts: seed % 2 === 0 }), 'latin1');
  return treeFromDump(readDump(text, 'rust'), 'sha256');
}

function withoutNanos(tree: Tree): Tree {
  return cloneTree(tree, (stat) => ({ ...stat, mtime: { seconds: stat.mtime.seconds, nanos: 0 } }));
}

function roundTrip(tree: Tree, version: ImageVersion, algorithm: 'sha256' | 'sha512' = 'sha256'): void {
  const image = writeImage(tree, { version, algorithm });
  const again = treeFromImage(readErofs(image));
  const expected = version === 'v2' ? withoutNanos(tree) : tree;
  assert.deepEqual(dumpTree(again, algorithm), dumpTree(expected, algorithm));
  assert.ok(Buffer.from(writeImage(again, { version, algorithm })).equals(image));
}

test('tree → image → tree, in every version', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 30), fc.constantFrom(...VERSIONS), (seed, version) => {
      let tree: Tree;
      try {
        tree = randomTree(seed);
        writeImage(tree, { version, algorithm: 'sha256' });
      } catch (error) {
        // More attributes than an inode can count.
        assert.ok(isBootsealError(error) && error.code.startsWith('erofs/too-'), String(error));
        return;
      }
      roundTrip(tree, version);
    }),
    { numRuns: 150 },
  );
});

test('a directory of whiteouts that has attributes named as the marks', () => {
  const text = Buffer.from(
    [
      '/ 4096 40755 3 0 0 0 1.0 - - -',
      '/d 4096 40755 2 0 0 0 1.0 - - - trusted.overlay.opaque=y trusted.overlay.whiteouts= user.overlay.opaque=x',
      '/d/w 0 20000 1 0 0 0 1.0 - - - trusted.overlay.whiteout=z user.overlay.whiteout=z',
      '/e 0 100644 1 0 0 0 1.0 - - - trusted.overlay.opaque=y trusted.overlay.whiteout=z',
      '',
    ].join('\n'),
  );
  for (const version of VERSIONS) roundTrip(treeFromDump(readDump(text, 'rust'), 'sha256'), version);
  // Random trees that have one, as they were found.
  for (const seed of [408, 1234, 408_145_974]) {
    for (const version of VERSIONS) roundTrip(randomTree(seed), version);
  }
});

test('dump → image → dump', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 30), fc.constantFrom('v0', 'v1'), (seed, version) => {
      const text = Buffer.from(randomDump(seed, { onlyC: true, whiteouts: true }), 'latin1');
      const write = (dump: Uint8Array): Uint8Array => {
        const packer = packDump('sha256', 'c');
        packer.push(dump);
        return writePackedImage(packer.finish(), version, 'c');
      };
      const dump = (image: Uint8Array): Buffer =>
        Buffer.from([...dumpImage(readErofs(image), 'c')].join(''), 'latin1');
      // The first dump brings files and their other names into order.
      const first = dump(write(text));
      const image = write(first);
      assert.ok(dump(image).equals(first));
      assert.ok(Buffer.from(write(dump(image))).equals(image));
    }),
    { numRuns: 60 },
  );
});

for (const { name, text, rust } of readVectors('dump', 'vectors.json') as {
  readonly name: string;
  readonly text: string;
  readonly rust: { readonly V1: unknown };
}[]) {
  if (!name.startsWith('ok.') || typeof rust.V1 !== 'string') continue;
  test(`dump ${name} comes back from its image`, () => {
    const tree = treeFromDump(readDump(readFileSync(vectorPath('dump', text))), 'sha256');
    for (const version of VERSIONS) roundTrip(tree, version);
  });
}

test('a tree five thousand levels deep', () => {
  const tree = emptyTree();
  let directory: Directory = tree.root;
  for (let level = 0; level < 5000; level++) {
    const next: Directory = { kind: 'directory', stat: tree.root.stat, children: new Map() };
    directory.children.set('d', next);
    directory = next;
  }
  for (const version of VERSIONS) {
    const image = writeImage(tree, { version, algorithm: 'sha512' });
    let node: Directory = treeFromImage(readErofs(image)).root;
    let levels = 0;
    for (; node.children.has('d'); levels++) node = node.children.get('d') as Directory;
    assert.equal(levels, 5000);
  }
});

test('names of 255 bytes that are no UTF-8, and files of 16 TiB', () => {
  const tree = emptyTree();
  const { stat } = tree.root;
  const name = '\u00ff'.repeat(255);
  const sparse: Leaf = { kind: 'regular', stat, content: { kind: 'external', size: 2 ** 44, digests: {} } };
  tree.root.children.set(name, sparse);
  for (const version of VERSIONS) roundTrip(tree, version, 'sha512');
});
