/**
 * Numbers in tar header fields, read exactly as tar-core 0.1.0 (composefs-rs, bootc) reads them: what it takes we
 * take, what it refuses we refuse, because another reading gives another digest.
 */
import { BootsealError } from '../../errors.ts';

/** The white space of ASCII: space, tab, line feed, vertical tab, form feed, carriage return. */
function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

/** Octal digits, or GNU's base-256 when the first bit is set. Base-256 gives the low 64 bits as a natural number. */
export function readNumber(
  block: Uint8Array,
  field: readonly [number, number],
  what: string,
): number | bigint {
  const [offset, length] = field;
  if ((block[offset] & 0x80) === 0) return readOctal(block, field, what);
  let value = BigInt(block[offset] & 0x7f);
  for (let at = offset + 1; at < offset + length; at++)
    value = BigInt.asUintN(64, (value << 8n) | BigInt(block[at]));
  return value;
}

/**
 * Octal digits up to the first NUL, with white space around them and an optional `+`; an empty field is 0.
 * At most twelve digits fit a field, so the value is exact. Throws `tar/bad-number`.
 */
export function readOctal(
  block: Uint8Array,
  [offset, length]: readonly [number, number],
  what: string,
): number {
  let start = offset;
  let end = offset;
  while (end < offset + length && block[end] !== 0) end += 1;
  while (start < end && isSpace(block[start])) start += 1;
  while (end > start && isSpace(block[end - 1])) end -= 1;
  if (start === end) return 0;
  if (block[start] === 0x2b) start += 1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = block[at] - 0x30;
    if (digit < 0 || digit > 7) throw badNumber(what);
    value = value * 8 + digit;
  }
  if (start === end) throw badNumber(what);
  return value;
}

const U64_LIMIT = 1n << 64n;

/** Decimal digits with an optional `+`, below 2^64, as PAX records hold them. Throws `tar/bad-number`. */
export function readDecimal(text: string, what: string): bigint {
  // Twenty digits hold 2^64; leading zeros beyond that are nobody's.
  if (!/^\+?[0-9]{1,40}$/.test(text)) throw badNumber(what);
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
  if (value >= U64_LIMIT) throw badNumber(what);
  return value;
}

function badNumber(what: string): BootsealError {
  return new BootsealError('tar/bad-number', `${what} is not a number that tar allows there`);
}
