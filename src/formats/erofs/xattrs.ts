/** Extended attributes in EROFS: an area behind each inode, and a table of those that several inodes share. */
import { compareInArena } from '../../bytes/byte-table.ts';
import { encodeLatin1 } from '../../bytes/bytes.ts';
import { xxh32 } from '../../bytes/xxh32.ts';
import { BootsealError } from '../../errors.ts';
import {
  XATTR_AREA_HEADER,
  XATTR_ENTRY_HEADER,
  XATTR_FILTER_SEED,
  XATTR_PREFIXES,
  type ErofsDialect,
  type ErofsVersion,
} from './format.ts';
import { OBJECT_PATH, type InodeList, type NodeTable } from './node-table.ts';
import type { Output } from './output.ts';

/** A name as an entry holds it. */
interface XattrName {
  readonly prefix: number;
  readonly suffix: Uint8Array;
  /** The bit that the name clears in a filter. */
  readonly filterBit: number;
}

export interface XattrPlan {
  /** By number of the name. */
  readonly names: readonly XattrName[];
  /** By pair: how many inodes have it. Those of more than one are in the table. */
  readonly uses: Uint32Array;
  /** By pair: bytes from the start of the table. */
  readonly offsets: Uint32Array;
  /** Pairs in disk order. */
  readonly table: readonly number[];
  readonly tableSize: number;
  /** By inode: bytes of its area, 0 where there is none. */
  readonly sizes: Uint32Array;
  readonly maxShared: number;
}

/** The inode stores the size of the area in words, in 16 bits; the count of references has 8. */
const MAX_AREA = XATTR_AREA_HEADER + 4 * 0xfffe;
const MAX_SHARED = 255;
/** libcomposefs keeps what is over it with the inode. */
const MAX_SHARED_C = 128;

/** Throws `erofs/too-many-xattrs`. */
export function planXattrs(list: InodeList, version: ErofsVersion, dialect: ErofsDialect): XattrPlan {
  const { nodes, count, pairs, pairStart } = list;
  const table = nodes.xattrs.pairs;
  const names = nodes.xattrs.names.map((name) => splitName(name, version));
  const maxShared = dialect === 'rust' ? MAX_SHARED : MAX_SHARED_C;

  // 1. How often each pair is used. Those used more than once go to the table.
  const uses = new Uint32Array(table.count);
  for (let at = 0; at < pairStart[count]; at++) uses[pairs[at]] += 1;
  const shared: number[] = [];
  for (let pair = 0; pair < table.count; pair++) if (uses[pair] > 1) shared.push(pair);
  shared.sort(tableOrder(nodes, names, version));
  const offsets = new Uint32Array(table.count);
  let tableSize = 0;
  for (const pair of shared) {
    offsets[pair] = tableSize;
    tableSize += entrySize(nodes, names, pair);
  }

  // 2. The size of each inode's area.
  const sizes = new Uint32Array(count);
  for (let inode = 0; inode < count; inode++) {
    const end = pairStart[inode + 1];
    if (pairStart[inode] === end) continue;
    let size = XATTR_AREA_HEADER;
    let references = 0;
    for (let at = pairStart[inode]; at < end; at++) {
      const pair = pairs[at];
      const isReference = uses[pair] > 1 && (dialect !== 'c' || references < maxShared);
      if (isReference) references += 1;
      size += isReference ? 4 : entrySize(nodes, names, pair);
    }
    if (references > maxShared || size > MAX_AREA) {
      throw new BootsealError(
        'erofs/too-many-xattrs',
        `${end - pairStart[inode]} extended attributes do not fit one file`,
      );
    }
    sizes[inode] = size;
  }
  return { names, uses, offsets, table: shared, tableSize, sizes, maxShared };
}

/** `base` is where the table starts, counted from where references are counted from. */
export function writeArea(
  target: Uint8Array,
  view: DataView,
  offset: number,
  list: InodeList,
  plan: XattrPlan,
  inode: number,
  base: number,
): void {
  const { pairs, pairStart, nodes } = list;
  const { tags } = nodes.xattrs.pairs;
  const end = pairStart[inode + 1];
  let filter = 0xffffffff;
  let references = 0;
  // 1. References to the table first.
  for (let at = pairStart[inode]; at < end; at++) {
    const pair = pairs[at];
    filter &= ~plan.names[tags[pair]].filterBit;
    if (plan.uses[pair] <= 1 || references === plan.maxShared) continue;
    view.setUint32(offset + XATTR_AREA_HEADER + 4 * references, (base + plan.offsets[pair]) / 4, true);
    references += 1;
  }
  view.setUint32(offset, filter, true);
  target[offset + 4] = references;
  // 2. Then the inode's own.
  let next = offset + XATTR_AREA_HEADER + 4 * references;
  for (let at = pairStart[inode]; at < end; at++) {
    const pair = pairs[at];
    if (plan.uses[pair] > 1 && references > 0) references -= 1;
    else next = writeEntry(target, view, next, nodes, plan.names, pair);
  }
}

export function writeTable(output: Output, start: number, nodes: NodeTable, plan: XattrPlan): void {
  for (const pair of plan.table) {
    const offset = output.room(start + plan.offsets[pair], entrySize(nodes, plan.names, pair));
    writeEntry(output.bytes, output.view, offset, nodes, plan.names, pair);
  }
}

/** Returns where the next entry starts. */
function writeEntry(
  target: Uint8Array,
  view: DataView,
  offset: number,
  nodes: NodeTable,
  names: readonly XattrName[],
  pair: number,
): number {
  const { tags, at, lengths } = nodes.xattrs.pairs;
  const { prefix, suffix } = names[tags[pair]];
  const length = valueLength(nodes, pair);
  target[offset] = suffix.length;
  target[offset + 1] = prefix;
  view.setUint16(offset + 2, length, true);
  let to = offset + XATTR_ENTRY_HEADER;
  for (const byte of suffix) target[to++] = byte;
  const kept = nodes.arena.bytes;
  const from = at[pair];
  if (tags[pair] === OBJECT_PATH) writeObjectPath(target, to, kept, from, lengths[pair]);
  else if (length < 128) for (let byte = 0; byte < length; byte++) target[to + byte] = kept[from + byte];
  else target.set(kept.subarray(from, from + length), to);
  return offset + entrySize(nodes, names, pair);
}

/** Entries are padded to words. */
function entrySize(nodes: NodeTable, names: readonly XattrName[], pair: number): number {
  const { tags } = nodes.xattrs.pairs;
  return (XATTR_ENTRY_HEADER + names[tags[pair]].suffix.length + valueLength(nodes, pair) + 3) & ~3;
}

function valueLength({ xattrs: { pairs } }: NodeTable, pair: number): number {
  const length = pairs.lengths[pair];
  return pairs.tags[pair] === OBJECT_PATH ? 2 * length + 2 : length;
}

/** `/xx/rest` of the digest at `from`. */
function writeObjectPath(
  target: Uint8Array,
  offset: number,
  digest: Uint8Array,
  from: number,
  length: number,
): void {
  let to = offset;
  target[to++] = SLASH;
  for (let at = 0; at < length; at++) {
    if (at === 1) target[to++] = SLASH;
    const byte = digest[from + at];
    target[to++] = HEX[byte >> 4];
    target[to++] = HEX[byte & 15];
  }
}

const HEX = encodeLatin1('0123456789abcdef');
const SLASH = 0x2f;

function splitName(name: string, version: ErofsVersion): XattrName {
  const known = XATTR_PREFIXES.find(
    ([, prefix]) => name.startsWith(prefix) && (prefix !== 'lustre.' || version === 2),
  );
  const [prefix, text] = known ?? [0, ''];
  const suffix = encodeLatin1(name.slice(text.length));
  return { prefix, suffix, filterBit: 1 << (xxh32(suffix, XATTR_FILTER_SEED + prefix) & 31) };
}

/**
 * Version 2 sorts the table upwards by number of the prefix, suffix and value; the others downwards by name, length
 * of the value and value, as C does.
 */
function tableOrder(
  nodes: NodeTable,
  names: readonly XattrName[],
  version: ErofsVersion,
): (a: number, b: number) => number {
  const { pairs } = nodes.xattrs;
  const ranks = new Int32Array(names.length);
  const byName =
    version === 2
      ? (a: number, b: number): number =>
          names[a].prefix - names[b].prefix || Buffer.compare(names[a].suffix, names[b].suffix)
      : (a: number, b: number): number => compareText(nodes.xattrs.names[b], nodes.xattrs.names[a]);
  const sorted = names.map((_, number) => number).sort(byName);
  // A name may have two numbers, which are of one rank.
  for (const [rank, number] of sorted.entries()) {
    const same = rank > 0 && byName(sorted[rank - 1], number) === 0;
    ranks[number] = same ? ranks[sorted[rank - 1]] : rank;
  }
  return (a, b) => {
    const rank = ranks[pairs.tags[a]] - ranks[pairs.tags[b]];
    if (rank !== 0) return rank;
    return version === 2 ? compareValues(nodes, a, b) : comparePairs(nodes, b, a);
  };
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function compareValues(nodes: NodeTable, a: number, b: number): number {
  const { tags, at, lengths } = nodes.xattrs.pairs;
  // Paths are in the order of their digests.
  if ((tags[a] === OBJECT_PATH) === (tags[b] === OBJECT_PATH)) {
    return compareInArena(nodes.arena.bytes, at[a], lengths[a], at[b], lengths[b]);
  }
  return Buffer.compare(valueOf(nodes, a), valueOf(nodes, b));
}

function valueOf(nodes: NodeTable, pair: number): Uint8Array {
  const { tags, at, lengths } = nodes.xattrs.pairs;
  const kept = nodes.arena.bytes.subarray(at[pair], at[pair] + lengths[pair]);
  if (tags[pair] !== OBJECT_PATH) return kept;
  const path = new Uint8Array(valueLength(nodes, pair));
  writeObjectPath(path, 0, kept, 0, kept.length);
  return path;
}

/** By name, then by length of the value, then by its bytes: the order of versions 0 and 1. */
export function comparePairs(nodes: NodeTable, a: number, b: number): number {
  const { pairs, names } = nodes.xattrs;
  const { tags } = pairs;
  const order = tags[a] === tags[b] ? 0 : compareText(names[tags[a]], names[tags[b]]);
  return order || valueLength(nodes, a) - valueLength(nodes, b) || compareValues(nodes, a, b);
}
