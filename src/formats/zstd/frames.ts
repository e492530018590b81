/**
 * Walks the frames of a zstd stream without decoding them, so that what counts as one stream is decided here and
 * not by a decoder: several of them stop silently after the first frame, or ignore what follows the last.
 */
import { BootsealError } from '../../errors.ts';
import {
  BLOCK_TYPE,
  CONTENT_SIZE_BYTES,
  DESCRIPTOR,
  DICTIONARY_ID_BYTES,
  MAX_BLOCK,
  MAX_WINDOW,
  SKIPPABLE_MAGIC,
  SKIPPABLE_MASK,
  ZSTD_MAGIC,
} from './format.ts';

/** Part of a frame. `last` marks the end of the frame; skippable frames do not appear. */
export interface FramePiece {
  readonly bytes: Uint8Array;
  readonly last: boolean;
}

export interface FrameWalker {
  /** The bytes of frames among these bytes, in order. */
  push(bytes: Uint8Array): FramePiece[];
  /** Throws `zstd/truncated` unless the stream ends between frames, and holds at least one. */
  end(): void;
}

/** What the next bytes are: `body` is a block's content, `skip` a skippable frame's. */
type State = 'magic' | 'header' | 'block' | 'body' | 'checksum' | 'skip-size' | 'skip';

/** The longest frame header: magic, descriptor, window, dictionary id, content size. */
const MAX_HEADER = 4 + 1 + 1 + 4 + 8;

/** Throws `zstd/corrupt`, `zstd/trailing-data`, `zstd/window`, `zstd/dictionary`. */
export function createFrameWalker(): FrameWalker {
  const field = new Uint8Array(MAX_HEADER);
  const view = new DataView(field.buffer);
  let state: State = 'magic';
  let have = 0;
  let needed = 4;
  let hasChecksum = false;
  let lastBlock = false;
  let frames = 0;
  let offset = 0;

  function push(bytes: Uint8Array): FramePiece[] {
    const pieces: FramePiece[] = [];
    let at = 0;
    // Start of what belongs to a frame and is not yet in `pieces`. A magic is given out from `field`: only when
    // it is complete is it known whether its frame is to be skipped.
    let start = 0;
    while (at < bytes.length) {
      const before = state;
      const taken = Math.min(needed - have, bytes.length - at);
      if (before !== 'body' && before !== 'skip') field.set(bytes.subarray(at, at + taken), have);
      have += taken;
      at += taken;
      offset += taken;
      if (have === needed) advance();
      if (before === 'magic' && is('header')) pieces.push({ bytes: field.slice(0, 4), last: false });
      else if (is('magic') && (before === 'body' || before === 'checksum' || before === 'block')) {
        pieces.push({ bytes: bytes.subarray(start, at), last: true });
      }
      if (before === 'magic' || before === 'skip-size' || before === 'skip' || is('magic')) start = at;
    }
    if (start < bytes.length) pieces.push({ bytes: bytes.subarray(start), last: false });
    return pieces;
  }

  /** A call, because `advance` changes the state behind TypeScript's back. */
  function is(other: State): boolean {
    return state === other;
  }

  /** Called with a whole field in `field`, or at the end of a body. */
  function advance(): void {
    switch (state) {
      case 'magic':
        return onMagic();
      case 'header':
        return onHeader();
      case 'block':
        return onBlock();
      case 'body':
        return afterBlock();
      case 'skip-size':
        return expectSkip(view.getUint32(0, true));
      case 'checksum':
      case 'skip':
        return expect('magic', 4);
    }
  }

  function expect(next: State, bytes: number): void {
    state = next;
    needed = bytes;
    have = 0;
  }

  function expectSkip(size: number): void {
    if (size === 0) expect('magic', 4);
    else expect('skip', size);
  }

  function onMagic(): void {
    const magic = view.getUint32(0, true);
    if (magic === ZSTD_MAGIC) {
      frames += 1;
      // The descriptor says how long the rest of the header is.
      state = 'header';
      needed = 5;
    } else if ((magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC) {
      frames += 1;
      expect('skip-size', 4);
    } else {
      const code = frames === 0 ? 'zstd/corrupt' : 'zstd/trailing-data';
      throw fail(code, frames === 0 ? 'not a zstd stream' : 'other bytes after the last zstd frame');
    }
  }

  function onHeader(): void {
    const descriptor = field[4];
    if (DESCRIPTOR.reserved(descriptor)) throw fail('zstd/corrupt', 'reserved bit set in a frame header');
    const single = DESCRIPTOR.singleSegment(descriptor);
    const dictionary = DICTIONARY_ID_BYTES[DESCRIPTOR.dictionaryFlag(descriptor)];
    const sizeFlag = DESCRIPTOR.contentSizeFlag(descriptor);
    const contentSize = sizeFlag === 0 && single ? 1 : CONTENT_SIZE_BYTES[sizeFlag];
    const length = 5 + (single ? 0 : 1) + dictionary + contentSize;
    if (needed < length) {
      needed = length;
      return;
    }
    if (
      dictionary > 0 &&
      field.subarray(length - contentSize - dictionary, length - contentSize).some((b) => b !== 0)
    ) {
      throw fail('zstd/dictionary', 'the frame needs a dictionary');
    }
    // In a single segment the content is its own window.
    const window = single ? readSize(length - contentSize, contentSize) : windowSize(field[5]);
    if (window > MAX_WINDOW) {
      throw fail('zstd/window', `the frame needs a window of ${window} bytes, more than ${MAX_WINDOW}`);
    }
    hasChecksum = DESCRIPTOR.checksum(descriptor);
    expect('block', 3);
  }

  function readSize(at: number, bytes: number): number {
    if (bytes === 8) return Number(view.getBigUint64(at, true));
    if (bytes === 4) return view.getUint32(at, true);
    return bytes === 2 ? view.getUint16(at, true) + 256 : view.getUint8(at);
  }

  function onBlock(): void {
    const header = field[0] | (field[1] << 8) | (field[2] << 16);
    lastBlock = (header & 1) !== 0;
    const type = (header >> 1) & 3;
    const size = header >> 3;
    if (type === BLOCK_TYPE.reserved || size > MAX_BLOCK) throw fail('zstd/corrupt', 'bad block header');
    // A run-length block holds the one byte that it repeats.
    const stored = type === BLOCK_TYPE.rle ? 1 : size;
    if (stored === 0) afterBlock();
    else expect('body', stored);
  }

  function afterBlock(): void {
    if (!lastBlock) expect('block', 3);
    else if (hasChecksum) expect('checksum', 4);
    else expect('magic', 4);
  }

  function end(): void {
    if (frames === 0 || state !== 'magic' || have > 0)
      throw fail('zstd/truncated', 'the zstd stream ends early');
  }

  function fail(code: `zstd/${string}`, message: string): BootsealError {
    return new BootsealError(code, message, { offset });
  }

  return { push, end };
}

/** Section 3.1.1.1.2: exponent in the high five bits, mantissa in the low three. */
function windowSize(byte: number): number {
  const base = 2 ** (10 + (byte >> 3));
  return base + (base / 8) * (byte & 7);
}
