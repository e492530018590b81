/** What reading the layers of an image takes on this machine: threads for large images, none for small ones. */
import type { VerityAlgorithm } from '../formats/fsverity/format.ts';
import type { HashPool } from '../formats/fsverity/ports.ts';
import type { LayerDecoder } from '../formats/oci/decode-layer.ts';
import type { ZstdDecoder } from '../formats/zstd/ports.ts';
import { openHashPool } from './hash-pool/pool.ts';
import { openThreadedDecoder } from './layer-decoder/decoder.ts';
import { zstdDecoder } from './zstd/decoder.ts';

/** What `treeFromLayers` asks for. */
export interface OpenLayerPorts {
  readonly hashPool: HashPool;
  readonly zstd: ZstdDecoder;
  readonly decoder?: LayerDecoder;
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
