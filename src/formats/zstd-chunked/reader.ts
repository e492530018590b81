/** Where a zstd:chunked layer keeps its table of contents: annotations, and the footer that repeats them. */
import { decodeLatin1 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import {
  ANNOTATIONS,
  FOOTER_MAGIC,
  FOOTER_SIZE,
  FRAME_HEADER,
  FRAME_MAGIC,
  MAX_TABLE,
  TABLE_KIND,
} from './format.ts';

/** Part of a blob, in bytes. */
export interface Region {
  readonly offset: number;
  readonly length: number;
  readonly decodedLength: number;
}

export interface ChunkedLayer {
  /** Of the table as compressed. */
  readonly checksum: Digest;
  readonly table: Region;
  readonly tarSplit?: Region;
}

/**
 * What the annotations say, or undefined when there is no table. `blobSize` in bytes. Throws
 * `zstd-chunked/bad-annotation`: podman reads numbers as C's scanf does, so only one spelling of each is taken.
 */
export function parseChunkedAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  blobSize: number,
): ChunkedLayer | undefined {
  const checksum = annotations?.[ANNOTATIONS.checksum];
  if (annotations === undefined || checksum === undefined) return undefined;
  if (!isDigest(checksum)) throw bad(ANNOTATIONS.checksum, 'is no digest');
  const [kind, table] = region(annotations, ANNOTATIONS.position, 4, blobSize);
  if (kind !== TABLE_KIND) throw bad(ANNOTATIONS.position, `names a table of kind ${kind}`);
  if (Math.max(table.length, table.decodedLength) > MAX_TABLE) {
    throw bad(ANNOTATIONS.position, `names a table of over ${MAX_TABLE} bytes`);
  }
  if (annotations[ANNOTATIONS.tarSplitPosition] === undefined) return { checksum, table };
  const [, tarSplit] = region(annotations, ANNOTATIONS.tarSplitPosition, 3, blobSize);
  if (tarSplit.offset < table.offset + table.length && table.offset < tarSplit.offset + tarSplit.length) {
    throw bad(ANNOTATIONS.tarSplitPosition, 'overlaps the table of contents');
  }
  return { checksum, table, tarSplit };
}

function region(
  annotations: Readonly<Record<string, string>>,
  key: string,
  count: 3 | 4,
  blobSize: number,
): [kind: number | undefined, region: Region] {
  const text = annotations[key] ?? '';
  const fields = text.split(':');
  if (fields.length !== count || !fields.every((field) => /^(?:0|[1-9][0-9]{0,14})$/.test(field))) {
    throw bad(key, text === '' ? 'is missing' : `is not ${count} numbers`);
  }
  const [offset, length, decodedLength, kind] = fields.map(Number);
  if (offset < FRAME_HEADER || offset + length > blobSize) {
    throw bad(key, `lies outside of the layer, which has ${blobSize} bytes`);
  }
  return [kind, { offset, length, decodedLength }];
}

/** True for the eight bytes before `region`, when they begin a skippable frame that is just as long. */
export function isFrameHeader(bytes: Uint8Array, { length }: Region): boolean {
  if (bytes.length !== FRAME_HEADER) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER);
  return view.getUint32(0, true) === FRAME_MAGIC && view.getUint32(4, true) === length;
}

export interface ChunkedFooter {
  readonly table: Region;
  /** A table of another kind than the one there is gives another number than 1. */
  readonly kind: number;
  readonly tarSplit: Region;
}

/** `bytes` is the end of a blob. Undefined when there is no footer of this size, as in layers of 2021. */
export function parseChunkedFooter(bytes: Uint8Array): ChunkedFooter | undefined {
  if (bytes.length < FRAME_HEADER + FOOTER_SIZE) return undefined;
  const frame = bytes.subarray(bytes.length - FRAME_HEADER - FOOTER_SIZE);
  const isFooter = isFrameHeader(frame.subarray(0, FRAME_HEADER), {
    offset: 0,
    length: FOOTER_SIZE,
    decodedLength: 0,
  });
  if (!isFooter || decodeLatin1(frame.subarray(-FOOTER_MAGIC.length)) !== FOOTER_MAGIC) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset + FRAME_HEADER, FOOTER_SIZE);
  // Beyond 2^53 it is no position of anything; that it is rounded then does not matter.
  const number = (index: number): number => Number(view.getBigUint64(8 * index, true));
  const regionAt = (index: number): Region => ({
    offset: number(index),
    length: number(index + 1),
    decodedLength: number(index + 2),
  });
  return { table: regionAt(0), kind: number(3), tarSplit: regionAt(4) };
}

/** Throws `zstd-chunked/bad-footer` where the footer points elsewhere than the annotations. */
export function checkFooter(footer: ChunkedFooter, { table, tarSplit }: ChunkedLayer): void {
  const agrees =
    footer.kind === TABLE_KIND &&
    sameRegion(footer.table, table) &&
    (tarSplit === undefined || sameRegion(footer.tarSplit, tarSplit));
  if (agrees) return;
  throw new BootsealError(
    'zstd-chunked/bad-footer',
    'the footer and the annotations name different places for the table of contents or tar-split data',
  );
}

function sameRegion(left: Region, right: Region): boolean {
  return (
    left.offset === right.offset && left.length === right.length && left.decodedLength === right.decodedLength
  );
}

function bad(key: string, what: string): BootsealError {
  return new BootsealError('zstd-chunked/bad-annotation', `annotation ${key} ${what}`);
}
