/** fs-verity digests of bytes and of streams. */
import { hash } from 'node:crypto';
import { VERITY_BLOCK, VERITY_DIGEST_SIZE, type VerityAlgorithm } from './format.ts';
import { blockHasher, createMerkleTree, type MerkleOptions } from './merkle.ts';

/**
 * Hashes whole blocks into `output`, digest by digest. `blocks` are views prepared by the caller, who hashes the
 * same buffer again and again: making a view costs as much as a tenth of the hash.
 */
export function hashBlocks(
  algorithm: VerityAlgorithm,
  blocks: readonly Uint8Array[],
  count: number,
  output: Buffer,
  offset = 0,
): void {
  const digestSize = VERITY_DIGEST_SIZE[algorithm];
  // A string result is the fastest that node:crypto gives: no external buffer a block.
  for (let index = 0; index < count; index++) {
    output.write(hash(algorithm, blocks[index], 'binary'), offset + index * digestSize, 'latin1');
  }
}

/** Views of the blocks of a buffer whose length is a multiple of 4096. */
export function blockViews(buffer: Uint8Array): Uint8Array[] {
  const views: Uint8Array[] = [];
  for (let at = 0; at < buffer.length; at += VERITY_BLOCK) views.push(buffer.subarray(at, at + VERITY_BLOCK));
  return views;
}

export interface VerityHasher {
  update(bytes: Uint8Array): void;
  digest(): Uint8Array;
}

/** For a file that arrives in pieces of any length. */
export function createVerityHasher(algorithm: VerityAlgorithm, options: MerkleOptions = {}): VerityHasher {
  const { blockSize = VERITY_BLOCK, salt } = options;
  const tree = createMerkleTree(algorithm, options);
  const hashBlock = blockHasher(algorithm, salt);
  const one = Buffer.alloc(VERITY_DIGEST_SIZE[algorithm]);
  const partial = Buffer.alloc(blockSize);
  let used = 0;
  let size = 0;

  function addBlock(block: Uint8Array): void {
    one.write(hashBlock(block), 'latin1');
    tree.add(one, 0, 1);
  }

  return {
    update(bytes) {
      let at = 0;
      size += bytes.length;
      while (at < bytes.length) {
        if (used === 0 && bytes.length - at >= blockSize) {
          addBlock(bytes.subarray(at, at + blockSize));
          at += blockSize;
          continue;
        }
        const taken = Math.min(blockSize - used, bytes.length - at);
        partial.set(bytes.subarray(at, at + taken), used);
        used += taken;
        at += taken;
        if (used === blockSize) {
          addBlock(partial);
          used = 0;
        }
      }
    },
    digest() {
      if (used > 0) addBlock(partial.fill(0, used));
      used = 0;
      return tree.finish(size);
    },
  };
}

export function verityDigest(
  bytes: Uint8Array,
  algorithm: VerityAlgorithm,
  options: MerkleOptions = {},
): Uint8Array {
  const hasher = createVerityHasher(algorithm, options);
  hasher.update(bytes);
  return hasher.digest();
}
