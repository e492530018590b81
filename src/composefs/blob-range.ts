/** Parts of a blob that goes by in pieces. */

/** What of `bytes`, which stand at `position` of the blob, lies between `start` and `end`. A view. */
export function overlap(
  bytes: Uint8Array,
  position: number,
  start: number,
  end: number,
): Uint8Array | undefined {
  const from = Math.max(start - position, 0);
  const to = Math.min(end - position, bytes.length);
  return from < to ? bytes.subarray(from, to) : undefined;
}

export interface KeptRange {
  push(bytes: Uint8Array, position: number): void;
  /** The range, or as much of it as there was. */
  bytes(): Uint8Array;
}

/** Copies what lies between `start` and `end`. Memory grows with what comes, not with what is asked for. */
export function keepRange(start: number, end: number): KeptRange {
  const parts: Uint8Array[] = [];
  return {
    push(bytes, position) {
      const part = overlap(bytes, position, start, end);
      if (part !== undefined) parts.push(Uint8Array.from(part));
    },
    bytes: () => Buffer.concat(parts),
  };
}
