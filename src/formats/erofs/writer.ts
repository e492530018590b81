/**
 * Writes an EROFS image: versions 0 and 1 byte for byte as C `mkcomposefs` and composefs-rs, version 2 as
 * composefs-rs. The digest of an image is that of these bytes, so every byte is someone's decision.
 */
import { endOfBlock, writeDirents } from './directory.ts';
import {
  EROFS_BLOCK,
  FEATURE_COMPAT,
  FILE_TYPES,
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
  const image = new Uint8Array(plan.blocks * EROFS_BLOCK);
  const view = new DataView(image.buffer);
  writeHeader(view, plan);
  writeSuperblock(view, plan);
  // Versions 0 and 1 count references from the block that the table starts in, version 2 from the start.
  const base = version === 2 ? plan.inodesEnd : plan.inodesEnd % EROFS_BLOCK;
  for (let inode = 0; inode < list.count; inode++) {
    writeInode(view, plan, inode);
    const size = plan.xattrs.sizes[inode];
    const end = plan.nid[inode] * INODE_SLOT + headerSize(plan, inode);
    if (size > 0) writeArea(image, view, end - size, list, plan.xattrs, inode, base);
    writeBody(image, view, plan, inode, end);
  }
  writeTable(image, view, plan.inodesEnd, list.nodes, plan.xattrs);
  return image;
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

function writeInode(view: DataView, plan: ImagePlan, inode: number): void {
  const { nodes, order } = plan.list;
  const node = order[inode];
  const at = plan.nid[inode] * INODE_SLOT;
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

function writeBody(image: Uint8Array, view: DataView, plan: ImagePlan, inode: number, tailAt: number): void {
  const { nodes, order, direntStart } = plan.list;
  const node = order[inode];
  const blocksAt = plan.firstBlock[inode] * EROFS_BLOCK;
  if ((nodes.mode[node] & TYPE_BITS) === FILE_TYPES.directory.mode) {
    const end = direntStart[inode + 1];
    let from = direntStart[inode];
    for (let at = blocksAt; from < end; at += EROFS_BLOCK) {
      const next = endOfBlock(plan.list, from, end);
      // A tail for which there was no room has become one more block.
      const target = next === end && plan.tail[inode] > 0 ? tailAt : at;
      writeDirents(image, view, target, plan.list, inode, { from, end: next }, plan.nid);
      from = next;
    }
  } else if (plan.layout[inode] === LAYOUT.chunked) {
    const [from, length] = plan.dataBlocks[inode] > 0 ? [blocksAt, EROFS_BLOCK] : [tailAt, plan.tail[inode]];
    for (let at = from; at < from + length; at += 4) view.setUint32(at, NULL_CHUNK, true);
  } else if (plan.size[inode] > 0) {
    const from = nodes.contentAt[node];
    const middle = from + plan.size[inode] - plan.tail[inode];
    image.set(nodes.arena.bytes.subarray(from, middle), blocksAt);
    image.set(nodes.arena.bytes.subarray(middle, middle + plan.tail[inode]), tailAt);
  }
}
