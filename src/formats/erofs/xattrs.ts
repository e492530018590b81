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

/** A name as an entry holds it. */
interface XattrName {
  readonly name: string;
  readonly prefix: number;
  readonly suffix: Uint8Array;
  /** The bit that the name clears in a filter. */
  readonly filterBit: number;
}

/** A name and a value, however many inodes have them. */
interface XattrPair extends ErofsXattr {
  readonly key: XattrName;
  uses: number;
  /** Bytes from the start of the shared table. */
  offset: number;
}

/** One inode's area: references into the shared table first, then its own entries, each in name order. */
export interface XattrArea {
  readonly filter: number;
  readonly shared: readonly XattrPair[];
  readonly local: readonly XattrPair[];
  /** Bytes, 0 where there is no area. */
  readonly size: number;
}

export interface XattrPlan {
  /** One for each inode. */
  readonly areas: readonly XattrArea[];
  /** In disk order. */
  readonly table: readonly XattrPair[];
  readonly tableSize: number;
}

const NO_AREA: XattrArea = { filter: 0, shared: [], local: [], size: 0 };

/** The inode stores the size of the area in words, in 16 bits; the count of references has 8. */
const MAX_AREA = XATTR_AREA_HEADER + 4 * 0xfffe;
const MAX_SHARED = 255;

/** Throws `erofs/too-many-xattrs`. */
export function planXattrs(inodes: readonly ErofsInode[], version: ErofsVersion): XattrPlan {
  // 1. Each (name, value) pair once, with the number of its uses.
  const names = new Map<string, { readonly key: XattrName; readonly pairs: Map<string, XattrPair> }>();
  const pairs = inodes.map(({ xattrs }) =>
    xattrs.map(({ name, value }) => {
      let known = names.get(name);
      if (known === undefined) names.set(name, (known = { key: splitName(name, version), pairs: new Map() }));
      const text = decodeLatin1(value);
      let pair = known.pairs.get(text);
      if (pair === undefined) {
        known.pairs.set(text, (pair = { name, value, key: known.key, uses: 0, offset: 0 }));
      }
      pair.uses += 1;
      return pair;
    }),
  );

  // 2. Those used more than once go to the table. Version 2 sorts it upwards by number and suffix, the others
  //    downwards by name, as C does.
  const table: XattrPair[] = [];
  for (const known of names.values()) {
    for (const pair of known.pairs.values()) if (pair.uses > 1) table.push(pair);
  }
  table.sort(version === 2 ? compareSplit : (a, b) => compareFullNames(b, a));
  let tableSize = 0;
  for (const pair of table) {
    pair.offset = tableSize;
    tableSize += entrySize(pair);
  }
  return { areas: pairs.map(planArea), table, tableSize };
}

function planArea(pairs: readonly XattrPair[]): XattrArea {
  if (pairs.length === 0) return NO_AREA;
  const shared: XattrPair[] = [];
  const local: XattrPair[] = [];
  let filter = 0xffffffff;
  let size = XATTR_AREA_HEADER;
  for (const pair of pairs) {
    filter &= ~pair.key.filterBit;
    size += pair.uses > 1 ? 4 : entrySize(pair);
    (pair.uses > 1 ? shared : local).push(pair);
  }
  if (shared.length > MAX_SHARED || size > MAX_AREA) {
    throw new BootsealError(
      'erofs/too-many-xattrs',
      `${pairs.length} extended attributes do not fit one file`,
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

export function writeTable(target: Buffer, at: number, table: readonly XattrPair[]): void {
  for (const pair of table) writeEntry(target, at + pair.offset, pair);
}

function writeEntry(target: Buffer, at: number, { key: { prefix, suffix }, value }: XattrPair): void {
  target[at] = suffix.length;
  target[at + 1] = prefix;
  target.writeUInt16LE(value.length, at + 2);
  target.set(suffix, at + XATTR_ENTRY_HEADER);
  target.set(value, at + XATTR_ENTRY_HEADER + suffix.length);
}

/** Entries are padded to words. */
function entrySize({ key: { suffix }, value }: XattrPair): number {
  return (XATTR_ENTRY_HEADER + suffix.length + value.length + 3) & ~3;
}

function splitName(name: string, version: ErofsVersion): XattrName {
  const known = XATTR_PREFIXES.find(
    ([, prefix]) => name.startsWith(prefix) && (prefix !== 'lustre.' || version === 2),
  );
  const [prefix, text] = known ?? [0, ''];
  const suffix = encodeLatin1(name.slice(text.length));
  return { name, prefix, suffix, filterBit: 1 << (xxh32(suffix, XATTR_FILTER_SEED + prefix) & 31) };
}

function compareSplit({ key: a, value: aValue }: XattrPair, { key: b, value: bValue }: XattrPair): number {
  return a.prefix - b.prefix || compareBytes(a.suffix, b.suffix) || compareBytes(aValue, bValue);
}

/** By name, then by length of the value, then by its bytes: the order of versions 0 and 1. */
export function compareFullNames(a: ErofsXattr, b: ErofsXattr): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return a.value.length - b.value.length || compareBytes(a.value, b.value);
}
