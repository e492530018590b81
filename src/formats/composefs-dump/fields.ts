/** Fields of a dump line: escapes and numbers, taken from the bytes of the line without a string between. */
import { decodeLatin1, decodeUtf8 } from '../../bytes/bytes.ts';
import { badLine, type LineRules } from './rules.ts';

/** A range of bytes: of the line itself, or of `own` where an escape had to be undone. */
export interface Piece {
  bytes: Uint8Array;
  start: number;
  end: number;
  /** False for `-`. */
  present: boolean;
  own: Uint8Array;
}

export function createPiece(): Piece {
  const own = new Uint8Array(256);
  return { bytes: own, start: 0, end: 0, present: false, own };
}

export function pieceText({ bytes, start, end }: Piece): string {
  return decodeLatin1(bytes.subarray(start, end));
}

const BACKSLASH = 0x5c;
const DASH = 0x2d;
const LETTER_X = 0x78;

/** `optional`: a lone `-` stands for nothing. */
export function readPiece(
  piece: Piece,
  bytes: Uint8Array,
  start: number,
  end: number,
  optional: boolean,
  rules: LineRules,
  line: number,
): void {
  piece.present = !(optional && end - start === 1 && bytes[start] === DASH);
  let escaped = false;
  let odd = false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte === BACKSLASH) escaped = true;
    else if (byte < 0x21 || byte > 0x7e) odd = true;
  }
  if (odd && rules.rawBytes === 'none') throw badLine(line, 'a byte outside ! to ~ is not escaped');
  if (odd && rules.rawBytes === 'utf-8' && decodeUtf8(bytes.subarray(start, end)) === undefined) {
    throw badLine(line, 'a field is not valid UTF-8');
  }
  if (!escaped) {
    piece.bytes = bytes;
    piece.start = start;
    piece.end = end;
    return;
  }
  if (piece.own.length < end - start) piece.own = new Uint8Array(2 * (end - start));
  piece.bytes = piece.own;
  piece.start = 0;
  piece.end = unescape(bytes, start, end, piece.own, line);
}

/** Returns the number of bytes written to `target`. */
function unescape(bytes: Uint8Array, start: number, end: number, target: Uint8Array, line: number): number {
  let to = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte !== BACKSLASH) {
      target[to++] = byte;
      continue;
    }
    at += 1;
    const kind = at < end ? bytes[at] : 0;
    if (kind === LETTER_X) {
      const value = at + 2 < end ? hexDigit(bytes[at + 1]) * 16 + hexDigit(bytes[at + 2]) : Number.NaN;
      if (!(value >= 0)) throw badLine(line, 'a bad escape');
      target[to++] = value;
      at += 2;
      continue;
    }
    const simple = kind === BACKSLASH ? BACKSLASH : SIMPLE.get(kind);
    if (simple === undefined) throw badLine(line, 'a bad escape');
    target[to++] = simple;
  }
  return to;
}

const SIMPLE: ReadonlyMap<number, number> = new Map([
  [0x6e, 0x0a], // \n
  [0x72, 0x0d], // \r
  [0x74, 0x09], // \t
]);

/** NaN for what is none. */
export function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : Number.NaN;
}

/** Digits that a double holds exactly. */
const SAFE_DIGITS = 15;

/** The number, or -1 when it is not a few plain digits. */
export function plainNumber(bytes: Uint8Array, start: number, end: number, base: 8 | 10): number {
  if (end === start || end - start > SAFE_DIGITS) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at] - 0x30;
    if (digit < 0 || digit >= base) return -1;
    value = value * base + digit;
  }
  return value;
}

const MAX_64 = 2n ** 64n - 1n;

/**
 * A number of any spelling that the rules allow, below 2^64. Strictly it is digits only, and below 2^63 in C's signed
 * fields.
 */
export function anyNumber(
  bytes: Uint8Array,
  start: number,
  end: number,
  base: 8 | 10,
  rules: LineRules,
  what: string,
  line: number,
): bigint {
  const text = decodeLatin1(bytes.subarray(start, end));
  const digits = base === 8 ? '[0-7]' : '[0-9]';
  if (!rules.looseNumbers) {
    const value = new RegExp(`^${digits}{1,22}$`).test(text) ? BigInt(prefixed(text, base)) : -1n;
    if (value < 0n || value > MAX_64) throw badLine(line, `${what} is not a number`);
    return value;
  }
  // strtoull(3): white space, a sign that may be a minus, digits, and the largest number for what is too large.
  const match = new RegExp(`^[\\t\\v\\f\\r]*([+-]?)(${digits}+)$`).exec(text.replace(/\0.*$/s, ''));
  if (match === null || text.length > 4096) throw badLine(line, `${what} is not a number`);
  const value = BigInt(prefixed(match[2], base));
  if (value > MAX_64) return MAX_64;
  return match[1] === '-' ? BigInt.asUintN(64, -value) : value;
}

function prefixed(digits: string, base: 8 | 10): string {
  return base === 8 ? `0o${digits}` : digits;
}
