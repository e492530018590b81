/** The composefs image of a tree, and its digest. */
import { encodeHex } from '../bytes/hex.ts';
import type { ErofsVersion } from '../formats/erofs/format.ts';
import { writeErofs } from '../formats/erofs/writer.ts';
import { verityDigest } from '../formats/fsverity/digest.ts';
import type { VerityAlgorithm } from '../formats/fsverity/format.ts';
import { inodesV1 } from './inodes-v1.ts';
import { inodesV2 } from './inodes-v2.ts';
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
  const number = EROFS_VERSION[version];
  return writeErofs(number === 2 ? inodesV2(tree, algorithm) : inodesV1(tree, number, algorithm), number);
}

/** fs-verity digest of the image in lower-case hexadecimal: what `composefs=` on a kernel command line holds. */
export function imageDigest(tree: Tree, format: ImageFormat): string {
  return encodeHex(verityDigest(writeImage(tree, format), format.algorithm));
}
