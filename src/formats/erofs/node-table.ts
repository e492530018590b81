/**
 * What an image is made of, as columns of numbers: a node for each name, and the names, contents and attributes as
 * bytes kept once. An image of a million files is made in a few dozen bytes a file beside the image itself.
 */
import {
  addToArena,
  createArena,
  createByteTable,
  grown,
  type Arena,
  type ByteTable,
} from '../../bytes/byte-table.ts';
import { encodeLatin1 } from '../../bytes/bytes.ts';
import { FILE_TYPES, type FileType } from './format.ts';

/**
 * The number of the first name, which stands for values that are paths of objects: such a value is kept as the digest
 * that it is made of, in half the bytes, which are those of another attribute mostly.
 */
export const OBJECT_PATH = 0;
const OBJECT_PATH_NAME = 'trusted.overlay.redirect';

/**
 * Names of attributes by number, and each (name, value) pair as an entry whose tag is the name. One pair has one number:
 * what can be an {@link OBJECT_PATH} is one.
 */
export interface XattrPairs {
  readonly names: string[];
  readonly numbers: Map<string, number>;
  readonly pairs: ByteTable;
}

/** Columns by node number. Replaced when they grow. */
export interface NodeTable {
  readonly arena: Arena;
  /** An entry is a node: its name in the directory that is its tag. Entry 0 is the root. */
  readonly names: ByteTable;
  readonly xattrs: XattrPairs;
  /** Type and permissions, as in stat(2). */
  mode: Uint16Array;
  uid: Uint32Array;
  gid: Uint32Array;
  nlink: Uint32Array;
  /** Two halves of 64 bits, in two's complement. */
  secondsLow: Uint32Array;
  secondsHigh: Uint32Array;
  nanos: Uint32Array;
  /** Bytes of content that is kept elsewhere; of a device its number. */
  size: Float64Array;
  /** Content kept in the image, or the target of a symlink: in the arena. A length of -1: kept elsewhere. */
  contentAt: Int32Array;
  contentLength: Int32Array;
}

/** A node whose stat and content are filled in. Numbers as in {@link NodeTable}. */
export interface NodeStat {
  mode: number;
  uid: number;
  gid: number;
  nlink: number;
  secondsLow: number;
  secondsHigh: number;
  nanos: number;
}

/** How much there will be, as far as is known: what grows takes twice its memory meanwhile. */
export interface NodeTableSizes {
  readonly nodes: number;
  readonly pairs: number;
  /** Of names, contents and attributes. */
  readonly bytes: number;
}

export function createNodeTable(sizes?: NodeTableSizes): NodeTable {
  const arena = createArena(sizes?.bytes);
  const capacity = Math.max(sizes?.nodes ?? 0, 64);
  return {
    arena,
    names: createByteTable(arena, capacity),
    xattrs: {
      names: [OBJECT_PATH_NAME],
      numbers: new Map(),
      pairs: createByteTable(arena, Math.max(sizes?.pairs ?? 0, 64)),
    },
    mode: new Uint16Array(capacity),
    uid: new Uint32Array(capacity),
    gid: new Uint32Array(capacity),
    nlink: new Uint32Array(capacity),
    secondsLow: new Uint32Array(capacity),
    secondsHigh: new Uint32Array(capacity),
    nanos: new Uint32Array(capacity),
    size: new Float64Array(capacity),
    contentAt: new Int32Array(capacity),
    contentLength: new Int32Array(capacity),
  };
}

/** Makes room for a node that has just got its name. */
export function reserveNode(table: NodeTable, node: number): void {
  if (node < table.mode.length) return;
  const capacity = 2 * table.mode.length;
  table.mode = grown(table.mode, new Uint16Array(capacity));
  table.uid = grown(table.uid, new Uint32Array(capacity));
  table.gid = grown(table.gid, new Uint32Array(capacity));
  table.nlink = grown(table.nlink, new Uint32Array(capacity));
  table.secondsLow = grown(table.secondsLow, new Uint32Array(capacity));
  table.secondsHigh = grown(table.secondsHigh, new Uint32Array(capacity));
  table.nanos = grown(table.nanos, new Uint32Array(capacity));
  table.size = grown(table.size, new Float64Array(capacity));
  table.contentAt = grown(table.contentAt, new Int32Array(capacity));
  table.contentLength = grown(table.contentLength, new Int32Array(capacity));
}

export function setStat(table: NodeTable, node: number, stat: Readonly<NodeStat>): void {
  table.mode[node] = stat.mode;
  table.uid[node] = stat.uid;
  table.gid[node] = stat.gid;
  table.nlink[node] = stat.nlink;
  table.secondsLow[node] = stat.secondsLow;
  table.secondsHigh[node] = stat.secondsHigh;
  table.nanos[node] = stat.nanos;
}

/** Content in the image, or a symlink's target. */
export function setContent(
  table: NodeTable,
  node: number,
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
): void {
  table.contentAt[node] = addToArena(table.arena, bytes, start, end);
  table.contentLength[node] = end - start;
}

/** Content elsewhere, of `size` bytes. */
export function setExternal(table: NodeTable, node: number, size: number): void {
  table.size[node] = size;
  table.contentLength[node] = -1;
}

/** The number of a name, new or known. */
export function xattrName({ names, numbers }: XattrPairs, name: string): number {
  let number = numbers.get(name);
  if (number === undefined) {
    number = names.length;
    numbers.set(name, number);
    names.push(name);
  }
  return number;
}

export const TYPE_BITS = 0o170000;
export const PERMISSION_BITS = 0o7777;

const DIRENT_TYPES = new Uint8Array(16);
for (const type of Object.keys(FILE_TYPES) as FileType[]) {
  DIRENT_TYPES[FILE_TYPES[type].mode >> 12] = FILE_TYPES[type].dirent;
}

/** Type of a directory entry for something of this mode. */
export function direntType(mode: number): number {
  return DIRENT_TYPES[mode >> 12];
}

/** `.` and `..` in a list of nodes, which have no names of their own. */
export const SELF = -1;
export const PARENT = -2;

export const DOT: Uint8Array = encodeLatin1('..');

/** An image before its layout: inodes in the order of the version, directories with their entries in byte order. */
export interface InodeList {
  readonly nodes: NodeTable;
  readonly count: number;
  /** By inode: the node that it is made of. */
  readonly order: Int32Array;
  /** By node: its inode. Several names of one file have the same. */
  readonly inodeOf: Int32Array;
  /** By inode: the inode of the directory that it is in, for directories. */
  readonly parent: Int32Array;
  /** Entries of directory `i`, `.` and `..` among them: `dirents[direntStart[i] … direntStart[i + 1])`. */
  readonly dirents: Int32Array;
  readonly direntStart: Int32Array;
  /** Attributes of inode `i`, as pairs in their order: `pairs[pairStart[i] … pairStart[i + 1])`. */
  readonly pairs: Int32Array;
  readonly pairStart: Int32Array;
}
