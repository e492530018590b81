/**
 * Which rules give which digest. composefs-rs has changed them several times, and bootc with it, so a digest means
 * nothing without its epoch. Each epoch is data: tools can try them all.
 */
import { isBootsealError } from '../errors.ts';
import type { VerityAlgorithm } from '../formats/fsverity/format.ts';
import { imageDigest, type ImageVersion } from './image.ts';
import {
  transformForBoot,
  transformForOci,
  withNewestRoot,
  type BootNanoseconds,
  type XattrFilter,
} from './transform.ts';
import type { Tree } from './tree.ts';

/** Where a tree comes from: the layers of an image, or a directory that was walked. */
export type TreeSource = 'layers' | 'directory';

/**
 * Metadata that layers do not carry reliably. `usr`: the root has /usr's, /run is emptied, and /boot and /sysroot have
 * /usr's time. `newest`: the root has what its entry says, or else the time of the newest file; /run stays as it is,
 * and /boot and /sysroot are of 1970.
 */
export type LayoutRule = 'usr' | 'newest';

export interface Epoch {
  /** Stable, for scripts. */
  readonly name: string;
  /** Releases of bootc that compute this; empty where none has yet. */
  readonly bootc: string;
  readonly version: ImageVersion;
  readonly algorithm: VerityAlgorithm;
  /** Of trees from layers. */
  readonly xattrs: XattrFilter;
  /** Of trees from directories. */
  readonly directoryXattrs: XattrFilter;
  readonly bootNsec: BootNanoseconds;
  readonly layout: LayoutRule;
  /** Whether `/boot/aboot-*.img` counts as a boot entry. Decides about refusals only: /boot is emptied anyway. */
  readonly aboot: boolean;
  /**
   * Whether names of one file that get different SELinux labels become files of their own. Otherwise the last name
   * labels them all.
   */
  readonly splitHardlinks: boolean;
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
  directoryXattrs: 'allowlist',
  bootNsec: 'keep',
  layout: 'usr',
  aboot: false,
  splitHardlinks: true,
  boot: true,
};

/** composefs-rs as bootc pinned it before 1.16.4: the old format, and no filter on layers. */
const OLD_FORMAT: Epoch = { ...DEFAULT_EPOCH, version: 'v2', xattrs: 'all' };

/** Newest rules first. */
export const EPOCHS: readonly Epoch[] = [
  // composefs-rs 0.9.4 (pull request 396).
  { ...DEFAULT_EPOCH, name: 'next', bootc: '', bootNsec: 'usr', aboot: true },
  DEFAULT_EPOCH,
  { ...OLD_FORMAT, name: 'before-1.16.4', bootc: '1.16.0–1.16.3' },
  { ...OLD_FORMAT, name: 'before-1.16', bootc: '1.13–1.15', splitHardlinks: false },
  {
    ...OLD_FORMAT,
    name: 'before-1.13',
    bootc: '1.12',
    directoryXattrs: 'all',
    layout: 'newest',
    splitHardlinks: false,
  },
];

/** First release of bootc with the rules of an epoch, newest first. */
const SINCE: readonly (readonly [release: readonly number[], name: string])[] = [
  [[1, 16, 4], 'current'],
  [[1, 16, 0], 'before-1.16.4'],
  [[1, 13, 0], 'before-1.16'],
  [[1, 12, 0], 'before-1.13'],
];

/** By its name, or by a release of bootc such as `1.15` or `1.16.3`. */
export function findEpoch(name: string): Epoch | undefined {
  const numbers = /^(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?$/.exec(name);
  const found = numbers === null ? name : epochOfRelease(numbers.slice(1).map((part) => Number(part ?? 0)));
  return EPOCHS.find((epoch) => epoch.name === found);
}

/** What later releases compute is not known: their digest would be a guess. */
const NEWEST_KNOWN: readonly number[] = [1, 16];

function epochOfRelease(release: readonly number[]): string | undefined {
  if (compareNumbers(release.slice(0, 2), NEWEST_KNOWN) > 0) return undefined;
  return SINCE.find(([since]) => compareNumbers(release, since) >= 0)?.[1];
}

function compareNumbers(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at < 0 ? 0 : a[at] - b[at];
}

/**
 * The tree that an epoch makes an image of. `tree` is that of the layers or of the directory, without any transform,
 * and stays so.
 */
export function transformForEpoch(tree: Tree, epoch: Epoch, source: TreeSource = 'layers'): Tree {
  const xattrs = source === 'layers' ? epoch.xattrs : epoch.directoryXattrs;
  const plain = epoch.layout === 'usr' ? transformForOci(tree, { xattrs }) : withNewestRoot(tree, { xattrs });
  if (!epoch.boot) return plain;
  const { bootNsec, aboot, splitHardlinks } = epoch;
  return transformForBoot(plain, {
    bootNsec,
    aboot,
    splitHardlinks,
    time: epoch.layout === 'usr' ? 'usr' : 'zero',
  });
}

/**
 * Digest of the image that an epoch makes of a tree, in lower-case hexadecimal. The tree must hold digests of the
 * epoch's algorithm. Throws what the transforms throw.
 */
export function digestOfTree(tree: Tree, epoch: Epoch, source: TreeSource = 'layers'): string {
  const { version, algorithm } = epoch;
  return imageDigest(transformForEpoch(tree, epoch, source), { version, algorithm });
}

/**
 * The epoch whose rules give this digest for a tree of layers. The one of bootc of today is tried first. Those whose
 * rules refuse the tree, and those of an algorithm that it holds no digests of, are left out.
 */
export function epochOfDigest(tree: Tree, digest: string, algorithm: VerityAlgorithm): Epoch | undefined {
  const candidates = [DEFAULT_EPOCH, ...EPOCHS].filter((epoch) => epoch.algorithm === algorithm);
  return candidates.find((epoch) => {
    try {
      return digestOfTree(tree, epoch) === digest;
    } catch (error) {
      if (isBootsealError(error)) return false;
      throw error;
    }
  });
}
