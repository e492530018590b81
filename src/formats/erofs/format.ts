/**
 * Layout of an EROFS image as composefs writes it, in disk order: composefs header, superblock, inodes, shared
 * extended attributes, data blocks. Little-endian. Structures as in the kernel's fs/erofs/erofs_fs.h; the header is
 * composefs's own (libcomposefs/lcfs-erofs.h).
 */

export const EROFS_BLOCK = 4096;
/** Inodes stand on multiples of it, and are numbered by it: nid = offset / 32. */
export const INODE_SLOT = 32;

/**
 * 0 and 1: what C `mkcomposefs` writes, byte for byte; 1 also marks escaped whiteouts opaque.
 * 2: what composefs-rs wrote before it took those over (bootc before 1.16.4).
 */
export type ErofsVersion = 0 | 1 | 2;

/** C `mkcomposefs` and composefs-rs write some trees differently; `strict` refuses those. */
export type ErofsDialect = 'strict' | 'c' | 'rust';

export const HEADER = { size: 32, magic: 0xd078629a, version: 1, flagHasAcl: 1 } as const;

export const SUPERBLOCK = { offset: 1024, size: 128, magic: 0xe0f5e1e2, blockBits: 12 } as const;
/** SB_CHKSUM is not among them: MTIME and XATTR_FILTER. */
export const FEATURE_COMPAT = 6;

export const FIRST_INODE: number = SUPERBLOCK.offset + SUPERBLOCK.size;
export const COMPACT_INODE = 32;
export const EXTENDED_INODE = 64;

/** Bits 1–3 of an inode's format; bit 0 says that the inode is extended. */
export const LAYOUT = { plain: 0, inline: 2, chunked: 4 } as const;

/** What a chunk that lies in another file system has for a block number. */
export const NULL_CHUNK = 0xffffffff;
/** Chunk size in blocks, as a power of two, is in the low bits of a chunked inode's `u`. */
export const MAX_CHUNK_BITS = 31;

export const XATTR_AREA_HEADER = 12;
export const XATTR_ENTRY_HEADER = 4;
export const XATTR_FILTER_SEED = 0x25bbe08f;

/** Prefixes of attribute names that an entry holds as a number. 5 exists in version 2 only. */
export const XATTR_PREFIXES: readonly (readonly [index: number, prefix: string])[] = [
  [1, 'user.'],
  [2, 'system.posix_acl_access'],
  [3, 'system.posix_acl_default'],
  [4, 'trusted.'],
  [5, 'lustre.'],
  [6, 'security.'],
];

export const DIRENT_SIZE = 12;

/** S_IFMT bits of a mode, and the type that a directory entry has for it. */
export const FILE_TYPES = {
  regular: { mode: 0o100000, dirent: 1 },
  directory: { mode: 0o040000, dirent: 2 },
  character: { mode: 0o020000, dirent: 3 },
  block: { mode: 0o060000, dirent: 4 },
  fifo: { mode: 0o010000, dirent: 5 },
  socket: { mode: 0o140000, dirent: 6 },
  symlink: { mode: 0o120000, dirent: 7 },
} as const;

export type FileType = keyof typeof FILE_TYPES;

export interface ErofsXattr {
  /** A byte a character. */
  readonly name: string;
  readonly value: Uint8Array;
}

/** Names of a directory without `.` and `..`, in byte order; `inode` is an index into the list of inodes. */
export interface ErofsDirent {
  readonly name: string;
  readonly inode: number;
}

export type ErofsBody =
  | { readonly kind: 'directory'; readonly parent: number; readonly entries: readonly ErofsDirent[] }
  /** Content kept in the image. */
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'symlink'; readonly target: Uint8Array }
  /** Content kept elsewhere. */
  | { readonly kind: 'external'; readonly size: number }
  | { readonly kind: 'device'; readonly rdev: number }
  | { readonly kind: 'none' };

export interface ErofsInode {
  readonly type: FileType;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Modulo 2^64. */
  readonly seconds: bigint;
  readonly nanos: number;
  readonly nlink: number;
  /** In the order of the file. */
  readonly xattrs: readonly ErofsXattr[];
  readonly body: ErofsBody;
}
