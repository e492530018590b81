/** A hash pool without threads: for small images, where starting a thread takes longer than hashing. */
import { blockViews, hashBlocks } from './digest.ts';
import { VERITY_BLOCK, VERITY_DIGEST_SIZE, type VerityAlgorithm } from './format.ts';
import type { HashPool } from './ports.ts';

const BLOCKS = 64;

export function inlineHashPool(algorithms: readonly VerityAlgorithm[]): HashPool {
  const buffer = new Uint8Array(BLOCKS * VERITY_BLOCK);
  const views = blockViews(buffer);
  const outputs = algorithms.map((algorithm) => Buffer.alloc(BLOCKS * VERITY_DIGEST_SIZE[algorithm]));
  const hashes = Object.fromEntries(algorithms.map((algorithm, at) => [algorithm, outputs[at]]));
  return {
    algorithms,
    ready: () => undefined,
    take: () => buffer,
    submit(_buffer, blocks, done) {
      algorithms.forEach((algorithm, at) => hashBlocks(algorithm, views, blocks, outputs[at]));
      done(hashes);
    },
    settled: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
