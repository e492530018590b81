/**
 * Gzip members of stored (uncompressed) blocks, RFC 1951 section 3.2.4 and RFC 1952.
 *
 * Layers that hold a UKI are written this way: their content is compressed already, and the bytes then depend on
 * nothing but the input, where those of a compressor depend on its version. Same input, same image digest.
 */
import { crc32 } from 'node:zlib';

const HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);
const MAX_STORED = 0xffff;

/** One gzip member holding the parts, joined. No modification time, no name; operating system "unknown" (255). */
export function* gzipStored(parts: Iterable<Uint8Array>): Generator<Uint8Array, void, undefined> {
  yield HEADER;
  let checksum = 0;
  let length = 0;
  for (const part of parts) {
    checksum = crc32(part, checksum);
    length += part.length;
    for (let at = 0; at < part.length; at += MAX_STORED) {
      const block = part.subarray(at, at + MAX_STORED);
      yield blockHeader(block.length, false);
      yield block;
    }
  }
  yield blockHeader(0, true);
  const trailer = new DataView(new ArrayBuffer(8));
  trailer.setUint32(0, checksum, true);
  // ISIZE is the length modulo 2^32.
  trailer.setUint32(4, length % 2 ** 32, true);
  yield new Uint8Array(trailer.buffer);
}

function blockHeader(length: number, final: boolean): Uint8Array {
  return Uint8Array.of(final ? 1 : 0, length & 0xff, length >> 8, ~length & 0xff, (~length >> 8) & 0xff);
}
