/**
 * The first PEM block of a file, found as Go's encoding/pem finds it, because the peers read keys with it: text
 * around the block and header lines are skipped, `-----BEGIN` must stand at the start of a line, later blocks are
 * not looked at. A file that this reader and the peer's read differently would be two keys in one.
 */
import { BootsealError } from '../../errors.ts';
import { decodeLatin1 } from '../../bytes/bytes.ts';
import { decodeGoBase64 } from '../strict-json/go-base64.ts';

/** Keys are below 4 KiB even for RSA-16384; files have comments. Bounds the search below, which is quadratic. */
export const MAX_KEY_FILE_SIZE: number = 64 * 1024;

const BEGIN = '-----BEGIN ';
const END = '-----END ';
const DASHES = '-----';

export interface PemBlock {
  readonly label: string;
  readonly bytes: Uint8Array;
}

/** Undefined when there is no block. Throws `pem/too-large`. */
export function findPemBlock(file: Uint8Array): PemBlock | undefined {
  if (file.length > MAX_KEY_FILE_SIZE) {
    throw new BootsealError('pem/too-large', `key file of ${file.length} bytes exceeds ${MAX_KEY_FILE_SIZE}`);
  }
  let rest = decodeLatin1(file);
  for (;;) {
    // 1. The next line that begins with "-----BEGIN ".
    if (rest.startsWith(BEGIN)) {
      rest = rest.slice(BEGIN.length);
    } else {
      const at = rest.indexOf(`\n${BEGIN}`);
      if (at < 0) return undefined;
      rest = rest.slice(at + 1 + BEGIN.length);
    }
    const first = takeLine(rest);
    rest = first.rest;
    if (!first.line.endsWith(DASHES)) continue;
    const label = first.line.slice(0, -DASHES.length);
    // 2. Header lines hold a colon; the body does not.
    let hasHeaders = false;
    for (;;) {
      if (rest === '') return undefined;
      const next = takeLine(rest);
      if (!next.line.includes(':')) break;
      hasHeaders = true;
      rest = next.rest;
    }
    // 3. The END line of the same label; the body may be empty only when there are no headers.
    const immediate = !hasHeaders && rest.startsWith(END);
    const bodyEnd = immediate ? 0 : rest.indexOf(`\n${END}`);
    if (bodyEnd < 0) continue;
    const trailer = rest.slice(bodyEnd + (immediate ? END.length : END.length + 1));
    if (!trailer.startsWith(label + DASHES)) continue;
    if (takeLine(trailer.slice(label.length + DASHES.length)).line !== '') continue;
    // 4. The body, spaces and tabs left out.
    const bytes = decodeGoBase64(rest.slice(0, bodyEnd).replaceAll(/[ \t]/g, ''));
    if (typeof bytes !== 'number') return { label, bytes };
  }
}

/** 64 characters a line, as every PEM writer makes them. */
export function encodePem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `${BEGIN}${label}${DASHES}\n${lines.map((line) => `${line}\n`).join('')}${END}${label}${DASHES}\n`;
}

/** A line without its end, and without spaces, tabs and CR before that. */
function takeLine(text: string): { readonly line: string; readonly rest: string } {
  const at = text.indexOf('\n');
  let end = at < 0 ? text.length : at;
  if (text[end - 1] === '\r') end -= 1;
  while (text[end - 1] === ' ' || text[end - 1] === '\t') end -= 1;
  return { line: text.slice(0, end), rest: at < 0 ? '' : text.slice(at + 1) };
}
