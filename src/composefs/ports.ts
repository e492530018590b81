/** What composefs/ needs from outside: threads to hash in, and a zstd decoder. */
import type { HashPool } from '../formats/fsverity/ports.ts';
import type { ZstdDecoder } from '../formats/zstd/ports.ts';

export type { BlockHashes, HashPool } from '../formats/fsverity/ports.ts';

export interface LayerPorts {
  readonly hashPool: HashPool;
  readonly zstd: ZstdDecoder;
}
