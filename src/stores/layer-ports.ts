/** What reading the layers of an image takes on this machine: threads for large images, none for small ones. */
import type { LayerPorts } from '../composefs/ports.ts';
import type { VerityAlgorithm } from '../formats/fsverity/format.ts';
import { openHashPool } from './hash-pool/pool.ts';
import { openThreadedDecoder } from './layer-decoder/decoder.ts';
import { zstdDecoder } from './zstd/decoder.ts';

export interface OpenLayerPorts extends LayerPorts {
  /** Ends the threads. */
  close(): Promise<void>;
}

export interface LayerPortsOptions {
  /** Compressed bytes that will be read, as far as is known. */
  readonly expectedBytes?: number;
}

/** Starting threads takes as long as decoding and hashing this much. */
const WORTH_THREADS = 16 * 1024 * 1024;

export function openLayerPorts(
  algorithms: readonly VerityAlgorithm[],
  options: LayerPortsOptions = {},
): OpenLayerPorts {
  const zstd = zstdDecoder();
  const hashPool = openHashPool(algorithms, options);
  if ((options.expectedBytes ?? Infinity) < WORTH_THREADS)
    return { hashPool, zstd, close: () => hashPool.close() };
  const decoder = openThreadedDecoder();
  return {
    hashPool,
    zstd,
    decoder: decoder.decode,
    close: async () => void (await Promise.all([hashPool.close(), decoder.close()])),
  };
}
