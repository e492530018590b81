/**
 * A zstd frame without compression: raw blocks, and one block for each long run of the same byte (RFC 8878, section
 * 3.1.1.2). Every decoder reads it, writing it needs no library, and its bytes depend on nothing but the content.
 * Tar headers, which are mostly zeros, shrink to about a third.
 */
import { BLOCK_TYPE, MAX_BLOCK, ZSTD_MAGIC } from './format.ts';

/** No checksum, no content size; a window of 128 KiB, the least that allows blocks of the greatest size. */
const DESCRIPTOR = 0;
const WINDOW = 7 << 3;
/** A run costs a header of its own, and one for the raw block after it. */
const WORTH_A_RUN = 16;

/** One frame that decodes to the parts, joined. */
export function* zstdStored(parts: Iterable<Uint8Array>): Generator<Uint8Array, void, undefined> {
  const header = new DataView(new ArrayBuffer(6));
  header.setUint32(0, ZSTD_MAGIC, true);
  header.setUint8(4, DESCRIPTOR);
  header.setUint8(5, WINDOW);
  yield new Uint8Array(header.buffer);
  for (const part of parts) {
    let raw = 0;
    for (let at = 0; at < part.length;) {
      const end = endOfRun(part, at);
      if (end - at >= WORTH_A_RUN) {
        yield* rawBlocks(part.subarray(raw, at));
        yield* runBlocks(part[at], end - at);
        raw = end;
      }
      at = end;
    }
    yield* rawBlocks(part.subarray(raw));
  }
  // The last block may be empty.
  yield blockHeader(BLOCK_TYPE.raw, 0, true);
}

function endOfRun(bytes: Uint8Array, start: number): number {
  const value = bytes[start];
  let end = start + 1;
  while (end < bytes.length && bytes[end] === value) end++;
  return end;
}

function* rawBlocks(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += MAX_BLOCK) {
    const block = bytes.subarray(at, at + MAX_BLOCK);
    yield blockHeader(BLOCK_TYPE.raw, block.length);
    yield block;
  }
}

function* runBlocks(value: number, length: number): Generator<Uint8Array, void, undefined> {
  for (let left = length; left > 0; left -= MAX_BLOCK) {
    yield blockHeader(BLOCK_TYPE.rle, Math.min(left, MAX_BLOCK));
    yield Uint8Array.of(value);
  }
}

/** Bit 0: last; bits 1–2: type; then the size, 21 bits, little-endian. */
function blockHeader(type: number, size: number, last = false): Uint8Array {
  const header = (size << 3) | (type << 1) | (last ? 1 : 0);
  return Uint8Array.of(header & 0xff, (header >> 8) & 0xff, (header >> 16) & 0xff);
}
