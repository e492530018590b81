/** Where blocks are hashed: in this thread, or in others. */
import type { VerityAlgorithm } from './format.ts';

/** For each algorithm of a pool, the digests of the blocks, back to back. Valid during the callback only. */
export type BlockHashes = Readonly<Partial<Record<VerityAlgorithm, Uint8Array>>>;

/**
 * Hashes 4096-byte blocks, in this thread or in others. There is a fixed number of buffers, which bounds the memory
 * of a digest whatever the size of the image.
 */
export interface HashPool {
  readonly algorithms: readonly VerityAlgorithm[];
  /** Resolves when two buffers are free; undefined when they are now. Rejects when a thread has failed. */
  ready(): Promise<void> | undefined;
  /** A free buffer to fill, a multiple of 4096 bytes long, of unknown content. */
  take(): Uint8Array;
  /** Hands a buffer back with its first `blocks` blocks filled. Callbacks come in the order of the calls. */
  submit(buffer: Uint8Array, blocks: number, done: (hashes: BlockHashes) => void): void;
  /** Resolves when every callback has come. */
  settled(): Promise<void>;
  /** Ends the threads. What is not settled is lost. */
  close(): Promise<void>;
}
