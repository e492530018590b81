/** Layer blobs to plain archives, by media type alone: guessing from the bytes would let two readers see two layers. */
import { createHash } from 'node:crypto';
import { gunzip } from '../formats/gzip/reader.ts';
import type { DigestAlgorithm } from '../formats/oci/digest.ts';
import type { LayerCompression } from '../formats/oci/media-types.ts';
import type { ZstdDecoder } from '../formats/zstd/ports.ts';
import { unzstd } from '../formats/zstd/reader.ts';
import type { DecodedLayer, LayerDecoder } from './ports.ts';

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
