/**
 * tar-split: what is left of a tar once its files have been taken out, so that the very same tar can be put together
 * again. JSON objects, one a line: segments (type 2) hold bytes of headers and padding, files (type 1) stand for the
 * contents of a path. As github.com/vbatts/tar-split `tar/storage` writes it.
 */
import { decodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';

export type TarSplitEntry =
  | { readonly kind: 'segment'; readonly bytes: Uint8Array }
  /** `size` bytes of the file; `name` is a byte a character, as the tar header has it. */
  | { readonly kind: 'file'; readonly name: string; readonly size: number };

/** Characters of a line: padding of 10 GiB in a segment is nobody's tar; real lines have some kilobytes. */
export const MAX_LINE: number = 64 * 1024 * 1024;

/**
 * Entries in order. `parts` is the decoded (gunzipped) stream in pieces of any size. Throws `tarsplit/malformed`, which
 * names the line.
 */
export async function* readTarSplit(
  parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<TarSplitEntry, void, undefined> {
  let position = 0;
  for await (const line of lines(parts)) {
    const entry = parseTarSplitEntry(line, position);
    position += 1;
    if (entry !== undefined) yield entry;
  }
}

async function* lines(
  parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let rest: Uint8Array[] = [];
  let length = 0;
  let number = 0;
  for await (const part of parts) {
    let from = 0;
    for (let end = part.indexOf(10); end >= 0; end = part.indexOf(10, from)) {
      rest.push(part.subarray(from, end));
      from = end + 1;
      const line = rest.length === 1 ? rest[0] : Buffer.concat(rest);
      rest = [];
      length = 0;
      number += 1;
      if (line.length > 0) yield line;
    }
    // The caller may use the memory again.
    rest.push(Uint8Array.from(part.subarray(from)));
    length += part.length - from;
    if (length > MAX_LINE) throw bad(number, `line is longer than ${MAX_LINE} bytes`);
  }
  const last = Buffer.concat(rest);
  if (last.length > 0) yield last;
}

/** One line, the `number`th from 0. Undefined for one that stands for no bytes. */
export function parseTarSplitEntry(line: Uint8Array, number: number): TarSplitEntry | undefined {
  const text = decodeUtf8(line);
  let value: unknown;
  try {
    value = JSON.parse(text ?? '');
  } catch {
    throw bad(number, 'not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad(number, 'not an object');
  const {
    type,
    name,
    name_raw: rawName,
    size,
    payload,
    position,
  } = value as Readonly<Record<string, unknown>>;
  // The writer counts the lines: a gap means that some are gone.
  if (position !== number) throw bad(number, `position is ${JSON.stringify(position)?.slice(0, 40)}`);
  if (type === 2) {
    if (payload === null) return undefined;
    return { kind: 'segment', bytes: fromBase64(payload, number) };
  }
  if (type !== 1) throw bad(number, `unknown type ${JSON.stringify(type)?.slice(0, 40)}`);
  const length = size ?? 0;
  if (typeof length !== 'number' || !Number.isSafeInteger(length) || length < 0) {
    throw bad(number, 'size is not a count of bytes');
  }
  if (length === 0) return undefined;
  const path =
    rawName !== undefined && rawName !== null
      ? Buffer.from(fromBase64(rawName, number)).toString('latin1')
      : typeof name === 'string'
        ? Buffer.from(name, 'utf8').toString('latin1')
        : '';
  if (path === '') throw bad(number, 'file without a name');
  return { kind: 'file', name: path, size: length };
}

function fromBase64(value: unknown, number: number): Uint8Array {
  const isText = typeof value === 'string' && value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value);
  if (!isText) throw bad(number, 'payload is not base64');
  return Buffer.from(value, 'base64');
}

function bad(number: number, why: string): BootsealError {
  return new BootsealError('tarsplit/malformed', `tar-split line ${number + 1}: ${why}`, {
    hint: 'the store is damaged; pull the image again',
  });
}
