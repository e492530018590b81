/** Reads split streams, those of bootc up to 1.15 too. Nothing in one is believed before it was checked. */
import { concatBytes, decodeLatin1, decodeUtf8, equalBytes } from '../../bytes/bytes.ts';
import { Cursor } from '../../bytes/cursor.ts';
import { encodeHex } from '../../bytes/hex.ts';
import { BootsealError } from '../../errors.ts';
import { VERITY_DIGEST_SIZE, VERITY_HASH_ID, type VerityAlgorithm } from '../fsverity/format.ts';
import type { ZstdDecoder } from '../zstd/ports.ts';
import { unzstd } from '../zstd/reader.ts';
import {
  HEADER,
  HEADER_SIZE,
  INFO,
  INFO_SIZE,
  LOG_BLOCK,
  OLD_HEADER,
  SPLITSTREAM_MAGIC,
  SPLITSTREAM_VERSION,
  type SplitChunk,
  type SplitStream,
} from './format.ts';

/** Bytes of a stream object. The headers of a million files are about half of it. */
export const MAX_SPLITSTREAM_SIZE: number = 1024 ** 3;
/** Bytes that the names may decode to: an image has at most a few hundred layers. */
const MAX_NAMES_SIZE = 1024 * 1024;

interface Sections {
  readonly algorithm: VerityAlgorithm;
  readonly contentType: string;
  readonly contentSize: number;
  readonly streamRefs: readonly string[];
  readonly objectRefs: readonly string[];
  readonly stream: Uint8Array;
  readonly namedRefs: Uint8Array;
}

/** Throws `splitstream/malformed`, `splitstream/too-large`, `zstd/…`. The objects are not looked at. */
export async function readSplitStream(bytes: Uint8Array, zstd: ZstdDecoder): Promise<SplitStream> {
  const { stream, namedRefs, streamRefs, ...sections } = parseSections(bytes);
  const names = await decode(namedRefs, zstd, MAX_NAMES_SIZE);
  const chunks = parseChunks(await decode(stream, zstd, MAX_SPLITSTREAM_SIZE), sections.objectRefs);
  return { ...sections, namedRefs: parseNames(names, streamRefs), chunks };
}

/** What needs no decoding. Pure and synchronous, for the fuzzer too. */
export function parseSections(bytes: Uint8Array): Sections {
  if (bytes.length > MAX_SPLITSTREAM_SIZE) throw tooLarge(bytes.length);
  if (bytes.length < HEADER_SIZE) throw malformed('shorter than its header', bytes.length);
  // 1. Header, new or old: only the place of the magic tells them apart.
  const field = [HEADER, OLD_HEADER].find(({ magic }) =>
    equalBytes(bytes.subarray(magic, magic + SPLITSTREAM_MAGIC.length), SPLITSTREAM_MAGIC),
  );
  if (field === undefined) throw malformed('no split stream: the magic is missing', 0);
  const version = bytes[field.version];
  if (version !== SPLITSTREAM_VERSION) throw malformed(`version ${version} is not known`, field.version);
  const algorithm = algorithmOf(bytes[field.algorithm]);
  if (algorithm === undefined) {
    throw malformed(`hash algorithm ${bytes[field.algorithm]} is not known`, field.algorithm);
  }
  if (bytes[field.logBlock] !== LOG_BLOCK) throw malformed('blocks are not of 4096 bytes', field.logBlock);
  const info = range(bytes, bytes, field.info);
  if (info.length < INFO_SIZE) throw malformed('the info section is too short', field.info);
  // 2. Sections. Flags are ignored, as composefs-rs does.
  const size = VERITY_DIGEST_SIZE[algorithm];
  const contentSize = u64(info, INFO.contentSize);
  return {
    algorithm,
    contentType: decodeLatin1(info.subarray(INFO.contentType, INFO.contentType + 8)),
    contentSize,
    streamRefs: digests(range(bytes, info, INFO.streamRefs), size),
    objectRefs: digests(range(bytes, info, INFO.objectRefs), size),
    stream: range(bytes, info, INFO.stream),
    namedRefs: range(bytes, info, INFO.namedRefs),
  };
}

/** Each an i64: at least 0 is the number of an object, below that as many bytes follow. */
export function parseChunks(bytes: Uint8Array, objects: readonly string[]): SplitChunk[] {
  const chunks: SplitChunk[] = [];
  const cursor = new Cursor(bytes, 'splitstream/malformed');
  while (cursor.remaining > 0) {
    const offset = cursor.offset;
    const value = BigInt.asIntN(64, cursor.u64());
    if (value < 0n) {
      if (-value > BigInt(cursor.remaining)) throw malformed('a chunk ends behind the stream', offset);
      chunks.push({ kind: 'inline', bytes: cursor.take(Number(-value)) });
      continue;
    }
    const digest = value < BigInt(objects.length) ? objects[Number(value)] : undefined;
    if (digest === undefined) throw malformed(`there is no object ${value}`, offset);
    chunks.push({ kind: 'object', digest });
  }
  return chunks;
}

/** `NUMBER:NAME` and a NUL, for each. */
export function parseNames(bytes: Uint8Array, streams: readonly string[]): Map<string, string> {
  const text = decodeUtf8(bytes);
  if (text === undefined) throw malformed('the names are not UTF-8');
  const names = new Map<string, string>();
  if (text === '') return names;
  if (!text.endsWith('\0')) throw malformed('the last name is cut off');
  for (const line of text.slice(0, -1).split('\0')) {
    const match = /^(0|[1-9][0-9]{0,9}):(.+)$/s.exec(line);
    const digest = match === null ? undefined : streams[Number(match[1])];
    if (match === null || digest === undefined) throw malformed('a named reference leads nowhere');
    if (names.has(match[2])) throw malformed('two references have one name');
    names.set(match[2], digest);
  }
  return names;
}

function algorithmOf(id: number | undefined): VerityAlgorithm | undefined {
  if (id === VERITY_HASH_ID.sha256) return 'sha256';
  return id === VERITY_HASH_ID.sha512 ? 'sha512' : undefined;
}

/** The bytes of `file` that the range at `offset` of `table` names. */
function range(file: Uint8Array, table: Uint8Array, offset: number): Uint8Array {
  const start = u64(table, offset);
  const end = u64(table, offset + 8);
  if (start > end || end > file.length)
    throw malformed(`section ${start}–${end} is not within the file`, offset);
  return file.subarray(start, end);
}

function u64(bytes: Uint8Array, offset: number): number {
  const value = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(offset, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed(`${value} is no length`, offset);
  return Number(value);
}

function digests(bytes: Uint8Array, size: number): string[] {
  if (bytes.length % size !== 0) throw malformed('a list of digests is cut off');
  const list: string[] = [];
  for (let at = 0; at < bytes.length; at += size) list.push(encodeHex(bytes.subarray(at, at + size)));
  return list;
}

async function decode(bytes: Uint8Array, zstd: ZstdDecoder, limit: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of unzstd(once(bytes), zstd)) {
    length += part.length;
    if (length > limit) throw tooLarge(length);
    // The decoder may use its buffer again.
    parts.push(new Uint8Array(part));
  }
  return concatBytes(parts);
}

// The decoder takes an asynchronous iterable; the bytes are in memory already.
// oxlint-disable-next-line require-await
async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

function malformed(message: string, offset?: number): BootsealError {
  return new BootsealError('splitstream/malformed', message, {
    exit: 1,
    ...(offset !== undefined && { offset }),
  });
}

function tooLarge(size: number): BootsealError {
  return new BootsealError(
    'splitstream/too-large',
    `a split stream of ${size} bytes exceeds ${MAX_SPLITSTREAM_SIZE}`,
  );
}
