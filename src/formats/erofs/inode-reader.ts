/** One inode of an image: its fields, its attributes, and where its content is. */
import {
  COMPACT_INODE,
  EROFS_BLOCK,
  EXTENDED_INODE,
  FILE_TYPES,
  FIRST_INODE,
  INODE_SLOT,
  LAYOUT,
  MAX_CHUNK_BITS,
  NULL_CHUNK,
  type ErofsXattr,
  type FileType,
} from './format.ts';
import { readDirentBlock, type ReadDirent } from './directory-reader.ts';
import { PERMISSION_BITS, TYPE_BITS } from './node-table.ts';
import { checkZero, claim, unreadable, type Reading } from './reading.ts';
import { readXattrArea, type SharedXattrs } from './xattr-reader.ts';

export type ReadBody =
  | { readonly kind: 'directory'; readonly entries: readonly ReadDirent[] }
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'symlink'; readonly target: Uint8Array }
  | { readonly kind: 'external' }
  | { readonly kind: 'device'; readonly rdev: number }
  | { readonly kind: 'none' };

export interface ReadInode {
  readonly nid: number;
  /** Bytes from the start of the image. */
  readonly offset: number;
  readonly type: FileType;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Two's complement. */
  readonly seconds: bigint;
  readonly nanos: number;
  readonly nlink: number;
  /** Bytes. */
  readonly size: number;
  /** As the inode counts itself. */
  readonly ino: number;
  readonly own: readonly ErofsXattr[];
  readonly shared: readonly ErofsXattr[];
  readonly body: ReadBody;
}

export interface BuildTime {
  readonly seconds: bigint;
  readonly nanos: number;
}

const TYPES = new Map<number, FileType>(
  (Object.keys(FILE_TYPES) as FileType[]).map((type) => [FILE_TYPES[type].mode, type]),
);
const KNOWN_LAYOUTS: readonly number[] = Object.values(LAYOUT);
/** PATH_MAX less its NUL. */
const MAX_TARGET = 4095;

interface Fields extends Omit<ReadInode, 'own' | 'shared' | 'body'> {
  readonly layout: number;
  readonly union: number;
  /** Where what is behind inode and attributes starts. */
  readonly tailAt: number;
}

export function readInode(
  reading: Reading,
  nid: number,
  buildTime: BuildTime,
  sharedXattrs: SharedXattrs,
): ReadInode {
  const { view, bytes } = reading;
  const offset = nid * INODE_SLOT;
  // 1. Which of the two forms, and how long with its attributes.
  if (offset < FIRST_INODE || offset + COMPACT_INODE > bytes.length) {
    unreadable(
      reading,
      'erofs/out-of-bounds',
      `inode ${nid} lies outside the image`,
      Math.min(offset, bytes.length),
    );
  }
  const format = view.getUint16(offset, true);
  const extended = (format & 1) !== 0;
  const layout = format >> 1;
  if (!KNOWN_LAYOUTS.includes(layout)) {
    unreadable(
      reading,
      'erofs/bad-inode',
      `inode ${nid} has the layout ${layout}, which composefs has no use for`,
      offset,
    );
  }
  if (!extended && reading.version === 2) {
    reading.problem('erofs/bad-inode', `inode ${nid} is compact, which version 2 does not write`, offset);
  }
  const count = view.getUint16(offset + 2, true);
  const xattrSize = count === 0 ? 0 : 12 + (count - 1) * 4;
  const header = extended ? EXTENDED_INODE : COMPACT_INODE;
  const tailAt = offset + header + xattrSize;
  claim(reading, offset, tailAt, `inode ${nid}`);
  reading.inodesEnd = Math.max(reading.inodesEnd, tailAt);
  const fields = readFields(reading, nid, extended, layout, tailAt, buildTime);
  // 2. Attributes.
  const xattrs =
    xattrSize === 0 ? { own: [], shared: [] } : readXattrArea(reading, offset + header, tailAt, sharedXattrs);
  // 3. Content. Field by field: spreading takes several times as long, and there are many inodes.
  return {
    nid,
    offset,
    type: fields.type,
    mode: fields.mode,
    uid: fields.uid,
    gid: fields.gid,
    seconds: fields.seconds,
    nanos: fields.nanos,
    nlink: fields.nlink,
    size: fields.size,
    ino: fields.ino,
    own: xattrs.own,
    shared: xattrs.shared,
    body: readBody(reading, fields),
  };
}

function readFields(
  reading: Reading,
  nid: number,
  extended: boolean,
  layout: number,
  tailAt: number,
  buildTime: BuildTime,
): Fields {
  const { view } = reading;
  const offset = nid * INODE_SLOT;
  const mode = view.getUint16(offset + 4, true);
  const type = TYPES.get(mode & TYPE_BITS);
  if (type === undefined)
    unreadable(reading, 'erofs/bad-inode', `inode ${nid} has an unknown type`, offset + 4);
  const size = extended ? Number(view.getBigUint64(offset + 8, true)) : view.getUint32(offset + 8, true);
  if (size >= 2 ** 53)
    unreadable(reading, 'erofs/bad-inode', `inode ${nid} has a size of ${size} bytes`, offset + 8);
  const fields = {
    nid,
    offset,
    type,
    mode: mode & PERMISSION_BITS,
    size,
    layout,
    union: view.getUint32(offset + 16, true),
    ino: view.getUint32(offset + 20, true),
    tailAt,
    nlink: view.getUint16(offset + 6, true),
    uid: view.getUint16(offset + 24, true),
    gid: view.getUint16(offset + 26, true),
    seconds: buildTime.seconds,
    nanos: buildTime.nanos,
  };
  if (!extended) {
    checkZero(reading, offset + 12, offset + 16, 'a reserved field of an inode');
    checkZero(reading, offset + 28, offset + 32, 'a reserved field of an inode');
    return fields;
  }
  checkZero(reading, offset + 6, offset + 8, 'a reserved field of an inode');
  checkZero(reading, offset + 48, offset + 64, 'a reserved field of an inode');
  fields.uid = view.getUint32(offset + 24, true);
  fields.gid = view.getUint32(offset + 28, true);
  fields.seconds = view.getBigInt64(offset + 32, true);
  fields.nanos = view.getUint32(offset + 40, true);
  fields.nlink = view.getUint32(offset + 44, true);
  // Version 2 stores none.
  if (fields.nanos >= 1_000_000_000 || (fields.nanos > 0 && reading.version === 2)) {
    reading.problem('erofs/bad-inode', `inode ${nid} has ${fields.nanos} nanoseconds`, offset + 40);
  }
  return fields;
}

function readBody(reading: Reading, fields: Fields): ReadBody {
  const { type, layout, nid, offset, size, union } = fields;
  if (layout === LAYOUT.chunked && type !== 'regular') {
    unreadable(reading, 'erofs/bad-inode', `inode ${nid} is no file and has chunks`, offset);
  }
  switch (type) {
    case 'directory':
      return { kind: 'directory', entries: readDirents(reading, fields) };
    case 'symlink':
      if (size > MAX_TARGET)
        unreadable(reading, 'erofs/bad-inode', `a link target of ${size} bytes`, offset + 8);
      return { kind: 'symlink', target: readData(reading, fields) };
    case 'regular':
      if (layout === LAYOUT.chunked) {
        readChunks(reading, fields);
        return { kind: 'external' };
      }
      return { kind: 'data', bytes: readData(reading, fields) };
    case 'character':
    case 'block':
    case 'fifo':
    case 'socket':
    default:
      if (size !== 0 || layout !== LAYOUT.plain) {
        reading.problem('erofs/bad-inode', `inode ${nid} is no file and has content`, offset);
      }
      if (type === 'character' || type === 'block') return { kind: 'device', rdev: union };
      if (union !== 0)
        reading.problem('erofs/not-zero', `inode ${nid} has a block and no content`, offset + 16);
      return { kind: 'none' };
  }
}

/** Whole blocks, and what stands behind the inode; all claimed. */
function pieces(reading: Reading, { nid, layout, size, union, tailAt, offset }: Fields): [number, number][] {
  const tail = layout === LAYOUT.inline ? size % EROFS_BLOCK : 0;
  const blocks = Math.ceil((size - tail) / EROFS_BLOCK);
  const found: [number, number][] = [];
  if (blocks > 0) {
    const start = union * EROFS_BLOCK;
    claim(reading, start, start + blocks * EROFS_BLOCK, `the content of inode ${nid}`);
    const end = start + size - tail;
    checkZero(reading, end, start + blocks * EROFS_BLOCK, `what is behind the content of inode ${nid}`);
    found.push([start, end]);
  } else if (union !== 0) {
    reading.problem('erofs/not-zero', `inode ${nid} has a block and needs none`, offset + 16);
  }
  if (tail > 0) {
    if ((tailAt % EROFS_BLOCK) + tail > EROFS_BLOCK) {
      unreadable(reading, 'erofs/bad-inode', `the end of inode ${nid} lies over the end of a block`, tailAt);
    }
    // Inodes stand on slots, so what is left of the last word is padding.
    claim(reading, tailAt, tailAt + tail, `the end of inode ${nid}`);
    checkZero(reading, tailAt + tail, Math.min((tailAt + tail + 3) & ~3, reading.bytes.length), 'padding');
    reading.inodesEnd = Math.max(reading.inodesEnd, tailAt + tail);
    found.push([tailAt, tailAt + tail]);
  }
  return found;
}

function readData(reading: Reading, fields: Fields): Uint8Array {
  const parts = pieces(reading, fields).map(([start, end]) => reading.bytes.subarray(start, end));
  return parts.length === 1 ? parts[0] : new Uint8Array(Buffer.concat(parts));
}

function readDirents(reading: Reading, fields: Fields): ReadDirent[] {
  const entries: ReadDirent[] = [];
  for (const [start, end] of pieces(reading, fields)) {
    for (let at = start; at < end; at += EROFS_BLOCK) {
      readDirentBlock(reading, at, Math.min(at + EROFS_BLOCK, end), entries);
    }
  }
  return entries;
}

/** Content in another file system is one chunk or more, none of which has an address here. */
function readChunks(reading: Reading, { nid, union, size, tailAt, offset }: Fields): void {
  if (union > MAX_CHUNK_BITS) {
    unreadable(reading, 'erofs/bad-inode', `inode ${nid} has chunks of an unknown form`, offset + 16);
  }
  // Version 2 writes one, whatever the size.
  const count = reading.version === 2 ? 1 : Math.ceil(size / 2 ** (12 + union));
  if ((tailAt % EROFS_BLOCK) + 4 * count > EROFS_BLOCK) {
    unreadable(
      reading,
      'erofs/bad-inode',
      `the ${count} chunks of inode ${nid} are not behind it`,
      offset + 16,
    );
  }
  claim(reading, tailAt, tailAt + 4 * count, `the chunks of inode ${nid}`);
  reading.inodesEnd = Math.max(reading.inodesEnd, tailAt + 4 * count);
  for (let at = tailAt; at < tailAt + 4 * count; at += 4) {
    if (reading.view.getUint32(at, true) !== NULL_CHUNK) {
      reading.problem('erofs/bad-inode', `inode ${nid} has content outside its attributes' say`, at);
      return;
    }
  }
}
