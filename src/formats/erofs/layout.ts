/** Where everything of an image goes: sizes, kinds of inodes, offsets, blocks. Nothing is written here. */
import { BootsealError } from '../../errors.ts';
import { planDirectory, type DirectoryPlan } from './directory.ts';
import {
  COMPACT_INODE,
  EROFS_BLOCK,
  EXTENDED_INODE,
  FIRST_INODE,
  INODE_SLOT,
  LAYOUT,
  MAX_CHUNK_BITS,
  type ErofsInode,
  type ErofsVersion,
} from './format.ts';
import { planXattrs, type XattrArea, type XattrPlan } from './xattrs.ts';

export interface InodePlan {
  readonly inode: ErofsInode;
  readonly xattrs: XattrArea;
  readonly directory?: DirectoryPlan;
  readonly compact: boolean;
  /** As the inode states it. */
  readonly size: number;
  /** One of LAYOUT. */
  layout: number;
  /** Bytes behind inode and attributes. */
  tail: number;
  /** Whole blocks elsewhere, and the number of the first. */
  blocks: number;
  firstBlock: number;
  /** Bytes from the start of the image. */
  offset: number;
}

export interface ImagePlan {
  readonly version: ErofsVersion;
  readonly inodes: readonly InodePlan[];
  readonly xattrs: XattrPlan;
  readonly inodesEnd: number;
  readonly blocks: number;
  readonly buildTime: { readonly seconds: bigint; readonly nanos: number };
}

export function planImage(inodes: readonly ErofsInode[], version: ErofsVersion): ImagePlan {
  const xattrs = planXattrs(inodes, version);
  const buildTime = version === 2 ? { seconds: 0n, nanos: 0 } : earliest(inodes);
  const plans = inodes.map((inode, index) =>
    planInode(inode, index, xattrs.areas[index], buildTime, version),
  );

  // 1. Inodes, one behind the other, each on a slot.
  let position = FIRST_INODE;
  for (const plan of plans) {
    position = alignUp(position, INODE_SLOT);
    const header = headerSize(plan);
    position = version === 2 ? placeV2(plan, position, header) : placeV1(plan, position, header);
    plan.offset = position;
    position += header + plan.tail;
  }
  const inodesEnd = alignUp(position, INODE_SLOT);

  // 2. Data blocks behind the shared attributes, in the order of the inodes.
  let block = alignUp(inodesEnd + xattrs.tableSize, EROFS_BLOCK) / EROFS_BLOCK;
  for (const plan of plans) {
    plan.firstBlock = block;
    block += plan.blocks;
  }
  if (block > 0xffffffff) throw new BootsealError('erofs/too-large', 'the image needs more than 2^32 blocks');
  return { version, inodes: plans, xattrs, inodesEnd, blocks: block, buildTime };
}

/** Times before 1970 count as the latest: the field is read without a sign. */
function earliest(inodes: readonly ErofsInode[]): ImagePlan['buildTime'] {
  let { seconds, nanos } = inodes[0];
  for (const inode of inodes) {
    if (inode.seconds < seconds || (inode.seconds === seconds && inode.nanos < nanos))
      ({ seconds, nanos } = inode);
  }
  return { seconds, nanos };
}

function planInode(
  inode: ErofsInode,
  index: number,
  xattrs: XattrArea,
  buildTime: ImagePlan['buildTime'],
  version: ErofsVersion,
): InodePlan {
  const { body } = inode;
  const directory = body.kind === 'directory' ? planDirectory(body.entries, index, body.parent) : undefined;
  const data = planData(inode, directory, version);
  const compact =
    version !== 2 &&
    inode.seconds === buildTime.seconds &&
    inode.nanos === buildTime.nanos &&
    Math.max(inode.nlink, inode.uid, inode.gid) <= 0xffff &&
    data.size <= 0xffffffff;
  return { inode, xattrs, ...(directory && { directory }), compact, ...data, firstBlock: 0, offset: 0 };
}

type DataPlan = Pick<InodePlan, 'size' | 'layout' | 'tail' | 'blocks'>;

function planData(
  { body }: ErofsInode,
  directory: DirectoryPlan | undefined,
  version: ErofsVersion,
): DataPlan {
  switch (body.kind) {
    case 'directory': {
      const blocks = directory!.blocks.length;
      const tail = directory!.tailSize;
      return {
        size: EROFS_BLOCK * blocks + tail,
        blocks,
        tail,
        layout: tail > 0 ? LAYOUT.inline : LAYOUT.plain,
      };
    }
    case 'data': {
      const size = body.bytes.length;
      // Version 2 knows no blocks for inline content.
      if (version === 2)
        return { size, blocks: 0, tail: size, layout: size > 0 ? LAYOUT.inline : LAYOUT.plain };
      const blocks = Math.floor(size / EROFS_BLOCK);
      const tail = size % EROFS_BLOCK;
      if (tail > EROFS_BLOCK / 2) return { size, blocks: blocks + 1, tail: 0, layout: LAYOUT.plain };
      return { size, blocks, tail, layout: tail > 0 ? LAYOUT.inline : LAYOUT.plain };
    }
    case 'symlink':
      return { size: body.target.length, blocks: 0, tail: body.target.length, layout: LAYOUT.inline };
    case 'external':
      return { size: body.size, blocks: 0, tail: 4 * chunkCount(body.size, version), layout: LAYOUT.chunked };
    case 'device':
    case 'none':
    default:
      return { size: 0, blocks: 0, tail: 0, layout: LAYOUT.plain };
  }
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
  return version === 2 ? 1 : Math.ceil(size / 2 ** (chunkBits(size, version) + 12));
}

/** Inode and attributes. */
export function headerSize(plan: InodePlan): number {
  return (plan.compact ? COMPACT_INODE : EXTENDED_INODE) + plan.xattrs.size;
}

/** As C does it. Returns the position moved to where the inode fits. */
function placeV1(plan: InodePlan, position: number, header: number): number {
  if (plan.tail === 0) return position;
  if (plan.inode.body.kind === 'symlink') {
    // A link's inode and target stay in one block; a target that cannot gets a block of its own.
    const total = header + plan.tail;
    const crosses = blockOf(position) !== blockOf(position + total - 1);
    if (total >= EROFS_BLOCK) moveToBlock(plan);
    return crosses ? alignUp(position, EROFS_BLOCK) : position;
  }
  // Any other tail must not cross a block boundary.
  const room = EROFS_BLOCK - ((position + header) % EROFS_BLOCK);
  if (room >= plan.tail) return position;
  const skipped = alignUp(room, INODE_SLOT);
  if (plan.tail <= EROFS_BLOCK - ((position + header + skipped) % EROFS_BLOCK)) return position + skipped;
  if (plan.layout === LAYOUT.chunked) {
    throw new BootsealError('erofs/too-large', `a file of ${plan.size} bytes has too many chunks`);
  }
  moveToBlock(plan);
  return alignUp(position, EROFS_BLOCK);
}

function moveToBlock(plan: InodePlan): void {
  plan.layout = LAYOUT.plain;
  plan.tail = 0;
  plan.blocks += 1;
}

/** The rule of composefs-rs: the end of the header and the end of the tail in one block, or move on. */
function placeV2(plan: InodePlan, position: number, header: number): number {
  if (plan.layout !== LAYOUT.inline) return position;
  if (plan.tail >= EROFS_BLOCK) {
    throw new BootsealError('erofs/too-large', `version 2 cannot hold ${plan.tail} bytes behind an inode`);
  }
  const start = position + header;
  const last = start - 1;
  if (blockOf(last) === blockOf(start + plan.tail)) return position;
  return alignUp(position + EROFS_BLOCK - (last % EROFS_BLOCK), INODE_SLOT);
}

function blockOf(position: number): number {
  return Math.floor(position / EROFS_BLOCK);
}

export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}
