/** What composefs/ needs from outside: something that hashes and something that decodes. */
import type { HashPool } from '../formats/fsverity/ports.ts';
import type { LayerDecoder } from '../formats/oci/decode-layer.ts';
import type { ZstdDecoder } from '../formats/zstd/ports.ts';

export type { DirectorySource, FoundEntry } from '../stores/directory-tree/types.ts';
export type { BlockHashes, HashPool } from '../formats/fsverity/ports.ts';

export interface LayerPorts {
  readonly hashPool: HashPool;
  readonly zstd: ZstdDecoder;
  /** Where decoding is to happen elsewhere than in this thread. */
  readonly decoder?: LayerDecoder;
}
