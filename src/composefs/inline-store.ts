/** Contents of many small files back to back: an array for each of them would take five times its bytes. */
import type { RegularContent } from './tree.ts';

type InlineContent = Extract<RegularContent, { readonly kind: 'inline' }>;

/** Bytes of one array, which holds some hundred files. */
const SLAB = 16 * 1024;

/** Content of one file, of which it holds no more than the place: a class, so that the getter costs nothing a file. */
class StoredContent implements InlineContent {
  readonly kind = 'inline';
  private readonly slab: Uint8Array;
  private readonly start: number;
  private readonly end: number;

  constructor(slab: Uint8Array, start: number, end: number) {
    this.slab = slab;
    this.start = start;
    this.end = end;
  }

  get bytes(): Uint8Array {
    return this.slab.subarray(this.start, this.end);
  }
}

export interface InlineStore {
  /** Content of `size` bytes, at most 16 KiB, all zero until they are written to its `bytes`. */
  add(size: number): InlineContent;
}

export function createInlineStore(): InlineStore {
  const empty: InlineContent = { kind: 'inline', bytes: new Uint8Array(0) };
  let slab = new Uint8Array(0);
  let used = 0;
  return {
    add(size) {
      if (size === 0) return empty;
      if (used + size > slab.length) {
        slab = new Uint8Array(SLAB);
        used = 0;
      }
      const content = new StoredContent(slab, used, used + size);
      used += size;
      return content;
    },
  };
}
