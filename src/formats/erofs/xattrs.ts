/** Extended attributes in EROFS: an area behind each inode, and a table of those that several inodes share. */
import { compareBytes, decodeLatin1, encodeLatin1 } from '../../bytes/bytes.ts';
import { xxh32 } from '../../bytes/xxh32.ts';
import { BootsealError } from '../../errors.ts';
import {
  XATTR_AREA_HEADER,
  XATTR_ENTRY_HEADER,
  XATTR_FILTER_SEED,
  XATTR_PREFIXES,
  type ErofsInode,
  type ErofsVersion,
  type ErofsXattr,
} from './format.ts';

interface SplitXattr extends ErofsXattr {
  readonly prefix: number;
  readonly suffix: Uint8Array;
}

interface SharedXattr extends SplitXattr {
  /** Bytes from the start of the table. */
  offset: number;
}

/** One inode's area: references into the shared table first, then its own entries, each in name order. */
export interface XattrArea {
  readonly filter: number;
  readonly shared: readonly SharedXattr[];
  readonly local: readonly SplitXattr[];
  /** Bytes, 0 where there is no area. */
  readonly size: number;
}

export interface XattrPlan {
  /** One for each inode. */
  readonly areas: readonly XattrArea[];
  /** In disk order. */
  readonly table: readonly SharedXattr[];
  readonly tableSize: number;
}

const NO_AREA: XattrArea = { filter: 0, shared: [], local: [], size: 0 };

/** The inode stores the size of the area in words, in 16 bits; the count of references has 8. */
const MAX_AREA = XATTR_AREA_HEADER + 4 * 0xfffe;
const MAX_SHARED = 255;

/** Throws `erofs/too-many-xattrs`. */
export function planXattrs(inodes: readonly ErofsInode[], version: ErofsVersion): XattrPlan {
  // 1. A (name, value) pair that is used more than once goes to the table.
  const uses = new Map<string, number>();
  for (const { xattrs } of inodes) {
    for (const xattr of xattrs) uses.set(pairKey(xattr), (uses.get(pairKey(xattr)) ?? 0) + 1);
  }
  const shared = new Map<string, SharedXattr>();
  const areas = inodes.map(({ xattrs }) => planArea(xattrs, version, uses, shared));

  // 2. Version 2 sorts the table upwards by number and suffix, the others downwards by name, as C does.
  const table = [...shared.values()].sort(version === 2 ? compareSplit : (a, b) => compareFullNames(b, a));
  let tableSize = 0;
  for (const xattr of table) {
    xattr.offset = tableSize;
    tableSize += entrySize(xattr);
  }
  return { areas, table, tableSize };
}

function planArea(
  xattrs: readonly ErofsXattr[],
  version: ErofsVersion,
  uses: ReadonlyMap<string, number>,
  table: Map<string, SharedXattr>,
): XattrArea {
  if (xattrs.length === 0) return NO_AREA;
  const shared: SharedXattr[] = [];
  const local: SplitXattr[] = [];
  let filter = 0xffffffff;
  let size = XATTR_AREA_HEADER;
  for (const xattr of xattrs) {
    const split = splitName(xattr, version);
    filter &= ~(1 << (xxh32(split.suffix, XATTR_FILTER_SEED + split.prefix) & 31));
    const key = pairKey(xattr);
    if (uses.get(key)! > 1) {
      let entry = table.get(key);
      if (entry === undefined) table.set(key, (entry = { ...split, offset: 0 }));
      shared.push(entry);
      size += 4;
    } else {
      local.push(split);
      size += entrySize(split);
    }
  }
  if (shared.length > MAX_SHARED || size > MAX_AREA) {
    throw new BootsealError(
      'erofs/too-many-xattrs',
      `${xattrs.length} extended attributes do not fit one file`,
    );
  }
  return { filter: filter >>> 0, shared, local, size };
}

/** `reference` gives the number by which an entry of the table at this offset is known. */
export function writeArea(
  target: Buffer,
  at: number,
  area: XattrArea,
  reference: (offset: number) => number,
): void {
  if (area.size === 0) return;
  target.writeUInt32LE(area.filter, at);
  target.writeUInt8(area.shared.length, at + 4);
  let next = at + XATTR_AREA_HEADER;
  for (const { offset } of area.shared) next = target.writeUInt32LE(reference(offset), next);
  for (const xattr of area.local) {
    writeEntry(target, next, xattr);
    next += entrySize(xattr);
  }
}

export function writeTable(target: Buffer, at: number, table: readonly SharedXattr[]): void {
  for (const xattr of table) writeEntry(target, at + xattr.offset, xattr);
}

function writeEntry(target: Buffer, at: number, { prefix, suffix, value }: SplitXattr): void {
  target.writeUInt8(suffix.length, at);
  target.writeUInt8(prefix, at + 1);
  target.writeUInt16LE(value.length, at + 2);
  target.set(suffix, at + XATTR_ENTRY_HEADER);
  target.set(value, at + XATTR_ENTRY_HEADER + suffix.length);
}

/** Entries are padded to words. */
function entrySize({ suffix, value }: SplitXattr): number {
  return Math.ceil((XATTR_ENTRY_HEADER + suffix.length + value.length) / 4) * 4;
}

/** Names hold no NUL, so the pair can be told from any other. */
function pairKey({ name, value }: ErofsXattr): string {
  return `${name}\0${decodeLatin1(value)}`;
}

function splitName(xattr: ErofsXattr, version: ErofsVersion): SplitXattr {
  const { name, value } = xattr;
  for (const [index, prefix] of XATTR_PREFIXES) {
    if (!name.startsWith(prefix) || (prefix === 'lustre.' && version !== 2)) continue;
    return { name, value, prefix: index, suffix: encodeLatin1(name.slice(prefix.length)) };
  }
  return { name, value, prefix: 0, suffix: encodeLatin1(name) };
}

function compareSplit(a: SplitXattr, b: SplitXattr): number {
  return a.prefix - b.prefix || compareBytes(a.suffix, b.suffix) || compareBytes(a.value, b.value);
}

/** By name, then by length of the value, then by its bytes: the order of versions 0 and 1. */
export function compareFullNames(a: ErofsXattr, b: ErofsXattr): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return a.value.length - b.value.length || compareBytes(a.value, b.value);
}
