/** Dump texts: what is read and put into a tree gives an image, and is read again as written. */
import { readFileSync } from 'node:fs';
import { concatBytes, equalBytes } from '../../src/bytes/bytes.ts';
import { dumpBytes } from '../../src/composefs/dump.ts';
import { treeFromDump } from '../../src/composefs/from-dump.ts';
import { writeImage } from '../../src/composefs/image.ts';
import { readDump } from '../../src/formats/composefs-dump/reader.ts';
import { vectorPath } from '../support/project.ts';
import type { FuzzTarget } from './harness.ts';

export const target: FuzzTarget = {
  name: 'composefs-dump',
  seeds: () =>
    ['composefs-mini-sha256.dump', 'dump/text/ok.1.dump', 'dump/text/ok.3.dump'].map((name) =>
      readFileSync(vectorPath(...name.split('/'))),
    ),
  run(bytes) {
    const tree = treeFromDump(readDump(bytes), 'sha256');
    for (const version of ['v1', 'v2'] as const) writeImage(tree, { version, algorithm: 'sha256' });
    const text = concatBytes(dumpBytes(tree, 'sha256'));
    const again = concatBytes(dumpBytes(treeFromDump(readDump(text), 'sha256'), 'sha256'));
    if (!equalBytes(text, again)) throw new Error('the dump of the tree is read as another tree');
  },
};
