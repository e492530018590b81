/** Extended attributes of an inode, its own and shared ones. */
import { decodeLatin1, encodeLatin1 } from '../../bytes/bytes.ts';
import { xxh32 } from '../../bytes/xxh32.ts';
import {
  XATTR_AREA_HEADER,
  XATTR_ENTRY_HEADER,
  XATTR_FILTER_SEED,
  XATTR_PREFIXES,
  type ErofsXattr,
} from './format.ts';
import { checkZero, claim, unreadable, type Reading } from './reading.ts';

/** The kernel shows no longer names. */
const MAX_NAME = 255;

/** What composefs-rs marks whiteouts and their directories with, beside an attribute of that name where there is one. */
const MARKS: ReadonlySet<string> = new Set(
  ['whiteout', 'whiteouts', 'opaque'].flatMap((name) => [
    `trusted.overlay.overlay.${name}`,
    `user.overlay.${name}`,
  ]),
);

interface ReadXattr extends ErofsXattr {
  readonly filterBit: number;
  /** Where the entry ends. */
  readonly end: number;
}

/** Entries of the shared table that have been read, by offset. */
export type SharedXattrs = Map<number, ReadXattr>;

/**
 * The area `[start, end)`, already claimed. Its own attributes first, then the shared ones, as they stand there. Values
 * are views of the image.
 */
export function readXattrArea(
  reading: Reading,
  start: number,
  end: number,
  shared: SharedXattrs,
): { readonly own: ErofsXattr[]; readonly shared: ErofsXattr[] } {
  const { view, bytes } = reading;
  const filter = view.getUint32(start, true);
  const count = bytes[start + 4];
  checkZero(reading, start + 5, start + XATTR_AREA_HEADER, 'a reserved field of an attribute area');
  const ownAt = start + XATTR_AREA_HEADER + 4 * count;
  if (ownAt > end)
    unreadable(reading, 'erofs/bad-xattrs', 'more shared attributes than the area holds', start);
  let expected = 0xffffffff;
  const names = new Map<string, number>();
  const see = (xattr: ReadXattr, at: number): ErofsXattr => {
    expected &= ~xattr.filterBit;
    const before = names.get(xattr.name) ?? 0;
    if (before > (MARKS.has(xattr.name) ? 1 : 0)) {
      reading.problem('erofs/bad-xattrs', `attribute ${xattr.name} more than once`, at);
    }
    names.set(xattr.name, before + 1);
    return xattr;
  };

  // 1. References, by words from the start of the table's block.
  const references: ErofsXattr[] = [];
  for (let at = start + XATTR_AREA_HEADER; at < ownAt; at += 4) {
    references.push(see(readShared(reading, view.getUint32(at, true), shared, at), at));
  }
  // 2. The inode's own, to the end of the area.
  const own: ErofsXattr[] = [];
  for (let at = ownAt; at < end;) {
    const xattr = readEntry(reading, at, end);
    own.push(see(xattr, at));
    at = xattr.end;
  }
  if (filter !== expected >>> 0) {
    reading.problem('erofs/bad-xattrs', 'the filter of attribute names is not that of the names', start);
  }
  return { own, shared: references };
}

function readShared(reading: Reading, reference: number, known: SharedXattrs, at: number): ReadXattr {
  const offset = reading.xattrBase + 4 * reference;
  const before = known.get(offset);
  if (before !== undefined) return before;
  if (offset >= reading.bytes.length) {
    unreadable(reading, 'erofs/out-of-bounds', `shared attribute ${reference} lies outside the image`, at);
  }
  const xattr = readEntry(reading, offset, reading.bytes.length);
  claim(reading, offset, xattr.end, 'a shared attribute');
  known.set(offset, xattr);
  return xattr;
}

/**
 * Takes the entries of the shared table that no inode refers to: C writes those that all inodes have which had no room
 * for a reference. The table follows the last inode and ends with its block.
 */
export function claimUnusedShared(reading: Reading, start: number, known: SharedXattrs): void {
  for (let at = start; at < reading.bytes.length;) {
    const before = known.get(at);
    if (before === undefined) {
      if (reading.claimed[at / 4] !== 0 || reading.view.getUint32(at, true) === 0) return;
      const xattr = readEntry(reading, at, reading.bytes.length);
      claim(reading, at, xattr.end, 'a shared attribute');
      at = xattr.end;
    } else {
      at = before.end;
    }
  }
}

function readEntry(reading: Reading, at: number, limit: number): ReadXattr {
  const { bytes, view } = reading;
  if (at + XATTR_ENTRY_HEADER > limit) {
    unreadable(reading, 'erofs/bad-xattrs', 'an attribute lies over the end of its area', at);
  }
  const length = bytes[at];
  const index = bytes[at + 1];
  const size = view.getUint16(at + 2, true);
  const valueAt = at + XATTR_ENTRY_HEADER + length;
  const end = (valueAt + size + 3) & ~3;
  if (end > limit) unreadable(reading, 'erofs/bad-xattrs', 'an attribute lies over the end of its area', at);
  checkZero(reading, valueAt + size, end, 'the padding of an attribute');
  const prefix = prefixOf(index);
  if (prefix === undefined) {
    unreadable(reading, 'erofs/bad-xattrs', `an attribute has the unknown prefix ${index}`, at);
  }
  const name = prefix + decodeLatin1(bytes.subarray(at + XATTR_ENTRY_HEADER, valueAt));
  if (name === '' || name.length > MAX_NAME || name.includes('\0')) {
    reading.problem('erofs/bad-xattrs', 'an attribute has a name that no file can have', at);
  }
  return {
    name,
    value: bytes.subarray(valueAt, valueAt + size),
    filterBit: filterBit(reading, index, name, prefix.length),
    end,
  };
}

/** Images have many attributes of few names. */
function filterBit({ filterBits }: Reading, index: number, name: string, prefixLength: number): number {
  const key = `${index} ${name}`;
  let bit = filterBits.get(key);
  if (bit === undefined) {
    bit = 1 << (xxh32(encodeLatin1(name.slice(prefixLength)), XATTR_FILTER_SEED + index) & 31);
    filterBits.set(key, bit);
  }
  return bit;
}

/** Prefix 0 is none: the whole name stands in the entry. */
function prefixOf(index: number): string | undefined {
  return index === 0 ? '' : XATTR_PREFIXES.find(([number]) => number === index)?.[1];
}
