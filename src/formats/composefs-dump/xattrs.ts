/** Extended attributes at the end of a dump line: `KEY=VALUE`, separated by spaces, without a `-` convention. */
import { createPiece, pieceText, readPiece } from './fields.ts';
import {
  badLine,
  MAX_XATTR_NAME,
  MAX_XATTR_NAMES,
  MAX_XATTR_VALUE,
  MAX_XATTRS_C,
  type LineRules,
} from './rules.ts';

const SPACE = 0x20;
const EQUALS = 0x3d;
const NO_BYTES = new Uint8Array(0);

/**
 * Names a byte a character. Of two equal names the last one counts, in both programs. Throws `dump/malformed`.
 */
export function readXattrs(
  bytes: Uint8Array,
  start: number,
  end: number,
  rules: LineRules,
  line: number,
): ReadonlyMap<string, Uint8Array> {
  const xattrs = new Map<string, Uint8Array>();
  const piece = createPiece();
  let names = 0;
  for (let at = start; at < end;) {
    let next = at;
    while (next < end && bytes[next] !== SPACE) next++;
    let equals = at;
    while (equals < next && bytes[equals] !== EQUALS) equals++;
    if (equals === next) throw badLine(line, 'an extended attribute has no =');
    readPiece(piece, bytes, at, equals, false, rules, line);
    const key = checkKey(pieceText(piece), rules, line);
    readPiece(piece, bytes, equals + 1, next, false, rules, line);
    const value = piece.bytes.subarray(piece.start, piece.end);
    if (value.length > MAX_XATTR_VALUE) throw badLine(line, 'an extended attribute value is too long');
    names += key.length;
    if (names > MAX_XATTR_NAMES) throw badLine(line, 'too many extended attributes');
    xattrs.set(key, value.length === 0 ? NO_BYTES : Uint8Array.from(value));
    at = next + 1;
  }
  if (rules.name !== 'rust') {
    let size = 12;
    for (const [key, value] of xattrs) size += 7 + key.length + value.length;
    if (size > MAX_XATTRS_C) throw badLine(line, 'too many extended attributes');
  }
  return xattrs;
}

function checkKey(text: string, rules: LineRules, line: number): string {
  const nul = text.indexOf('\0');
  const key = nul >= 0 && rules.name === 'c' ? text.slice(0, nul) : text;
  if (key === '' && rules.name !== 'rust') throw badLine(line, 'an extended attribute has no name');
  if (key.includes('\0')) throw badLine(line, 'an extended attribute name has a NUL byte');
  if (key.length > MAX_XATTR_NAME) throw badLine(line, 'an extended attribute name is too long');
  return key;
}
