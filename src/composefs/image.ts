/** The composefs image of a tree, and its digest. */
import { encodeHex } from '../bytes/hex.ts';
import type { ErofsVersion } from '../formats/erofs/format.ts';
import { streamInodes, writeInodes } from '../formats/erofs/writer.ts';
import { createVerityHasher } from '../formats/fsverity/digest.ts';
import type { VerityAlgorithm } from '../formats/fsverity/format.ts';
import type { ImageRules } from './image-rules.ts';
import { listInodes } from './list-inodes.ts';
import { packTree } from './pack-tree.ts';
import type { PackedTree } from './packed-tree.ts';
import type { Tree } from './tree.ts';

export type ImageVersion = 'v0' | 'v1' | 'v2';

export interface ImageFormat {
  readonly version: ImageVersion;
  /** Of the digests of file contents that the image holds, and of the image itself. */
  readonly algorithm: VerityAlgorithm;
}

const EROFS_VERSION: Readonly<Record<ImageVersion, ErofsVersion>> = { v0: 0, v1: 1, v2: 2 };

/**
 * The bytes of the image: metadata and small files only, a few hundred bytes a file. The tree is taken as it is,
 * without any transform. Throws `composefs/hardlinked-whiteout`, `erofs/…`.
 */
export function writeImage(tree: Tree, { version, algorithm }: ImageFormat): Uint8Array {
  return writePackedImage(packTree(tree, algorithm), version, 'rust');
}

/**
 * The same of a packed tree, which it uses up. By strict rules, what C `mkcomposefs` and composefs-rs would make
 * different images of is refused. Throws `composefs/rules-differ` besides.
 */
export function writePackedImage(tree: PackedTree, version: ImageVersion, rules: ImageRules): Uint8Array {
  const number = EROFS_VERSION[version];
  return writeInodes(listInodes(tree, number, rules), number, rules);
}

/** fs-verity digest of the image in lower-case hexadecimal: what `composefs=` on a kernel command line holds. */
export function imageDigest(tree: Tree, format: ImageFormat): string {
  const { version, algorithm } = format;
  const hasher = createVerityHasher(algorithm);
  const number = EROFS_VERSION[version];
  const inodes = listInodes(packTree(tree, algorithm), number, 'rust');
  // The image itself would take as much memory as the tree.
  streamInodes(inodes, number, 'rust', (bytes) => hasher.update(bytes));
  return encodeHex(hasher.digest());
}
