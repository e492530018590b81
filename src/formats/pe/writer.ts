/** What changes in a PE file when it is built or signed: the CheckSum field and the headers around it. */
import { partsLength, type Parts } from '../../bytes/rope.ts';

const HOST_IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/**
 * The image checksum: the 16-bit little-endian words of the file summed with the carries folded back in, plus
 * the length of the file. The field itself counts as zero. An odd last byte is the low half of a word.
 */
export function computeCheckSum(file: Parts, checkSumOffset: number): number {
  let sum = 0;
  let offset = 0;
  for (const part of file) {
    sum = (sum + sumWords(part, offset)) % 0xffff;
    offset += part.length;
  }
  // 1. Take the field out again, wherever the pieces are cut.
  sum = (sum + 0xffff - sumField(file, checkSumOffset)) % 0xffff;
  // 2. A folded sum is 0 only when every word is; 0xFFFF stands for the other multiples.
  const folded = sum === 0 ? 0xffff : sum;
  return (folded + partsLength(file)) >>> 0;
}

/** Sum modulo 0xFFFF, where a byte at an odd offset of the file counts 256-fold. */
function sumWords(bytes: Uint8Array, fileOffset: number): number {
  const head = Math.min((4 - (bytes.byteOffset & 3)) & 3, bytes.length);
  const wordCount = (bytes.length - head) >> 2;
  let sum = sumBytes(bytes, 0, head, fileOffset);
  if (wordCount > 0) {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset + head, wordCount);
    let total = 0;
    for (let from = 0; from < wordCount; from += 0x10_0000) {
      // 2^20 words of 32 bits stay below 2^53.
      const to = Math.min(from + 0x10_0000, wordCount);
      for (let index = from; index < to; index += 1) total += words[index];
      total %= 0xffff;
    }
    const swapped = ((fileOffset + head) % 2 === 1) === HOST_IS_LITTLE_ENDIAN;
    sum += swapped ? total * 256 : total;
  }
  const tail = head + wordCount * 4;
  return (sum + sumBytes(bytes, tail, bytes.length, fileOffset)) % 0xffff;
}

function sumBytes(bytes: Uint8Array, start: number, end: number, fileOffset: number): number {
  let sum = 0;
  for (let index = start; index < end; index += 1) {
    sum += bytes[index] * ((fileOffset + index) % 2 === 1 ? 256 : 1);
  }
  return sum;
}

function sumField(file: Parts, checkSumOffset: number): number {
  let sum = 0;
  let at = 0;
  for (const part of file) {
    const from = Math.max(checkSumOffset - at, 0);
    const to = Math.min(checkSumOffset + 4 - at, part.length);
    if (from < to) sum += sumBytes(part, from, to, at);
    at += part.length;
    if (at >= checkSumOffset + 4) break;
  }
  return sum % 0xffff;
}
