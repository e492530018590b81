/** EROFS images: what the reader takes becomes a tree, and its image is read again as the same tree. */
import { readFileSync } from 'node:fs';
import { dumpTree } from '../../src/composefs/dump.ts';
import { treeFromDump } from '../../src/composefs/from-dump.ts';
import { algorithmOfImage, treeFromImage } from '../../src/composefs/from-image.ts';
import { dumpImage } from '../../src/composefs/image-dump.ts';
import { writeImage } from '../../src/composefs/image.ts';
import { emptyTree } from '../../src/composefs/tree.ts';
import { readDump } from '../../src/formats/composefs-dump/reader.ts';
import { readErofs } from '../../src/formats/erofs/reader.ts';
import { vectorPath } from '../support/project.ts';
import type { FuzzTarget } from './harness.ts';

export const target: FuzzTarget = {
  name: 'erofs-reader',
  seeds() {
    const text = readFileSync(vectorPath('dump', 'text', 'ok.1.dump'));
    const trees = [emptyTree(), treeFromDump(readDump(text), 'sha256')];
    return trees.flatMap((tree) =>
      (['v2', 'v1', 'v0'] as const).map((version) => writeImage(tree, { version, algorithm: 'sha256' })),
    );
  },
  run(bytes) {
    // Collecting all problems must come to an end whatever the bytes.
    const partly = readErofs(bytes, []);
    if (partly !== undefined) treeFromImage(partly, []);
    const image = readErofs(bytes);
    for (const _line of dumpImage(image));
    const tree = treeFromImage(image);
    const algorithm = algorithmOfImage(image);
    const version = (['v0', 'v1', 'v2'] as const)[image.version];
    const again = treeFromImage(readErofs(writeImage(tree, { version, algorithm })));
    if (dumpTree(again, algorithm).join('') !== dumpTree(tree, algorithm).join('')) {
      throw new Error('the image of the tree is read as another tree');
    }
  },
};
