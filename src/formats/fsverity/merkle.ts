/**
 * The Merkle tree of fs-verity, built from hashes of data blocks as they come. Memory is one block a level, so
 * five blocks for a terabyte.
 */
import { hash } from 'node:crypto';
import {
  encodeVerityDescriptor,
  HASH_INPUT,
  VERITY_BLOCK,
  VERITY_DIGEST_SIZE,
  type VerityAlgorithm,
  type VerityOptions,
} from './format.ts';

export interface MerkleTree {
  /** Hashes of the next `count` data blocks, back to back from `offset` in `hashes`. */
  add(hashes: Uint8Array, offset: number, count: number): void;
  /** The fs-verity digest of the file of `size` bytes; afterwards the tree is empty and may be used again. */
  finish(size: number): Uint8Array;
}

export interface MerkleOptions extends VerityOptions {
  /** Given each whole block of the tree, valid during the call only. Level 0 holds hashes of data. */
  readonly onBlock?: (level: number, block: Uint8Array) => void;
  /** Given the descriptor, whose hash is the digest. */
  readonly onDescriptor?: (descriptor: Uint8Array) => void;
}

/** Hash of one block as a string of bytes: the fastest that node:crypto gives. */
export function blockHasher(algorithm: VerityAlgorithm, salt?: Uint8Array): (block: Uint8Array) => string {
  if (salt === undefined || salt.length === 0) return (block) => hash(algorithm, block, 'binary');
  // The salt goes before each block, padded so that its hashing could be done once.
  const input = HASH_INPUT[algorithm];
  const padded = Buffer.alloc(Math.ceil(salt.length / input) * input);
  padded.set(salt);
  return (block) => hash(algorithm, Buffer.concat([padded, block]), 'binary');
}

interface Level {
  readonly block: Buffer;
  used: number;
  /** Hashes ever added to this level. */
  count: number;
}

export function createMerkleTree(algorithm: VerityAlgorithm, options: MerkleOptions = {}): MerkleTree {
  const { blockSize = VERITY_BLOCK, salt, onBlock, onDescriptor } = options;
  const digestSize = VERITY_DIGEST_SIZE[algorithm];
  const hashBlock = blockHasher(algorithm, salt);
  const levels: Level[] = [];

  function levelAt(depth: number): Level {
    levels[depth] ??= { block: Buffer.alloc(blockSize), used: 0, count: 0 };
    return levels[depth];
  }

  /** A full block is hashed only when another hash comes: the last block of a level may be the root. */
  function makeRoom(depth: number): Level {
    const level = levelAt(depth);
    if (level.used === blockSize) raise(depth);
    return level;
  }

  /** Hashes the block of a level, zero padded, into the level above. */
  function raise(depth: number): void {
    const level = levelAt(depth);
    level.block.fill(0, level.used);
    onBlock?.(depth, level.block);
    const above = makeRoom(depth + 1);
    above.block.write(hashBlock(level.block), above.used, 'latin1');
    above.used += digestSize;
    above.count += 1;
    level.used = 0;
  }

  function add(hashes: Uint8Array, offset: number, count: number): void {
    let at = offset;
    const end = offset + count * digestSize;
    while (at < end) {
      const level = makeRoom(0);
      const taken = Math.min(end - at, blockSize - level.used);
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
    const descriptor = encodeVerityDescriptor(algorithm, size, root, options);
    onDescriptor?.(descriptor);
    return Buffer.from(hash(algorithm, descriptor, 'binary'), 'latin1');
  }

  return { add, finish };
}

/** Blocks of a tree in the order in which the kernel stores them: the root's first, those of data hashes last. */
export function collectMerkleTree(): {
  readonly onBlock: NonNullable<MerkleOptions['onBlock']>;
  readonly blocks: () => Uint8Array[];
} {
  const levels: Uint8Array[][] = [];
  return {
    onBlock(level, block) {
      (levels[level] ??= []).push(Uint8Array.from(block));
    },
    blocks: () => levels.toReversed().flat(),
  };
}
