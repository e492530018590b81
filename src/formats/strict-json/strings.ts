/** String literals of JSON, decoded as Go decodes them: what is not Unicode becomes U+FFFD. */
import { BootsealError } from '../../errors.ts';
import { goQuoteByte } from './go-quote.ts';

/** Not fatal: each byte that is not UTF-8 becomes one U+FFFD (maximal subparts, see below), a BOM stays. */
const REPLACEMENT = '\ufffd';

const SIMPLE_ESCAPES: Readonly<Record<number, string>> = {
  0x22: '"',
  0x5c: '\\',
  0x2f: '/',
  0x62: '\b',
  0x66: '\f',
  0x6e: '\n',
  0x72: '\r',
  0x74: '\t',
};

export interface StringLiteral {
  readonly value: string;
  /** Offset of the byte after the closing quotation mark. */
  readonly end: number;
}

/** Reads the literal that opens at `start`. Throws `json/syntax` with the offset of the bad byte. */
export function readString(bytes: Uint8Array, start: number): StringLiteral {
  let value = '';
  let runStart = start + 1;
  let at = runStart;
  for (;;) {
    const byte = bytes[at];
    if (byte === undefined) throw endOfInput(bytes);
    if (byte === 0x22) break;
    if (byte < 0x20) throw unexpected(bytes, at, 'in string literal');
    if (byte !== 0x5c) {
      at += 1;
      continue;
    }
    value += decodeRun(bytes.subarray(runStart, at));
    const escape = readEscape(bytes, at);
    value += escape.value;
    at = escape.end;
    runStart = at;
  }
  return { value: value + decodeRun(bytes.subarray(runStart, at)), end: at + 1 };
}

function readEscape(bytes: Uint8Array, backslash: number): StringLiteral {
  const letter = bytes[backslash + 1];
  if (letter === undefined) throw endOfInput(bytes);
  const simple = SIMPLE_ESCAPES[letter];
  if (simple !== undefined) return { value: simple, end: backslash + 2 };
  if (letter !== 0x75) throw unexpected(bytes, backslash + 1, 'in string escape code');
  const first = readHex4(bytes, backslash + 2);
  const next = backslash + 6;
  if (first < 0xd800 || first > 0xdfff) return { value: String.fromCharCode(first), end: next };
  // A pair of surrogates is one character; half of one is no character, and what follows it is read on its own.
  if (first <= 0xdbff && bytes[next] === 0x5c && bytes[next + 1] === 0x75) {
    const second = readHex4(bytes, next + 2);
    if (second >= 0xdc00 && second <= 0xdfff)
      return { value: String.fromCharCode(first, second), end: next + 6 };
  }
  return { value: REPLACEMENT, end: next };
}

function readHex4(bytes: Uint8Array, start: number): number {
  let value = 0;
  for (let at = start; at < start + 4; at++) {
    const byte = bytes[at];
    if (byte === undefined) throw endOfInput(bytes);
    const digit = hexDigit(byte);
    if (digit === undefined) throw unexpected(bytes, at, 'in \\u hexadecimal character escape');
    value = value * 16 + digit;
  }
  return value;
}

function hexDigit(byte: number): number | undefined {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : undefined;
}

/** Go replaces every byte that starts no character by itself, where the web's decoder takes a whole cut sequence at once. */
function decodeRun(bytes: Uint8Array): string {
  let ascii = true;
  for (const byte of bytes) {
    if (byte >= 0x80) {
      ascii = false;
      break;
    }
  }
  if (ascii) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    text += length === 0 ? REPLACEMENT : Buffer.from(bytes.subarray(at, at + length)).toString('utf8');
    at += Math.max(1, length);
  }
  return text;
}

/** Length of the well-formed UTF-8 sequence at `at` (Unicode table 3-7), or 0. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at];
  if (lead < 0x80) return 1;
  const [length, low, high] =
    lead >= 0xc2 && lead <= 0xdf
      ? [2, 0x80, 0xbf]
      : lead === 0xe0
        ? [3, 0xa0, 0xbf]
        : lead === 0xed
          ? [3, 0x80, 0x9f]
          : lead >= 0xe1 && lead <= 0xef
            ? [3, 0x80, 0xbf]
            : lead === 0xf0
              ? [4, 0x90, 0xbf]
              : lead >= 0xf1 && lead <= 0xf3
                ? [4, 0x80, 0xbf]
                : lead === 0xf4
                  ? [4, 0x80, 0x8f]
                  : [0, 0, 0];
  if (length === 0 || at + length > bytes.length) return 0;
  if (bytes[at + 1] < low || bytes[at + 1] > high) return 0;
  for (let next = at + 2; next < at + length; next++) if ((bytes[next] & 0xc0) !== 0x80) return 0;
  return length;
}

export function unexpected(bytes: Uint8Array, offset: number, context: string): BootsealError {
  return new BootsealError('json/syntax', `invalid character ${goQuoteByte(bytes[offset])} ${context}`, {
    offset,
  });
}

export function endOfInput(bytes: Uint8Array): BootsealError {
  return new BootsealError('json/syntax', 'unexpected end of JSON input', { offset: bytes.length });
}
