/** Layer blobs to plain archives, by media type alone: guessing from the bytes would let two readers see two layers. */
import { createHash } from 'node:crypto';
import { gunzip } from '../gzip/reader.ts';
import type { ZstdDecoder } from '../zstd/ports.ts';
import { unzstd } from '../zstd/reader.ts';
import type { DigestAlgorithm } from './digest.ts';
import type { LayerCompression } from './media-types.ts';

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

/** A decoder that works in this thread, but for what zlib does in its own. */
export function layerDecoder(zstd: ZstdDecoder): LayerDecoder {
  return (blob, compression, algorithm) => decodeLayer(blob, compression, algorithm, zstd);
}

function decodeLayer(
  blob: AsyncIterable<Uint8Array>,
  compression: LayerCompression,
  algorithm: DigestAlgorithm,
  zstd: ZstdDecoder,
): DecodedLayer {
  const hash = createHash(algorithm);
  return {
    async *[Symbol.asyncIterator]() {
      for await (const chunk of decompress(blob, compression, zstd)) {
        hash.update(chunk);
        yield chunk;
      }
    },
    digest: () => hash.digest('hex'),
  };
}

function decompress(
  blob: AsyncIterable<Uint8Array>,
  compression: LayerCompression,
  zstd: ZstdDecoder,
): AsyncIterable<Uint8Array> {
  switch (compression) {
    case 'gzip':
      return gunzip(blob);
    case 'zstd':
      return unzstd(blob, zstd);
    case 'none':
    default:
      return blob;
  }
}
