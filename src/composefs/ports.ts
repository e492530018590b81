/** What composefs/ needs from outside: something that hashes and something that decodes. */
import type { HashPool } from '../formats/fsverity/ports.ts';
import type { DigestAlgorithm } from '../formats/oci/digest.ts';
import type { LayerCompression } from '../formats/oci/media-types.ts';
import type { ZstdDecoder } from '../formats/zstd/ports.ts';

export type { BlockHashes, HashPool } from '../formats/fsverity/ports.ts';

/** The plain bytes of a layer. A chunk is valid until the next one is asked for. */
export interface DecodedLayer extends AsyncIterable<Uint8Array> {
  /** Digest of all plain bytes in hexadecimal, once the iteration has ended. */
  digest(): string;
}

/** Decodes a layer and hashes what it decodes to, in this thread or in another. */
export type LayerDecoder = (
  blob: AsyncIterable<Uint8Array>,
  compression: LayerCompression,
  algorithm: DigestAlgorithm,
) => DecodedLayer;

export interface LayerPorts {
  readonly hashPool: HashPool;
  readonly zstd: ZstdDecoder;
  /** Where decoding is to happen elsewhere than in this thread. */
  readonly decoder?: LayerDecoder;
}
