/**
 * A decoded layer in the parts that a composefs repository keeps: contents of files over 64 bytes, which become
 * objects, and everything else (headers, small files, padding, what follows the end mark), which stays inline.
 */
import { BootsealError } from '../errors.ts';
import { createTarReader } from '../formats/tar/reader.ts';
import { INLINE_MAX } from './tree.ts';

export interface LayerSplitHandler {
  /** Bytes that belong to no object. A view, valid during the call only. */
  inline(bytes: Uint8Array): void;
  /** Content of the next file over 64 bytes begins; its size is known from its header. */
  beginObject(size: number): void;
  /** A view, valid during the call only. */
  object(bytes: Uint8Array): void;
  endObject(): void;
}

export interface LayerSplitter {
  push(bytes: Uint8Array): void;
  /** Throws `tar/truncated` where the archive may not end. */
  end(): void;
}

/** What is given out, joined in order, is exactly what was pushed. Throws `tar/…`. */
export function createLayerSplitter(handler: LayerSplitHandler): LayerSplitter {
  let external = false;
  let chunk: Uint8Array = new Uint8Array();
  /** Offset in `chunk` of the first byte not given out yet. */
  let given = 0;
  /** Size of a file whose content has not begun. */
  let starting: number | undefined;

  const reader = createTarReader({
    entry(entry) {
      const size = entry.type === 'file' ? (entry.size ?? 0) : 0;
      external = size > INLINE_MAX;
      // Its first bytes may be in a later chunk.
      starting = external ? size : undefined;
    },
    data(bytes) {
      if (!external) return;
      const start = bytes.byteOffset - chunk.byteOffset;
      if (bytes.buffer !== chunk.buffer || start < given) {
        throw new BootsealError('internal/split', 'payload is no view of what was read');
      }
      giveInline(start);
      if (starting !== undefined) handler.beginObject(starting);
      starting = undefined;
      handler.object(bytes);
      given = start + bytes.length;
    },
    endOfFile() {
      if (external) handler.endObject();
      external = false;
    },
  });

  function giveInline(end: number): void {
    if (end > given) handler.inline(chunk.subarray(given, end));
    given = end;
  }

  return {
    push(bytes) {
      chunk = bytes;
      given = 0;
      reader.push(bytes);
      giveInline(bytes.length);
    },
    end: () => reader.end(),
  };
}
