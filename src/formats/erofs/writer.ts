/**
 * Writes an EROFS image: versions 0 and 1 byte for byte as C `mkcomposefs` and composefs-rs, version 2 as
 * composefs-rs. The digest of an image is that of these bytes, so every byte is someone's decision.
 */
import { writeDirents } from './directory.ts';
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
  type ErofsInode,
  type ErofsVersion,
} from './format.ts';
import { chunkBits, headerSize, planImage, type ImagePlan, type InodePlan } from './layout.ts';
import { writeArea, writeTable } from './xattrs.ts';

/**
 * The whole image, a multiple of 4096 bytes. The first inode is the root. `inodes` are in the order of the version:
 * breadth first for 0 and 1, depth first for 2. Throws `erofs/too-large`, `erofs/too-many-xattrs`.
 */
export function writeErofs(inodes: readonly ErofsInode[], version: ErofsVersion): Uint8Array {
  const plan = planImage(inodes, version);
  const image = Buffer.alloc(plan.blocks * EROFS_BLOCK);
  writeHeader(image, plan);
  writeSuperblock(image, plan);
  for (const [index, inode] of plan.inodes.entries()) {
    writeInode(image, plan, inode, index);
    writeBody(image, plan, inode);
  }
  writeTable(image, plan.inodesEnd, plan.xattrs.table);
  return image;
}

function writeHeader(image: Buffer, { version, inodes }: ImagePlan): void {
  const acl = version !== 2 && inodes.some(({ inode }) => inode.xattrs.some(({ name }) => isAcl(name)));
  image.writeUInt32LE(HEADER.magic, 0);
  image.writeUInt32LE(HEADER.version, 4);
  image.writeUInt32LE(acl ? HEADER.flagHasAcl : 0, 8);
  image.writeUInt32LE(version, 12);
}

function isAcl(name: string): boolean {
  return name === 'system.posix_acl_access' || name === 'system.posix_acl_default';
}

function writeSuperblock(image: Buffer, { version, inodes, buildTime, blocks, inodesEnd }: ImagePlan): void {
  const at = SUPERBLOCK.offset;
  image.writeUInt32LE(SUPERBLOCK.magic, at);
  image.writeUInt32LE(FEATURE_COMPAT, at + 8);
  image.writeUInt8(SUPERBLOCK.blockBits, at + 12);
  image.writeUInt16LE(FIRST_INODE / INODE_SLOT, at + 14); // nid of the root
  image.writeBigUInt64LE(BigInt(inodes.length), at + 16);
  image.writeBigUInt64LE(buildTime.seconds, at + 24);
  image.writeUInt32LE(buildTime.nanos, at + 32);
  image.writeUInt32LE(blocks, at + 36);
  image.writeUInt32LE(version === 2 ? 0 : Math.floor(inodesEnd / EROFS_BLOCK), at + 44); // xattr_blkaddr
}

function writeInode(image: Buffer, plan: ImagePlan, entry: InodePlan, index: number): void {
  const { inode, xattrs, offset: at, compact } = entry;
  image.writeUInt16LE((entry.layout << 1) | (compact ? 0 : 1), at);
  image.writeUInt16LE(xattrs.size === 0 ? 0 : 1 + (xattrs.size - 12) / 4, at + 2);
  image.writeUInt16LE(FILE_TYPES[inode.type].mode | inode.mode, at + 4);
  image.writeUInt32LE(unionField(plan, entry), at + 16);
  image.writeUInt32LE(plan.version === 2 ? at / INODE_SLOT : index, at + 20); // ino
  if (compact) {
    image.writeUInt16LE(inode.nlink, at + 6);
    image.writeUInt32LE(entry.size, at + 8);
    image.writeUInt16LE(inode.uid, at + 24);
    image.writeUInt16LE(inode.gid, at + 26);
  } else {
    image.writeBigUInt64LE(BigInt(entry.size), at + 8);
    image.writeUInt32LE(inode.uid, at + 24);
    image.writeUInt32LE(inode.gid, at + 28);
    image.writeBigUInt64LE(inode.seconds, at + 32);
    image.writeUInt32LE(plan.version === 2 ? 0 : inode.nanos, at + 40);
    image.writeUInt32LE(inode.nlink, at + 44);
  }
  // Versions 0 and 1 count from the block that the table starts in, version 2 from the start of the image.
  const base = plan.version === 2 ? plan.inodesEnd : plan.inodesEnd % EROFS_BLOCK;
  writeArea(image, at + headerSize(entry) - xattrs.size, xattrs, (offset) => (base + offset) / 4);
}

/** What the field means depends on the layout: device number, chunk format or first block. */
function unionField({ version }: ImagePlan, { inode: { body }, blocks, firstBlock }: InodePlan): number {
  if (body.kind === 'device') return body.rdev;
  if (body.kind === 'external') return chunkBits(body.size, version);
  return blocks > 0 ? firstBlock : 0;
}

function writeBody(image: Buffer, { inodes }: ImagePlan, entry: InodePlan): void {
  const { body } = entry.inode;
  const tailAt = entry.offset + headerSize(entry);
  const blocksAt = entry.firstBlock * EROFS_BLOCK;
  if (body.kind === 'directory') {
    const { blocks, tail } = entry.directory!;
    const nid = (inode: number): number => inodes[inode].offset / INODE_SLOT;
    const type = (inode: number): ErofsInode['type'] => inodes[inode].inode.type;
    for (const [at, block] of blocks.entries())
      writeDirents(image, blocksAt + at * EROFS_BLOCK, block, nid, type);
    // A tail for which there was no room has become one more block.
    writeDirents(image, entry.tail > 0 ? tailAt : blocksAt + blocks.length * EROFS_BLOCK, tail, nid, type);
  } else if (body.kind === 'data' || body.kind === 'symlink') {
    const bytes = body.kind === 'data' ? body.bytes : body.target;
    const inBlocks = bytes.length - entry.tail;
    image.set(bytes.subarray(0, inBlocks), blocksAt);
    image.set(bytes.subarray(inBlocks), tailAt);
  } else if (entry.layout === LAYOUT.chunked) {
    for (let at = tailAt; at < tailAt + entry.tail; at += 4) image.writeUInt32LE(NULL_CHUNK, at);
  }
}
