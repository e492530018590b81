/** What all parts of the EROFS reader share: the bytes, what is wrong with them, and which of them are taken. */
import { BootsealError } from '../../errors.ts';
import type { ErofsVersion } from './format.ts';

/** Something that is wrong with an image. */
export interface ErofsProblem {
  /** `erofs/…`. */
  readonly code: `erofs/${string}`;
  readonly message: string;
  /** Bytes from the start of the image. */
  readonly offset: number;
}

export interface Reading {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  version: ErofsVersion;
  /** Where references to shared attributes are counted from. */
  xattrBase: number;
  /** Where what stands behind the last inode ends. */
  inodesEnd: number;
  /** One for each four bytes of the image: whether something is there. */
  readonly claimed: Uint8Array;
  /** The bit of a filter for each name that has been seen. */
  readonly filterBits: Map<string, number>;
  /** Throws, or notes it and lets the reader go on where it can. */
  readonly problem: (code: ErofsProblem['code'], message: string, offset: number) => void;
}

/** Thrown inside the reader when a part cannot be read at all, once its problem is noted. */
export class Unreadable extends Error {}

/** `problems` collects what is wrong; without it the first problem is thrown. */
export function startReading(bytes: Uint8Array, problems?: ErofsProblem[]): Reading {
  return {
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
    version: 0,
    xattrBase: 0,
    inodesEnd: 0,
    claimed: new Uint8Array(Math.ceil(bytes.length / 4)),
    filterBits: new Map(),
    problem(code, message, offset) {
      if (problems === undefined) throw new BootsealError(code, message, { offset });
      // Damage everywhere is told well enough by a part of it.
      if (problems.length < MAX_PROBLEMS) problems.push({ code, message, offset });
    },
  };
}

const MAX_PROBLEMS = 1000;

/** Notes a problem after which this part cannot be read. */
export function unreadable(
  reading: Reading,
  code: ErofsProblem['code'],
  message: string,
  offset: number,
): never {
  reading.problem(code, message, offset);
  throw new Unreadable(message);
}

/**
 * Takes bytes `[start, end)` for one thing only. What is taken twice is not read: else a few bytes could be made into
 * any number of directories. `start` is a multiple of four.
 */
export function claim(reading: Reading, start: number, end: number, what: string): void {
  if (!(start >= 0 && start <= end && end <= reading.bytes.length)) {
    unreadable(reading, 'erofs/out-of-bounds', `${what} lies outside the image`, Math.max(start, 0));
  }
  const { claimed } = reading;
  const last = Math.ceil(end / 4);
  for (let word = start / 4; word < last; word++) {
    if (claimed[word] !== 0)
      unreadable(reading, 'erofs/overlap', `${what} lies over something else`, word * 4);
    claimed[word] = 1;
  }
}

/** Bytes that no one gave a meaning must be zero. */
export function checkZero(reading: Reading, start: number, end: number, what: string): void {
  const { bytes } = reading;
  for (let at = start; at < end; at++) {
    if (bytes[at] === 0) continue;
    reading.problem('erofs/not-zero', `${what} is not zero`, at);
    return;
  }
}

/** Bytes that nothing refers to. */
export function checkUnclaimed({ bytes, claimed, problem }: Reading): void {
  for (let word = 0; word < claimed.length; word++) {
    if (claimed[word] !== 0) continue;
    const at = word * 4;
    for (let byte = at; byte < Math.min(at + 4, bytes.length); byte++) {
      if (bytes[byte] === 0) continue;
      problem('erofs/hidden-bytes', 'bytes that nothing in the image refers to', byte);
      return;
    }
  }
}
