/**
 * Writes an EROFS image: versions 0 and 1 byte for byte as C `mkcomposefs` and composefs-rs, version 2 as
 * composefs-rs. The digest of an image is that of these bytes, so every byte is someone's decision.
 */
import { endOfBlock, writeDirents } from './directory.ts';
import {
  EROFS_BLOCK,
  FEATURE_COMPAT,
  FILE_TYPES,
  FIRST_INODE,
  HEADER,
  INODE_SLOT,
  LAYOUT,
  NULL_CHUNK,
  SUPERBLOCK,
  type ErofsDialect,
  type ErofsInode,
  type ErofsVersion,
} from './format.ts';
import { listInodes } from './inode-list.ts';
import { pieceOutput, wholeOutput, type Output } from './output.ts';
import { chunkBits, headerSize, planImage, type ImagePlan } from './layout.ts';
import { TYPE_BITS, type InodeList } from './node-table.ts';
import { writeArea, writeTable } from './xattrs.ts';

/**
 * The whole image, a multiple of 4096 bytes. The first inode is the root. `inodes` are in the order of the version:
 * breadth first for 0 and 1, depth first for 2. Throws `erofs/too-large`, `erofs/too-many-xattrs`.
 */
export function writeErofs(inodes: readonly ErofsInode[], version: ErofsVersion): Uint8Array {
  return writeInodes(listInodes(inodes), version);
}

/** The same of columns. `dialect` is that of the program whose image it shall be, where the two differ. */
export function writeInodes(
  list: InodeList,
  version: ErofsVersion,
  dialect: ErofsDialect = 'rust',
): Uint8Array {
  const plan = planImage(list, version, dialect);
  const output = wholeOutput(plan.blocks * EROFS_BLOCK);
  writePlan(output, plan);
  return output.bytes;
}

/** The same in pieces, for whoever needs no more than the bytes in their order: `sink` gets views that it may not keep. */
export function streamInodes(
  list: InodeList,
  version: ErofsVersion,
  dialect: ErofsDialect,
  sink: (bytes: Uint8Array) => void,
): void {
  const plan = planImage(list, version, dialect);
  const output = pieceOutput(sink);
  writePlan(output, plan);
  output.finish(plan.blocks * EROFS_BLOCK);
}

function writePlan(output: Output, plan: ImagePlan): void {
  const { list, xattrs, inodesEnd } = plan;
  const { bytes, view } = output;
  output.room(0, FIRST_INODE);
  writeHeader(view, plan);
  writeSuperblock(view, plan);

  // 1. Inodes, each with its attributes and the tail of its content.
  // Versions 0 and 1 count references from the block that the table starts in, version 2 from the start.
  const base = plan.version === 2 ? inodesEnd : inodesEnd % EROFS_BLOCK;
  for (let inode = 0; inode < list.count; inode++) {
    const header = headerSize(plan, inode);
    const at = output.room(plan.nid[inode] * INODE_SLOT, header + plan.tail[inode]);
    writeInode(view, at, plan, inode);
    const size = xattrs.sizes[inode];
    if (size > 0) writeArea(bytes, view, at + header - size, list, xattrs, inode, base);
    if (plan.tail[inode] > 0) writeTail(output, at + header, plan, inode);
  }
  // 2. Shared attributes.
  writeTable(output, inodesEnd, list.nodes, xattrs);
  // 3. Whole blocks.
  for (let inode = 0; inode < list.count; inode++) {
    if (plan.dataBlocks[inode] > 0) writeBlocks(output, plan, inode);
  }
}

function writeHeader(view: DataView, { version, list, xattrs }: ImagePlan): void {
  const { names, pairs } = list.nodes.xattrs;
  const acl = version !== 2 && xattrs.uses.some((uses, pair) => uses > 0 && isAcl(names[pairs.tags[pair]]));
  view.setUint32(0, HEADER.magic, true);
  view.setUint32(4, HEADER.version, true);
  view.setUint32(8, acl ? HEADER.flagHasAcl : 0, true);
  view.setUint32(12, version, true);
}

function isAcl(name: string): boolean {
  return name === 'system.posix_acl_access' || name === 'system.posix_acl_default';
}

function writeSuperblock(
  view: DataView,
  { version, list, buildTime, blocks, inodesEnd, nid }: ImagePlan,
): void {
  const at = SUPERBLOCK.offset;
  view.setUint32(at, SUPERBLOCK.magic, true);
  view.setUint32(at + 8, FEATURE_COMPAT, true);
  view.setUint8(at + 12, SUPERBLOCK.blockBits);
  view.setUint16(at + 14, nid[0], true); // of the root, which a long attribute may move
  view.setUint32(at + 16, list.count, true); // 64 bits, of which columns of 31 leave the upper half zero
  view.setUint32(at + 24, buildTime.low, true);
  view.setUint32(at + 28, buildTime.high, true);
  view.setUint32(at + 32, buildTime.nanos, true);
  view.setUint32(at + 36, blocks, true);
  view.setUint32(at + 44, version === 2 ? 0 : Math.floor(inodesEnd / EROFS_BLOCK), true); // xattr_blkaddr
}

function writeInode(view: DataView, at: number, plan: ImagePlan, inode: number): void {
  const { nodes, order } = plan.list;
  const node = order[inode];
  const compact = plan.compact[inode] === 1;
  const areaSize = plan.xattrs.sizes[inode];
  const size = plan.size[inode];
  view.setUint16(at, (plan.layout[inode] << 1) | (compact ? 0 : 1), true);
  view.setUint16(at + 2, areaSize === 0 ? 0 : 1 + (areaSize - 12) / 4, true);
  view.setUint16(at + 4, nodes.mode[node], true);
  view.setUint32(at + 8, size % 2 ** 32, true);
  view.setUint32(at + 16, unionField(plan, inode), true);
  view.setUint32(at + 20, plan.version === 2 ? plan.nid[inode] : inode, true); // ino
  if (compact) {
    view.setUint16(at + 6, nodes.nlink[node], true);
    view.setUint16(at + 24, nodes.uid[node], true);
    view.setUint16(at + 26, nodes.gid[node], true);
  } else {
    view.setUint32(at + 12, Math.floor(size / 2 ** 32), true);
    view.setUint32(at + 24, nodes.uid[node], true);
    view.setUint32(at + 28, nodes.gid[node], true);
    view.setUint32(at + 32, nodes.secondsLow[node], true);
    view.setUint32(at + 36, nodes.secondsHigh[node], true);
    view.setUint32(at + 40, plan.version === 2 ? 0 : nodes.nanos[node], true);
    view.setUint32(at + 44, nodes.nlink[node], true);
  }
}

/** What the field means depends on the layout: device number, chunk format or first block. */
function unionField(plan: ImagePlan, inode: number): number {
  const { nodes, order } = plan.list;
  const node = order[inode];
  const type = nodes.mode[node] & TYPE_BITS;
  if (type === FILE_TYPES.character.mode || type === FILE_TYPES.block.mode) return nodes.size[node];
  const first = plan.dataBlocks[inode] > 0 ? plan.firstBlock[inode] : 0;
  if (plan.layout[inode] !== LAYOUT.chunked) return first;
  // A list of chunks in a block of its own: as C stores it, over the lower half of the number.
  return ((first & 0xffff0000) | chunkBits(plan.size[inode], plan.version)) >>> 0;
}

/** What stands behind an inode: the end of a directory or of a content, or a list of chunks. */
function writeTail(output: Output, offset: number, plan: ImagePlan, inode: number): void {
  const { bytes, view } = output;
  const { list } = plan;
  const { nodes, order, direntStart } = list;
  const node = order[inode];
  const length = plan.tail[inode];
  if ((nodes.mode[node] & TYPE_BITS) === FILE_TYPES.directory.mode) {
    const end = direntStart[inode + 1];
    let from = direntStart[inode];
    for (let block = 0; block < plan.dataBlocks[inode]; block++) from = endOfBlock(list, from, end);
    writeDirents(bytes, view, offset, list, inode, { from, end }, plan.nid);
  } else if (plan.layout[inode] === LAYOUT.chunked) {
    writeNoChunks(output, offset, length);
  } else {
    const end = nodes.contentAt[node] + plan.size[inode];
    bytes.set(nodes.arena.bytes.subarray(end - length, end), offset);
  }
}

/** The blocks of a directory or of a content, but for its tail; a block of chunks. */
function writeBlocks(output: Output, plan: ImagePlan, inode: number): void {
  const { list } = plan;
  const { nodes, order, direntStart } = list;
  const node = order[inode];
  const isDirectory = (nodes.mode[node] & TYPE_BITS) === FILE_TYPES.directory.mode;
  let from = isDirectory ? direntStart[inode] : nodes.contentAt[node];
  const contentEnd = nodes.contentAt[node] + plan.size[inode] - plan.tail[inode];
  const first = plan.firstBlock[inode];
  for (let block = first; block < first + plan.dataBlocks[inode]; block++) {
    const offset = output.room(block * EROFS_BLOCK, EROFS_BLOCK);
    if (isDirectory) {
      const end = endOfBlock(list, from, direntStart[inode + 1]);
      writeDirents(output.bytes, output.view, offset, list, inode, { from, end }, plan.nid);
      from = end;
    } else if (plan.layout[inode] === LAYOUT.chunked) {
      writeNoChunks(output, offset, EROFS_BLOCK);
    } else {
      const end = Math.min(from + EROFS_BLOCK, contentEnd);
      output.bytes.set(nodes.arena.bytes.subarray(from, end), offset);
      from = end;
    }
  }
}

function writeNoChunks({ view }: Output, offset: number, length: number): void {
  for (let at = offset; at < offset + length; at += 4) view.setUint32(at, NULL_CHUNK, true);
}
