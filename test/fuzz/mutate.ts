/**
 * Inputs made from seeds by small damage. An input depends on the seeds, the seed number and its index alone, so that
 * a printed `seed N, input I` is enough to make it again.
 */

/** Numbers between 0 and 1. Mulberry32 (T. Ettinger, public domain): quick, and the same everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Lengths, offsets and counts at which parsers go wrong. */
const NUMBERS: readonly number[] = [
  0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff,
];

/** Pieces of text that mean something in some format. */
const TOKENS: readonly string[] = [
  '"', '{', '[', ']}', '\\', '\0', '../', '/', '=', ' ', '\n', ',', ':', '0', '-1', '1e999', '99999999999999999999',
  '\u202e', '\ufeff', 'sha256:', 'composefs=', '-----BEGIN ',
]; // prettier-ignore

const MAX_CHANGES = 6;
/** Inputs do not grow beyond this, so that speed stays comparable. */
const MAX_BYTES = 4 * 1024 * 1024;

export function inputFor(seeds: readonly Uint8Array[], seed: number, index: number): Uint8Array {
  const random = randomFrom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
  const below = (limit: number): number => Math.floor(random() * limit);
  let bytes = seeds[below(seeds.length)] ?? new Uint8Array();
  const changes = 1 + below(MAX_CHANGES);
  for (let i = 0; i < changes; i++) bytes = change(bytes, seeds, below);
  return bytes.length > MAX_BYTES ? bytes.slice(0, MAX_BYTES) : bytes;
}

type Below = (limit: number) => number;
type Change = (bytes: Uint8Array, below: Below, seeds: readonly Uint8Array[]) => Uint8Array;

const CHANGES: readonly Change[] = [
  flipBit,
  setByte,
  setNumber,
  setNumber,
  remove,
  repeat,
  insertToken,
  truncate,
  splice,
];

function change(bytes: Uint8Array, seeds: readonly Uint8Array[], below: Below): Uint8Array {
  return CHANGES[below(CHANGES.length)](bytes, below, seeds);
}

function flipBit(bytes: Uint8Array, below: Below): Uint8Array {
  if (bytes.length === 0) return bytes;
  const copy = bytes.slice();
  copy[below(copy.length)] ^= 1 << below(8);
  return copy;
}

function setByte(bytes: Uint8Array, below: Below): Uint8Array {
  if (bytes.length === 0) return bytes;
  const copy = bytes.slice();
  copy[below(copy.length)] = below(256);
  return copy;
}

function setNumber(bytes: Uint8Array, below: Below): Uint8Array {
  const width = [1, 2, 4, 8][below(4)];
  if (bytes.length < width) return bytes;
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  const at = below(copy.length - width + 1);
  const value = NUMBERS[below(NUMBERS.length)];
  const little = below(2) === 0;
  if (width === 1) view.setUint8(at, value);
  else if (width === 2) view.setUint16(at, value, little);
  else if (width === 4) view.setUint32(at, value, little);
  else view.setBigUint64(at, below(4) === 0 ? 2n ** 64n - 1n : BigInt(value), little);
  return copy;
}

function remove(bytes: Uint8Array, below: Below): Uint8Array {
  const [start, end] = range(bytes, below);
  return concat(bytes.subarray(0, start), bytes.subarray(end));
}

function repeat(bytes: Uint8Array, below: Below): Uint8Array {
  const [start, end] = range(bytes, below);
  return concat(bytes.subarray(0, end), bytes.subarray(start));
}

function insertToken(bytes: Uint8Array, below: Below): Uint8Array {
  const at = below(bytes.length + 1);
  const token = new TextEncoder().encode(TOKENS[below(TOKENS.length)]);
  return concat(bytes.subarray(0, at), token, bytes.subarray(at));
}

function truncate(bytes: Uint8Array, below: Below): Uint8Array {
  return bytes.slice(0, below(bytes.length + 1));
}

function splice(bytes: Uint8Array, below: Below, seeds: readonly Uint8Array[]): Uint8Array {
  const other = seeds[below(seeds.length)] ?? bytes;
  return concat(bytes.subarray(0, below(bytes.length + 1)), other.subarray(below(other.length + 1)));
}

/** Mostly short ranges: long ones leave nothing to test. */
function range(bytes: Uint8Array, below: Below): [start: number, end: number] {
  const start = below(bytes.length + 1);
  const longest = Math.min(bytes.length - start, below(8) === 0 ? bytes.length : 64);
  return [start, start + below(longest + 1)];
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
