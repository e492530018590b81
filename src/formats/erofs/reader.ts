/**
 * Reads an EROFS image of composefs and checks all that it reads: magic numbers and versions, bounds, overlaps,
 * cycles, counts, the order of names, reserved fields. A file system of a stranger goes to the kernel only after this.
 */
import { isBootsealError } from '../../errors.ts';
import {
  EROFS_BLOCK,
  FEATURE_COMPAT,
  FILE_TYPES,
  HEADER,
  INODE_SLOT,
  SUPERBLOCK,
  type ErofsVersion,
} from './format.ts';
import { readInode, type BuildTime, type ReadInode } from './inode-reader.ts';
import {
  checkUnclaimed,
  checkZero,
  claim,
  startReading,
  unreadable,
  Unreadable,
  type ErofsProblem,
  type Reading,
} from './reading.ts';
import { claimUnusedShared, type SharedXattrs } from './xattr-reader.ts';

export interface ErofsImage {
  readonly version: ErofsVersion;
  readonly buildTime: BuildTime;
  readonly root: ReadInode;
  /** By nid. */
  readonly inodes: ReadonlyMap<number, ReadInode>;
}

/** What one buffer of Node.js 20 holds, and the writer writes. */
const MAX_IMAGE = 2 ** 32;

/**
 * Throws `erofs/…` with the offset of the first problem. With `problems` all of them are collected there, and the
 * image is what could be read in spite of them, or undefined.
 */
export function readErofs(image: Uint8Array): ErofsImage;
export function readErofs(image: Uint8Array, problems: ErofsProblem[]): ErofsImage | undefined;
export function readErofs(image: Uint8Array, problems?: ErofsProblem[]): ErofsImage | undefined {
  const reading = startReading(image, problems);
  try {
    return readImage(reading);
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

function readImage(reading: Reading): ErofsImage {
  const { bytes } = reading;
  if (bytes.length < EROFS_BLOCK || bytes.length % EROFS_BLOCK !== 0 || bytes.length > MAX_IMAGE) {
    unreadable(reading, 'erofs/bad-size', `an image of ${bytes.length} bytes is no image`, bytes.length);
  }
  readHeader(reading);
  const { rootNid, inodeCount, buildTime } = readSuperblock(reading);
  claim(reading, 0, SUPERBLOCK.offset + SUPERBLOCK.size, 'the header');
  const shared: SharedXattrs = new Map();
  const { root, inodes } = readInodes(reading, rootNid, buildTime, shared);
  claimUnusedShared(reading, Math.ceil(reading.inodesEnd / INODE_SLOT) * INODE_SLOT, shared);
  if (inodes.size !== inodeCount) {
    reading.problem(
      'erofs/bad-superblock',
      `the superblock counts ${inodeCount} inodes, and ${inodes.size} have names`,
      SUPERBLOCK.offset + 16,
    );
  }
  checkUnclaimed(reading);
  return { version: reading.version, buildTime, root, inodes };
}

function readHeader(reading: Reading): void {
  const { view } = reading;
  const at = (offset: number): number => view.getUint32(offset, true);
  if (at(0) !== HEADER.magic) unreadable(reading, 'erofs/bad-header', 'not a composefs image', 0);
  if (at(4) !== HEADER.version) {
    unreadable(reading, 'erofs/bad-header', `composefs header of version ${at(4)}`, 4);
  }
  if ((at(8) & ~HEADER.flagHasAcl) !== 0) reading.problem('erofs/bad-header', 'unknown flags', 8);
  const version = at(12);
  if (version > 2) unreadable(reading, 'erofs/bad-header', `composefs version ${version}`, 12);
  reading.version = version as ErofsVersion;
  checkZero(reading, 16, SUPERBLOCK.offset, 'the end of the header');
}

function readSuperblock(reading: Reading): {
  readonly rootNid: number;
  readonly inodeCount: number;
  readonly buildTime: BuildTime;
} {
  const { view, bytes } = reading;
  const start = SUPERBLOCK.offset;
  if (view.getUint32(start, true) !== SUPERBLOCK.magic) {
    unreadable(reading, 'erofs/bad-superblock', 'no EROFS superblock', start);
  }
  const check = (offset: number, value: number, expected: number, what: string): void => {
    if (value === expected) return;
    reading.problem('erofs/bad-superblock', `${what} is ${value}, not ${expected}`, start + offset);
  };
  check(4, view.getUint32(start + 4, true), 0, 'checksum');
  check(8, view.getUint32(start + 8, true), FEATURE_COMPAT, 'feature_compat');
  check(12, bytes[start + 12], SUPERBLOCK.blockBits, 'the number of block bits');
  check(13, bytes[start + 13], 0, 'a reserved byte');
  check(36, view.getUint32(start + 36, true), bytes.length / EROFS_BLOCK, 'the number of blocks');
  check(40, view.getUint32(start + 40, true), 0, 'meta_blkaddr');
  reading.xattrBase = view.getUint32(start + 44, true) * EROFS_BLOCK;
  if (reading.version === 2) check(44, reading.xattrBase, 0, 'xattr_blkaddr');
  // Identity, features that need support, and what newer kernels have there.
  checkZero(reading, start + 48, start + SUPERBLOCK.size, 'the end of the superblock');
  const nanos = view.getUint32(start + 32, true);
  if (nanos >= 1_000_000_000) reading.problem('erofs/bad-superblock', `${nanos} nanoseconds`, start + 32);
  return {
    rootNid: view.getUint16(start + 14, true),
    inodeCount: Number(view.getBigUint64(start + 16, true)),
    buildTime: { seconds: view.getBigInt64(start + 24, true), nanos },
  };
}

/** All inodes that have a name. A directory has one place, so there is no way round in a circle. */
function readInodes(
  reading: Reading,
  rootNid: number,
  buildTime: BuildTime,
  shared: SharedXattrs,
): { readonly root: ReadInode; readonly inodes: Map<number, ReadInode> } {
  const inodes = new Map<number, ReadInode>();
  const broken = new Set<number>();
  const root = readInode(reading, rootNid, buildTime, shared);
  if (root.type !== 'directory')
    unreadable(reading, 'erofs/bad-inode', 'the root is no directory', root.offset);
  inodes.set(rootNid, root);
  const stack: [directory: ReadInode, parent: number][] = [[root, rootNid]];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const [directory, parent] = next;
    let dots = 0;
    for (const { name, nid, type, offset } of directory.body.kind === 'directory'
      ? directory.body.entries
      : []) {
      if (name === '.' || name === '..') {
        dots += 1;
        const expected = name === '.' ? directory.nid : parent;
        if (nid !== expected) reading.problem('erofs/bad-directory', `${name} is another directory`, offset);
        if (type !== FILE_TYPES.directory.dirent)
          reading.problem('erofs/bad-directory', `${name} is no directory`, offset);
        continue;
      }
      const known = inodes.get(nid);
      if (known?.type === 'directory') {
        reading.problem('erofs/cycle', 'a directory that has another name already', offset);
        continue;
      }
      const inode = known ?? tryInode(reading, nid, buildTime, shared, broken);
      if (inode === undefined) continue;
      if (type !== FILE_TYPES[inode.type].dirent) {
        reading.problem('erofs/bad-directory', `an entry says that inode ${nid} is of another type`, offset);
      }
      inodes.set(nid, inode);
      if (inode.type === 'directory') stack.push([inode, directory.nid]);
    }
    if (dots !== 2) reading.problem('erofs/bad-directory', 'a directory without . or ..', directory.offset);
  }
  return { root, inodes };
}

/** Undefined where the inode cannot be read, of which the problem is noted once. */
function tryInode(
  reading: Reading,
  nid: number,
  buildTime: BuildTime,
  shared: SharedXattrs,
  broken: Set<number>,
): ReadInode | undefined {
  if (broken.has(nid)) return undefined;
  try {
    return readInode(reading, nid, buildTime, shared);
  } catch (error) {
    if (isBootsealError(error) || !(error instanceof Unreadable)) throw error;
    broken.add(nid);
    return undefined;
  }
}
