/** Split streams as composefs-rs reads them. The compressed parts are stored: see formats/zstd/stored.ts. */
import { concatBytes, encodeUtf8 } from '../../bytes/bytes.ts';
import { decodeHex } from '../../bytes/hex.ts';
import { VERITY_HASH_ID, type VerityAlgorithm } from '../fsverity/format.ts';
import { zstdStored } from '../zstd/stored.ts';
import {
  HEADER,
  HEADER_SIZE,
  INFO,
  INFO_SIZE,
  LOG_BLOCK,
  SPLITSTREAM_MAGIC,
  SPLITSTREAM_VERSION,
  type SplitChunk,
} from './format.ts';

export interface SplitStreamParts {
  readonly algorithm: VerityAlgorithm;
  readonly contentType: string;
  readonly contentSize: number;
  readonly namedRefs: ReadonlyMap<string, string>;
  readonly chunks: readonly SplitChunk[];
}

export function encodeSplitStream(stream: SplitStreamParts): Uint8Array {
  // 1. References, each digest once, numbered in order of appearance; names in byte order.
  const streams = numbering();
  const names = [...stream.namedRefs].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const named = names.map(([name, digest]) => encodeUtf8(`${streams.of(digest)}:${name}\0`));
  const objects = numbering();
  const chunks = stream.chunks.flatMap((chunk) =>
    chunk.kind === 'inline'
      ? chunk.bytes.length === 0
        ? []
        : [i64(-chunk.bytes.length), chunk.bytes]
      : [i64(objects.of(chunk.digest))],
  );
  // 2. The sections, in the order of the file.
  const streamRefs = concatBytes(streams.digests().map(decodeHex));
  const objectRefs = concatBytes(objects.digests().map(decodeHex));
  const namedRefs = concatBytes([...zstdStored(named)]);
  const body = concatBytes([...zstdStored(chunks)]);

  const info = new DataView(new ArrayBuffer(INFO_SIZE));
  let end = HEADER_SIZE + INFO_SIZE;
  for (const [field, section] of [
    [INFO.streamRefs, streamRefs],
    [INFO.objectRefs, objectRefs],
    [INFO.namedRefs, namedRefs],
    [INFO.stream, body],
  ] as const) {
    info.setBigUint64(field, BigInt(end), true);
    end += section.length;
    info.setBigUint64(field + 8, BigInt(end), true);
  }
  new Uint8Array(info.buffer).set(encodeUtf8(stream.contentType), INFO.contentType);
  info.setBigUint64(INFO.contentSize, BigInt(stream.contentSize), true);
  return concatBytes([
    encodeHeader(stream.algorithm),
    new Uint8Array(info.buffer),
    streamRefs,
    objectRefs,
    namedRefs,
    body,
  ]);
}

function encodeHeader(algorithm: VerityAlgorithm): Uint8Array {
  const header = new DataView(new ArrayBuffer(HEADER_SIZE));
  const bytes = new Uint8Array(header.buffer);
  bytes.set(SPLITSTREAM_MAGIC, HEADER.magic);
  header.setUint8(HEADER.version, SPLITSTREAM_VERSION);
  header.setUint8(HEADER.algorithm, VERITY_HASH_ID[algorithm]);
  header.setUint8(HEADER.logBlock, LOG_BLOCK);
  header.setBigUint64(HEADER.info, BigInt(HEADER_SIZE), true);
  header.setBigUint64(HEADER.info + 8, BigInt(HEADER_SIZE + INFO_SIZE), true);
  return bytes;
}

function numbering(): { of(digest: string): number; digests(): string[] } {
  const numbers = new Map<string, number>();
  return {
    of(digest) {
      const number = numbers.get(digest) ?? numbers.size;
      numbers.set(digest, number);
      return number;
    },
    digests: () => [...numbers.keys()],
  };
}

function i64(value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigInt64(0, BigInt(value), true);
  return new Uint8Array(view.buffer);
}
