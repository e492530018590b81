/**
 * zstd:chunked, as containers/storage `pkg/chunked` writes it: a zstd stream that decodes to the layer's archive, then
 * three skippable frames that decoders pass over. They hold a table of contents (JSON, compressed), tar-split data
 * (compressed), and a footer. Annotations of the layer's descriptor say where, so that parts can be fetched.
 */

/** Keys of the descriptor's annotations. Podman goes by the first: without it, a layer is an ordinary one. */
export const ANNOTATIONS = {
  /** SHA-256 of the table as compressed. */
  checksum: 'io.github.containers.zstd-chunked.manifest-checksum',
  /** `OFFSET:LENGTH:DECODED LENGTH:1`, in bytes of the blob. */
  position: 'io.github.containers.zstd-chunked.manifest-position',
  /** `OFFSET:LENGTH:DECODED LENGTH`. */
  tarSplitPosition: 'io.github.containers.zstd-chunked.tarsplit-position',
} as const;

/**
 * The same of eStargz, a gzip format: digest of the table as decoded. That is the last file of the archive, and JSON
 * of the same form, with times rounded to seconds.
 */
export const ESTARGZ_ANNOTATION = 'containerd.io/snapshot/stargz/toc.digest';
export const ESTARGZ_TABLE = 'stargz.index.json';

/** The only kind of table that there is, and the version of its JSON. */
export const TABLE_KIND = 1;
export const TABLE_VERSION = 1;

/** Podman reads no larger table, compressed or decoded: it would be held in memory whole. */
export const MAX_TABLE: number = 150 * 1024 * 1024;

/** Of the skippable frames: magic, then the length as 32 bits, little-endian. Positions point behind them. */
export const FRAME_HEADER = 8;
export const FRAME_MAGIC = 0x184d2a50;

/** Seven 64-bit little-endian numbers and a magic, which is also the end of the blob. */
export const FOOTER_SIZE = 64;
export const FOOTER_MAGIC = 'GNUlInUx';

/** Of entries; `chunk` says more about the contents of the `reg` before it. */
export const ENTRY_TYPES = {
  reg: 'file',
  hardlink: 'hardlink',
  symlink: 'symlink',
  char: 'character',
  block: 'block',
  dir: 'directory',
  fifo: 'fifo',
} as const;
export const CHUNK_TYPE = 'chunk';
