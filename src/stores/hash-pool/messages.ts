/** What the pool and its threads say to one another. Buffers are shared, so that a message is a few numbers. */
import type { VerityAlgorithm } from '../../formats/fsverity/format.ts';

export interface WorkerSetup {
  readonly algorithms: readonly VerityAlgorithm[];
  /** One for each slot: blocks to hash. */
  readonly buffers: readonly SharedArrayBuffer[];
  /** One for each slot: digests, algorithm after algorithm, each with room for all blocks of a slot. */
  readonly outputs: readonly SharedArrayBuffer[];
}

export interface HashRequest {
  readonly slot: number;
  readonly blocks: number;
}

export interface HashReply {
  readonly slot: number;
}

/** Blocks of a slot: 1 MiB. */
export const SLOT_BLOCKS = 256;
