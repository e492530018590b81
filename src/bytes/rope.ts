/**
 * A long byte string held as pieces, so that a 60 MB boot image is put together, signed and written without
 * ever being copied. All offsets are in bytes from the start of the whole.
 */
import { concatBytes } from './bytes.ts';

export type Parts = readonly Uint8Array[];

export function partsLength(parts: Parts): number {
  let length = 0;
  for (const part of parts) length += part.length;
  return length;
}

/** The pieces that make up `start` to `end`, as views. The range must lie inside. */
export function sliceParts(parts: Parts, start: number, end: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  let at = 0;
  for (const part of parts) {
    const from = Math.max(start - at, 0);
    const to = Math.min(end - at, part.length);
    if (from < to) found.push(part.subarray(from, to));
    at += part.length;
    if (at >= end) break;
  }
  return found;
}

/** The bytes from `start` to `end` in one array: a view when they lie in one piece, else a copy. */
export function gatherParts(parts: Parts, start = 0, end: number = partsLength(parts)): Uint8Array {
  const found = sliceParts(parts, start, end);
  return found.length === 1 ? found[0] : concatBytes(found);
}
