/** Memory that threads can share: what a source reads into it is hashed in another thread without being copied. */
export function sharedBuffer(size: number): Buffer {
  return Buffer.from(new SharedArrayBuffer(size));
}
