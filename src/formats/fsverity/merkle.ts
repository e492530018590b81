/**
 * The Merkle tree of fs-verity, built from hashes of data blocks as they come. Memory is one block a level, so
 * five blocks for a terabyte.
 */
import { hash } from 'node:crypto';
import { encodeVerityDescriptor, VERITY_BLOCK, VERITY_DIGEST_SIZE, type VerityAlgorithm } from './format.ts';

export interface MerkleTree {
  /** Hashes of the next `count` data blocks, back to back from `offset` in `hashes`. */
  add(hashes: Uint8Array, offset: number, count: number): void;
  /** The fs-verity digest of the file of `size` bytes; afterwards the tree is empty and may be used again. */
  finish(size: number): Uint8Array;
}

interface Level {
  readonly block: Buffer;
  used: number;
  /** Hashes ever added to this level. */
  count: number;
}

export function createMerkleTree(algorithm: VerityAlgorithm): MerkleTree {
  const digestSize = VERITY_DIGEST_SIZE[algorithm];
  const levels: Level[] = [];

  function levelAt(depth: number): Level {
    levels[depth] ??= { block: Buffer.alloc(VERITY_BLOCK), used: 0, count: 0 };
    return levels[depth];
  }

  /** A full block is hashed only when another hash comes: the last block of a level may be the root. */
  function makeRoom(depth: number): Level {
    const level = levelAt(depth);
    if (level.used === VERITY_BLOCK) raise(depth);
    return level;
  }

  /** Hashes the block of a level, zero padded, into the level above. */
  function raise(depth: number): void {
    const level = levelAt(depth);
    level.block.fill(0, level.used);
    const above = makeRoom(depth + 1);
    above.block.write(hash(algorithm, level.block, 'binary'), above.used, 'latin1');
    above.used += digestSize;
    above.count += 1;
    level.used = 0;
  }

  function add(hashes: Uint8Array, offset: number, count: number): void {
    let at = offset;
    const end = offset + count * digestSize;
    while (at < end) {
      const level = makeRoom(0);
      const taken = Math.min(end - at, VERITY_BLOCK - level.used);
      level.block.set(hashes.subarray(at, at + taken), level.used);
      level.used += taken;
      level.count += taken / digestSize;
      at += taken;
    }
  }

  function finish(size: number): Uint8Array {
    const root = new Uint8Array(digestSize);
    // An empty file has no blocks, and a root of zero bytes.
    for (let depth = 0; (levels[depth]?.count ?? 0) > 0; depth++) {
      const level = levelAt(depth);
      if (level.count === 1) {
        root.set(level.block.subarray(0, digestSize));
        break;
      }
      raise(depth);
    }
    for (const level of levels) level.used = level.count = 0;
    return Buffer.from(hash(algorithm, encodeVerityDescriptor(algorithm, size, root), 'binary'), 'latin1');
  }

  return { add, finish };
}
