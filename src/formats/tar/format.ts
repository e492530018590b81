/**
 * Layout of a tar archive: POSIX.1-2017 pax(1) "ustar Interchange Format" and "pax Extended Header", and GNU tar's
 * additions. Offsets are bytes within the 512-byte header block.
 */

/** Headers are one block; payloads are padded with zero bytes to whole blocks. */
export const TAR_BLOCK = 512;

/** Offset and length of each header field, in disk order. */
export const HEADER_FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkName: [157, 100],
  magic: [257, 8],
  userName: [265, 32],
  groupName: [297, 32],
  deviceMajor: [329, 8],
  deviceMinor: [337, 8],
  prefix: [345, 155],
} as const satisfies Record<string, readonly [number, number]>;

/** Magic and version together: POSIX writes a NUL after the magic and version `00`, GNU two spaces and a NUL. */
export const USTAR_MAGIC = 'ustar\x0000';
export const GNU_MAGIC = 'ustar  \x00';

/**
 * Extension data (PAX records, GNU long names) is held in memory before its entry is known. 1 MiB is the limit of
 * tar-core, which composefs-rs reads layers with; sparse maps and endless records end here.
 */
export const MAX_EXTENSION_SIZE: number = 1024 * 1024;

/** Prefix of the PAX keys that carry extended attributes as raw bytes. */
export const PAX_XATTR_PREFIX = 'SCHILY.xattr.';

export type TarEntryType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'character' | 'block' | 'fifo';

/** The type byte of each kind of entry. */
export const TYPE_FLAGS: Readonly<Record<TarEntryType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

/** Seconds since 1970, and nanoseconds 0–999,999,999 to add to them. */
export interface TarTime {
  readonly seconds: bigint;
  readonly nanos: number;
}

export interface TarEntry {
  /** A byte a character (Latin-1). A writer is given no leading slash, and directories without trailing slash. */
  readonly path: string;
  readonly type: TarEntryType;
  /** Permission bits, 0–07777. A reader gives the whole field. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: TarTime;
  /** Bytes of payload that follow the header; 0 when absent. */
  readonly size?: number;
  /** Of a symlink or a hardlink, a byte a character. */
  readonly linkTarget?: string;
  /** Of a character or block device. */
  readonly device?: { readonly major: number; readonly minor: number };
  /** Names a byte a character, values raw. */
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
}
