/**
 * Memory that threads can share: what a source reads into it is hashed in another thread without being copied. The
 * garbage collector does not count such memory and would let it grow with every blob: it is given back and used again.
 */

/** Bytes of each buffer. */
export const SHARED_BUFFER_SIZE: number = 1024 * 1024;

/** Kept for the next blobs: as many as a copy has in use with four at a time. */
const MAX_SPARE = 12;
const spare: Buffer[] = [];

/** With whatever is left in it. */
export function takeSharedBuffer(): Buffer {
  return spare.pop() ?? Buffer.from(new SharedArrayBuffer(SHARED_BUFFER_SIZE));
}

/** Nobody may write to it any more, and what somebody still reads from it must not matter. */
export function returnSharedBuffer(buffer: Buffer): void {
  if (spare.length < MAX_SPARE && !spare.includes(buffer)) spare.push(buffer);
}
