/**
 * Where an image is written to: one buffer that becomes all of it, or a small one whose bytes are given away as soon as
 * nothing more will be written before them. Things are written in the order of their places.
 */
import { EROFS_BLOCK } from './format.ts';

export interface Output {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /**
   * Makes room for the `length` bytes at `at` of the image, all zero, and returns where they are in `bytes`. No `at` is
   * less than one before.
   */
  room(at: number, length: number): number;
}

/** `size` bytes. */
export function wholeOutput(size: number): Output {
  const bytes = new Uint8Array(size);
  return { bytes, view: new DataView(bytes.buffer), room: (at) => at };
}

/** A block, and the largest inode with its attributes and tail. */
const WINDOW = 512 * 1024;

export interface PieceOutput extends Output {
  /** Gives away what is left of an image of `size` bytes. */
  finish(size: number): void;
}

/** `sink` is given the bytes in order, whole blocks but for the last time; valid during the call only. */
export function pieceOutput(sink: (bytes: Uint8Array) => void): PieceOutput {
  const bytes = new Uint8Array(WINDOW);
  let start = 0;

  /** Everything before `at` is final. */
  function giveAway(at: number): void {
    const final = Math.min(at - start, bytes.length);
    const given = final - (final % EROFS_BLOCK);
    sink(bytes.subarray(0, given));
    bytes.copyWithin(0, given, final);
    bytes.fill(0, final - given, final);
    start += given;
  }

  return {
    bytes,
    view: new DataView(bytes.buffer),
    room(at, length) {
      while (at + length - start > bytes.length) giveAway(at);
      return at - start;
    },
    finish(size) {
      while (size - start > bytes.length) giveAway(size);
      sink(bytes.subarray(0, size - start));
    },
  };
}
