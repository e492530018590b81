/**
 * Gzip members of stored (uncompressed) blocks, RFC 1951 section 3.2.4 and RFC 1952.
 *
 * Layers that hold a UKI are written this way: their content is compressed already, and the bytes then depend on
 * nothing but the input, where those of a compressor depend on its version. Same input, same image digest.
 */
import { crc32 } from 'node:zlib';

const HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);
const MAX_STORED = 0xffff;

/**
 * One gzip member holding the parts, joined. No modification time, no name; operating system "unknown" (255).
 * The bytes depend on the content alone, not on where one part ends and the next begins.
 */
export function* gzipStored(parts: Iterable<Uint8Array>): Generator<Uint8Array, void, undefined> {
  yield HEADER;
  let checksum = 0;
  let length = 0;
  // Views of what is not written yet, less than one block.
  let waiting: Uint8Array[] = [];
  let waitingLength = 0;
  for (const part of parts) {
    checksum = crc32(part, checksum);
    length += part.length;
    let at = 0;
    while (waitingLength + part.length - at >= MAX_STORED) {
      const end = at + MAX_STORED - waitingLength;
      yield blockHeader(MAX_STORED, false);
      yield* waiting;
      yield part.subarray(at, end);
      waiting = [];
      waitingLength = 0;
      at = end;
    }
    if (at < part.length) {
      // A copy: the caller may use its buffer again before this is written.
      waiting.push(part.slice(at));
      waitingLength += part.length - at;
    }
  }
  if (waitingLength > 0) {
    yield blockHeader(waitingLength, false);
    yield* waiting;
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
