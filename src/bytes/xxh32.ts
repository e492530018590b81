/** xxHash, 32 bits (xxhash_spec.md, "XXH32"): EROFS puts it into the filter of extended attribute names. */
const PRIME_1 = 0x9e3779b1;
const PRIME_2 = 0x85ebca77;
const PRIME_3 = 0xc2b2ae3d;
const PRIME_4 = 0x27d4eb2f;
const PRIME_5 = 0x165667b1;

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function round(accumulator: number, lane: number): number {
  return Math.imul(rotate((accumulator + Math.imul(lane, PRIME_2)) | 0, 13), PRIME_1);
}

export function xxh32(input: Uint8Array, seed: number): number {
  const view = new DataView(input.buffer, input.byteOffset, input.length);
  let at = 0;
  let hash: number;
  // 1. and 2. Four accumulators over stripes of 16 bytes, or a constant for short input.
  if (input.length >= 16) {
    const lanes = [seed + PRIME_1 + PRIME_2, seed + PRIME_2, seed, seed - PRIME_1].map((lane) => lane | 0);
    for (; at + 16 <= input.length; at += 16) {
      for (let lane = 0; lane < 4; lane++)
        lanes[lane] = round(lanes[lane], view.getUint32(at + 4 * lane, true));
    }
    // 3. Convergence.
    hash = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
  } else {
    hash = seed + PRIME_5;
  }
  // 4. The length.
  hash = (hash + input.length) | 0;
  // 5. What is left, by words and then bytes.
  for (; at + 4 <= input.length; at += 4) {
    hash = Math.imul(rotate((hash + Math.imul(view.getUint32(at, true), PRIME_3)) | 0, 17), PRIME_4);
  }
  for (; at < input.length; at++) {
    hash = Math.imul(rotate((hash + Math.imul(input[at], PRIME_5)) | 0, 11), PRIME_1);
  }
  // 6. Avalanche.
  hash = Math.imul(hash ^ (hash >>> 15), PRIME_2);
  hash = Math.imul(hash ^ (hash >>> 13), PRIME_3);
  return (hash ^ (hash >>> 16)) >>> 0;
}
