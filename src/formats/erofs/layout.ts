/** Where everything of an image goes: sizes, kinds of inodes, offsets, blocks. Nothing is written here. */
import { BootsealError } from '../../errors.ts';
import { endOfBlock, sizeOfDirents } from './directory.ts';
import {
  COMPACT_INODE,
  EROFS_BLOCK,
  EXTENDED_INODE,
  FILE_TYPES,
  FIRST_INODE,
  INODE_SLOT,
  LAYOUT,
  MAX_CHUNK_BITS,
  type ErofsDialect,
  type ErofsVersion,
} from './format.ts';
import { TYPE_BITS, type InodeList } from './node-table.ts';
import { planXattrs, type XattrPlan } from './xattrs.ts';

/** Two halves of 64 bits, and nanoseconds. */
export interface BuildTime {
  readonly low: number;
  readonly high: number;
  readonly nanos: number;
}

/** Columns by inode. */
export interface ImagePlan {
  readonly version: ErofsVersion;
  readonly list: InodeList;
  readonly xattrs: XattrPlan;
  readonly buildTime: BuildTime;
  readonly compact: Uint8Array;
  /** Bytes, as the inode states them. */
  readonly size: Float64Array;
  /** One of LAYOUT. */
  readonly layout: Uint8Array;
  /** Bytes behind inode and attributes. */
  readonly tail: Uint32Array;
  /** Whole blocks elsewhere, and the number of the first. */
  readonly dataBlocks: Uint32Array;
  readonly firstBlock: Uint32Array;
  /** Offset from the start of the image, in slots. */
  readonly nid: Uint32Array;
  readonly inodesEnd: number;
  /** Of the whole image. */
  blocks: number;
}

/** Throws `erofs/too-large`, `erofs/too-many-xattrs`. */
export function planImage(list: InodeList, version: ErofsVersion, dialect: ErofsDialect): ImagePlan {
  const { count, nodes, order } = list;
  const plan = {
    version,
    list,
    xattrs: planXattrs(list, version, dialect),
    buildTime: version === 2 ? { low: 0, high: 0, nanos: 0 } : earliest(list, dialect),
    compact: new Uint8Array(count),
    size: new Float64Array(count),
    layout: new Uint8Array(count),
    tail: new Uint32Array(count),
    dataBlocks: new Uint32Array(count),
    firstBlock: new Uint32Array(count),
    nid: new Uint32Array(count),
    inodesEnd: 0,
    blocks: 0,
  };
  for (let inode = 0; inode < count; inode++) {
    planData(plan, inode);
    plan.compact[inode] = isCompact(plan, inode) ? 1 : 0;
  }

  // 1. Inodes, one behind the other, each on a slot.
  let position = FIRST_INODE;
  for (let inode = 0; inode < count; inode++) {
    position = alignUp(position, INODE_SLOT);
    const header = headerSize(plan, inode);
    if (version === 2) position = placeV2(plan, inode, position, header);
    else {
      const isLink = (nodes.mode[order[inode]] & TYPE_BITS) === FILE_TYPES.symlink.mode;
      position = isLink ? placeLink(plan, inode, position, header) : placeTail(plan, inode, position, header);
    }
    plan.nid[inode] = position / INODE_SLOT;
    position += header + plan.tail[inode];
  }
  plan.inodesEnd = alignUp(position, INODE_SLOT);

  // 2. Data blocks behind the shared attributes, in the order of the inodes.
  let block = alignUp(plan.inodesEnd + plan.xattrs.tableSize, EROFS_BLOCK) / EROFS_BLOCK;
  for (let inode = 0; inode < count; inode++) {
    plan.firstBlock[inode] = block;
    block += plan.dataBlocks[inode];
  }
  // Block numbers have 32 bits; what no buffer can hold ends long before.
  if (block * EROFS_BLOCK > MAX_IMAGE) {
    throw new BootsealError('erofs/too-large', `the image needs ${block} blocks`);
  }
  plan.blocks = block;
  return plan;
}

/** 4 GiB, what one buffer of Node.js 20 holds: metadata of ten million files. */
const MAX_IMAGE = 2 ** 32;

/** Without sign, times before 1970 count as the latest. C reads the field with its sign. */
function earliest({ count, order, nodes }: InodeList, dialect: ErofsDialect): BuildTime {
  const { secondsLow, secondsHigh, nanos } = nodes;
  // The halves with the sign are in the order of those without once the top bit is turned.
  const turn = dialect === 'c' ? 0x80000000 : 0;
  let least = order[0];
  for (let inode = 1; inode < count; inode++) {
    const node = order[inode];
    const difference =
      ((secondsHigh[node] ^ turn) >>> 0) - ((secondsHigh[least] ^ turn) >>> 0) ||
      secondsLow[node] - secondsLow[least] ||
      nanos[node] - nanos[least];
    if (difference < 0) least = node;
  }
  return { low: secondsLow[least], high: secondsHigh[least], nanos: nanos[least] };
}

function isCompact({ version, list, buildTime, size }: ImagePlan, inode: number): boolean {
  const { nodes } = list;
  const node = list.order[inode];
  return (
    version !== 2 &&
    nodes.secondsLow[node] === buildTime.low &&
    nodes.secondsHigh[node] === buildTime.high &&
    nodes.nanos[node] === buildTime.nanos &&
    nodes.nlink[node] <= 0xffff &&
    nodes.uid[node] <= 0xffff &&
    nodes.gid[node] <= 0xffff &&
    size[inode] <= 0xffffffff
  );
}

/** Fills in size, layout, tail and blocks. */
function planData(plan: ImagePlan, inode: number): void {
  const { nodes, order } = plan.list;
  const node = order[inode];
  switch (nodes.mode[node] & TYPE_BITS) {
    case FILE_TYPES.directory.mode:
      planDirectory(plan, inode);
      return;
    case FILE_TYPES.symlink.mode:
      plan.size[inode] = plan.tail[inode] = nodes.contentLength[node];
      plan.layout[inode] = LAYOUT.inline;
      return;
    case FILE_TYPES.regular.mode:
      if (nodes.contentLength[node] >= 0) {
        planContent(plan, inode, nodes.contentLength[node]);
        return;
      }
      plan.size[inode] = nodes.size[node];
      plan.layout[inode] = LAYOUT.chunked;
      plan.tail[inode] = 4 * chunkCount(nodes.size[node], plan.version);
      return;
    default:
      plan.layout[inode] = LAYOUT.plain;
  }
}

function planDirectory(plan: ImagePlan, inode: number): void {
  const { direntStart } = plan.list;
  const end = direntStart[inode + 1];
  let from = direntStart[inode];
  let blocks = 0;
  for (;;) {
    const next = endOfBlock(plan.list, from, end);
    if (next === end) break;
    from = next;
    blocks += 1;
  }
  const rest = sizeOfDirents(plan.list, from, end);
  const tail = rest > EROFS_BLOCK / 2 ? 0 : rest;
  plan.size[inode] = EROFS_BLOCK * (tail === 0 ? blocks + 1 : blocks) + tail;
  plan.dataBlocks[inode] = tail === 0 ? blocks + 1 : blocks;
  plan.tail[inode] = tail;
  plan.layout[inode] = tail > 0 ? LAYOUT.inline : LAYOUT.plain;
}

function planContent(plan: ImagePlan, inode: number, size: number): void {
  plan.size[inode] = size;
  let tail = size;
  // Version 2 knows no blocks for inline content.
  if (plan.version !== 2) {
    tail = size % EROFS_BLOCK;
    plan.dataBlocks[inode] = Math.floor(size / EROFS_BLOCK);
    if (tail > EROFS_BLOCK / 2) {
      plan.dataBlocks[inode] += 1;
      tail = 0;
    }
  }
  plan.tail[inode] = tail;
  plan.layout[inode] = tail > 0 ? LAYOUT.inline : LAYOUT.plain;
}

/** The chunk size is the power of two, 4 KiB to 8 TiB, that holds the file, so that one chunk is enough. */
export function chunkBits(size: number, version: ErofsVersion): number {
  if (version === 2) return MAX_CHUNK_BITS;
  const bits = size > 1 ? Math.floor(Math.log2(size - 1)) + 1 : 0;
  // Math.log2 rounds: just below a large power of two it gives that power.
  const exact = 2 ** (bits - 1) > size - 1 ? bits - 1 : bits;
  return Math.min(Math.max(exact, 12), 12 + MAX_CHUNK_BITS) - 12;
}

function chunkCount(size: number, version: ErofsVersion): number {
  if (version === 2) return 1;
  const count = Math.ceil(size / 2 ** (chunkBits(size, version) + 12));
  // What they take must fit a block: both programs refuse more.
  if (count > EROFS_BLOCK / 4) {
    throw new BootsealError('erofs/too-large', `a file of ${size} bytes has too many chunks`);
  }
  return count;
}

/** Bytes of inode and attributes. */
export function headerSize(plan: ImagePlan, inode: number): number {
  return (plan.compact[inode] === 1 ? COMPACT_INODE : EXTENDED_INODE) + plan.xattrs.sizes[inode];
}

/** A link's inode and target stay in one block; a target that cannot gets a block of its own. */
function placeLink(plan: ImagePlan, inode: number, position: number, header: number): number {
  const tail = plan.tail[inode];
  if (tail === 0) return position;
  const crosses = blockOf(position) !== blockOf(position + header + tail - 1);
  if (header + tail >= EROFS_BLOCK) moveToBlock(plan, inode);
  return crosses ? alignUp(position, EROFS_BLOCK) : position;
}

/** No other tail may cross the end of a block. Returns the position moved to where the inode fits. */
function placeTail(plan: ImagePlan, inode: number, position: number, header: number): number {
  const tail = plan.tail[inode];
  if (tail === 0) return position;
  const room = EROFS_BLOCK - ((position + header) % EROFS_BLOCK);
  if (room >= tail) return position;
  const skipped = alignUp(room, INODE_SLOT);
  if (tail <= EROFS_BLOCK - ((position + header + skipped) % EROFS_BLOCK)) return position + skipped;
  moveToBlock(plan, inode);
  return alignUp(position, EROFS_BLOCK);
}

/** A list of chunks keeps its layout, wherever it is. */
function moveToBlock(plan: ImagePlan, inode: number): void {
  if (plan.layout[inode] !== LAYOUT.chunked) plan.layout[inode] = LAYOUT.plain;
  plan.tail[inode] = 0;
  plan.dataBlocks[inode] += 1;
}

/** The rule of composefs-rs: the end of the header and the end of the tail in one block, or move on. */
function placeV2(plan: ImagePlan, inode: number, position: number, header: number): number {
  const tail = plan.tail[inode];
  if (plan.layout[inode] !== LAYOUT.inline) return position;
  if (tail >= EROFS_BLOCK) {
    throw new BootsealError('erofs/too-large', `version 2 cannot hold ${tail} bytes behind an inode`);
  }
  const start = position + header;
  const last = start - 1;
  if (blockOf(last) === blockOf(start + tail)) return position;
  return alignUp(position + EROFS_BLOCK - (last % EROFS_BLOCK), INODE_SLOT);
}

function blockOf(position: number): number {
  return Math.floor(position / EROFS_BLOCK);
}

export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}
