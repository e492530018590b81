/**
 * PEM blocks of a file, found as Go's encoding/pem finds them, because the peers read keys and certificates with it:
 * text around a block and header lines are skipped, `-----BEGIN` must stand at the start of a line. A file that this
 * reader and the peer's read differently would be two keys in one. Reads each byte a bounded number of times, so that
 * a file of nothing but BEGIN lines is no slower than another.
 */
import { BootsealError } from '../../errors.ts';
import { decodeLatin1 } from '../../bytes/bytes.ts';
import { decodeGoBase64 } from '../strict-json/go-base64.ts';

/** Keys are below 4 KiB even for RSA-16384; files have comments. */
export const MAX_KEY_FILE_SIZE: number = 64 * 1024;

const BEGIN = '-----BEGIN ';
const END = '-----END ';
const DASHES = '-----';

export interface PemBlock {
  readonly label: string;
  readonly bytes: Uint8Array;
  readonly hasHeaders: boolean;
  /** Offset of what follows the line that ends the block. */
  readonly end: number;
}

/** The first block. Undefined when there is none. Throws `pem/too-large`. */
export function findPemBlock(file: Uint8Array): PemBlock | undefined {
  return readPemBlocks(file, MAX_KEY_FILE_SIZE).next().value ?? undefined;
}

/**
 * The blocks of a file in order. Throws `pem/too-large`, before the first block, above `maxSize` bytes.
 */
export function* readPemBlocks(file: Uint8Array, maxSize: number): Generator<PemBlock, undefined> {
  if (file.length > maxSize) {
    throw new BootsealError('pem/too-large', `key file of ${file.length} bytes exceeds ${maxSize}`);
  }
  const text = decodeLatin1(file);
  const search = { text, nextEnd: 0 };
  for (let at = 0; ;) {
    const block = nextBlock(search, at);
    if (block === undefined) return undefined;
    yield block;
    at = block.end;
  }
}

interface Search {
  readonly text: string;
  /** Offset of an END line not before the place searched last: each is looked for once. */
  nextEnd: number;
}

/** `start` counts as the start of a line. */
function nextBlock(search: Search, start: number): PemBlock | undefined {
  const { text } = search;
  for (let at = start; ;) {
    // 1. The next line that begins with "-----BEGIN ".
    if (!text.startsWith(BEGIN, at)) {
      const found = text.indexOf(`\n${BEGIN}`, at);
      if (found < 0) return undefined;
      at = found + 1;
    }
    const first = lineAt(text, at + BEGIN.length);
    at = first.next;
    if (!first.line.endsWith(DASHES)) continue;
    const label = first.line.slice(0, -DASHES.length);
    // 2. Header lines hold a colon; the body does not.
    let hasHeaders = false;
    for (;;) {
      if (at >= text.length) return undefined;
      const next = lineAt(text, at);
      if (!next.line.includes(':')) break;
      hasHeaders = true;
      at = next.next;
    }
    // 3. The END line of the same label; the body may be empty only when there are no headers.
    const bodyEnd = !hasHeaders && text.startsWith(END, at) ? at : endLine(search, at);
    if (bodyEnd < 0) return undefined;
    const trailer = text.indexOf(END, bodyEnd) + END.length;
    if (!text.startsWith(label + DASHES, trailer)) continue;
    const last = lineAt(text, trailer + label.length + DASHES.length);
    if (last.line !== '') continue;
    // 4. The body, spaces and tabs left out.
    NOT_BASE64.lastIndex = at;
    if (NOT_BASE64.test(text) && NOT_BASE64.lastIndex <= bodyEnd) continue;
    const bytes = decodeGoBase64(text.slice(at, bodyEnd).replaceAll(/[ \t]/g, ''));
    if (typeof bytes !== 'number') return { label, bytes, hasHeaders, end: last.next };
  }
}

const NOT_BASE64 = /[^A-Za-z0-9+/=\s]/g;

/** Offset of the line feed before the next END line, or -1. */
function endLine(search: Search, at: number): number {
  if (search.nextEnd >= 0 && search.nextEnd < at) search.nextEnd = search.text.indexOf(`\n${END}`, at);
  return search.nextEnd;
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
function lineAt(text: string, start: number): { readonly line: string; readonly next: number } {
  const feed = text.indexOf('\n', start);
  let end = feed < 0 ? text.length : feed;
  if (end > start && text[end - 1] === '\r') end -= 1;
  while (end > start && (text[end - 1] === ' ' || text[end - 1] === '\t')) end -= 1;
  return { line: text.slice(start, end), next: feed < 0 ? text.length : feed + 1 };
}
