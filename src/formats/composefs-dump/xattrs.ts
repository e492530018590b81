/** Extended attributes at the end of a dump line: `KEY=VALUE`, separated by spaces, without a `-` convention. */
import { createPiece, pieceText, readPiece } from './fields.ts';
import { badLine, MAX_XATTR_NAME, MAX_XATTR_VALUE, type LineRules } from './rules.ts';

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
    if (equals === next && rules.name !== 'c') throw badLine(line, 'an extended attribute has no =');
    readPiece(piece, bytes, at, equals, false, rules, line);
    const key = checkKey(pieceText(piece), rules, line);
    readPiece(piece, bytes, Math.min(equals + 1, next), next, false, rules, line);
    if (piece.end - piece.start > MAX_XATTR_VALUE) {
      throw badLine(line, 'an extended attribute value is too long');
    }
    names += rules.name === 'rust' ? key.length : key.length + piece.end - piece.start;
    if (rules.name === 'rust' && names > rules.maxXattrNames)
      throw badLine(line, 'too many extended attributes');
    const value = piece.bytes.subarray(piece.start, piece.end);
    xattrs.set(key, value.length === 0 ? NO_BYTES : Uint8Array.from(value));
    at = next + 1;
    if (at === end && bytes[next] === SPACE && rules.name !== 'c') {
      throw badLine(line, 'a space at the end of the line');
    }
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
