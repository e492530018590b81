/**
 * Which rules give which digest. composefs-rs has changed them several times, and bootc with it, so a digest means
 * nothing without its epoch. Each epoch is data: tools can try them all.
 */
import type { VerityAlgorithm } from '../formats/fsverity/format.ts';
import { imageDigest, type ImageVersion } from './image.ts';
import { transformForBoot, transformForOci, type BootNanoseconds, type XattrFilter } from './transform.ts';
import type { Tree } from './tree.ts';

export interface Epoch {
  /** Stable, for scripts. */
  readonly name: string;
  /** Releases of bootc that compute this for OCI layers; empty where none has yet. */
  readonly bootc: string;
  readonly version: ImageVersion;
  readonly algorithm: VerityAlgorithm;
  readonly xattrs: XattrFilter;
  readonly bootNsec: BootNanoseconds;
  /** False: the image as it is stored, not as it is booted. */
  readonly boot: boolean;
}

/** What bootc from 1.16.4 on prints. */
export const DEFAULT_EPOCH: Epoch = {
  name: 'current',
  bootc: '1.16.4 to now',
  version: 'v1',
  algorithm: 'sha512',
  xattrs: 'allowlist',
  bootNsec: 'keep',
  boot: true,
};

/** Newest rules first. */
export const EPOCHS: readonly Epoch[] = [
  { ...DEFAULT_EPOCH, name: 'next', bootc: '', bootNsec: 'usr' },
  DEFAULT_EPOCH,
  // composefs-rs as bootc pinned it before: the old format.
  { ...DEFAULT_EPOCH, name: 'before-1.16.4', bootc: '1.16.0–1.16.3', version: 'v2' },
];

export function findEpoch(name: string): Epoch | undefined {
  return EPOCHS.find((epoch) => epoch.name === name);
}

/** The tree that an epoch makes an image of. `tree` is that of the layers, without any transform, and stays so. */
export function transformForEpoch(tree: Tree, epoch: Epoch): Tree {
  const plain = transformForOci(tree, { xattrs: epoch.xattrs });
  return epoch.boot ? transformForBoot(plain, { bootNsec: epoch.bootNsec }) : plain;
}

/**
 * Digest of the image that an epoch makes of a tree, in lower-case hexadecimal. The tree must hold digests of the
 * epoch's algorithm. Throws what the transforms throw.
 */
export function digestOfTree(tree: Tree, epoch: Epoch): string {
  return imageDigest(transformForEpoch(tree, epoch), { version: epoch.version, algorithm: epoch.algorithm });
}
