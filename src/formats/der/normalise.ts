/**
 * BER with lengths longer than needed, as DER: what OpenSSL reads without complaint. For verdicts of other verifiers
 * only. Indefinite lengths stay refused.
 */
import { concatBytes } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import { encodeElement } from './writer.ts';

const MAX_DEPTH = 32;

/** The element at the start of `bytes`, each length of it the shortest; whatever follows is left out. */
export function normaliseLengths(bytes: Uint8Array, depth = 0): Uint8Array {
  return normaliseAt(bytes, 0, depth).element;
}

function normaliseAt(bytes: Uint8Array, start: number, depth: number): { element: Uint8Array; end: number } {
  const { tag, from, to } = readHeader(bytes, start);
  const contents = bytes.subarray(from, to);
  if ((tag & 0x20) === 0) return { element: encodeElement(tag, contents), end: to };
  if (depth >= MAX_DEPTH)
    throw new BootsealError('der/too-deep', `nested deeper than ${MAX_DEPTH}`, { offset: start });
  const children: Uint8Array[] = [];
  for (let at = 0; at < contents.length;) {
    const child = normaliseAt(contents, at, depth + 1);
    children.push(child.element);
    at = child.end;
  }
  return { element: encodeElement(tag, concatBytes(children)), end: to };
}

function readHeader(bytes: Uint8Array, start: number): { tag: number; from: number; to: number } {
  const tag = bytes[start];
  const first = bytes[start + 1];
  if (tag === undefined || first === undefined) throw truncated(start);
  if (first < 0x80) return checked(bytes, tag, start + 2, first);
  const octets = bytes.subarray(start + 2, start + 2 + (first & 0x7f));
  if (octets.length === 0 || octets.length < (first & 0x7f)) throw truncated(start);
  const length = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  return checked(bytes, tag, start + 2 + octets.length, length);
}

function checked(
  bytes: Uint8Array,
  tag: number,
  from: number,
  length: number,
): ReturnType<typeof readHeader> {
  if (length > bytes.length - from) throw truncated(from);
  return { tag, from, to: from + length };
}

function truncated(offset: number): BootsealError {
  return new BootsealError('der/truncated', 'an element is cut off, or its length is indefinite', { offset });
}
