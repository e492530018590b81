/**
 * fs-verity digests of file contents that arrive one after another: fills blocks, has them hashed by a pool, and
 * builds each file's Merkle tree when the hashes come back.
 */
import { VERITY_BLOCK, VERITY_DIGEST_SIZE } from '../formats/fsverity/format.ts';
import { createMerkleTree } from '../formats/fsverity/merkle.ts';
import type { BlockHashes, HashPool } from './ports.ts';
import { createDigestStore } from './digest-store.ts';
import type { VerityDigests } from './tree.ts';

export interface ContentHasher {
  /** The next file. Its digests are in what is returned once they are known. */
  begin(): VerityDigests;
  write(bytes: Uint8Array): void;
  endOfFile(): void;
  /** After it every digest is there. */
  finish(): Promise<void>;
}

/** Blocks of one file within one buffer. */
interface Run {
  readonly digests: VerityDigests;
  readonly first: number;
  blocks: number;
  /** Size of the file, once its last block is in this run. */
  size?: number;
}

export function createContentHasher(pool: HashPool): ContentHasher {
  const trees = pool.algorithms.map((algorithm) => ({ algorithm, tree: createMerkleTree(algorithm) }));
  const store = createDigestStore(pool.algorithms);
  let buffer: Uint8Array | undefined;
  let used = 0;
  let runs: Run[] = [];
  let current: VerityDigests = {};
  let size = 0;

  function begin(): VerityDigests {
    size = 0;
    return (current = store.add());
  }

  function write(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      buffer ??= pool.take();
      const taken = Math.min(buffer.length - used, bytes.length - at);
      buffer.set(taken === bytes.length ? bytes : bytes.subarray(at, at + taken), used);
      at += taken;
      size += taken;
      extendRun(used, used + taken);
      used += taken;
      if (used === buffer.length) flush();
    }
  }

  /** Notes that the bytes from `start` to `end` of the buffer belong to the current file. */
  function extendRun(start: number, end: number): void {
    let run = runs.at(-1);
    if (run?.digests !== current)
      runs.push((run = { digests: current, first: start / VERITY_BLOCK, blocks: 0 }));
    run.blocks = Math.ceil(end / VERITY_BLOCK) - run.first;
  }

  function endOfFile(): void {
    // Each file starts on a block of its own; the tail of its last block is zeros.
    const padded = Math.ceil(used / VERITY_BLOCK) * VERITY_BLOCK;
    buffer?.fill(0, used, padded);
    used = padded;
    let run = runs.at(-1);
    // The last block may have gone with the buffer before.
    if (run?.digests !== current)
      runs.push((run = { digests: current, first: used / VERITY_BLOCK, blocks: 0 }));
    run.size = size;
    if (buffer !== undefined && used === buffer.length) flush();
  }

  function flush(): void {
    if (runs.length === 0) return;
    const finished = runs;
    const blocks = used / VERITY_BLOCK;
    const filled = buffer ?? pool.take();
    buffer = undefined;
    used = 0;
    runs = [];
    pool.submit(filled, blocks, (hashes) => collect(finished, hashes));
  }

  function collect(finished: readonly Run[], hashes: BlockHashes): void {
    for (const { algorithm, tree } of trees) {
      const digests = hashes[algorithm]!;
      const digestSize = VERITY_DIGEST_SIZE[algorithm];
      for (const run of finished) {
        tree.add(digests, run.first * digestSize, run.blocks);
        if (run.size !== undefined) run.digests[algorithm] = tree.finish(run.size);
      }
    }
  }

  async function finish(): Promise<void> {
    flush();
    await pool.settled();
  }

  return { begin, write, endOfFile, finish };
}
