/**
 * Layout of a composefs-rs split stream: a file (a tar archive, a manifest, …) kept as its small parts, with the
 * large ones named by the fs-verity digest of an object. Integers are little-endian.
 *
 * header, info, digests of streams referred to, digests of objects, named references (zstd), chunks (zstd).
 */
import type { VerityAlgorithm } from '../fsverity/format.ts';

/** `SplitStream`, without a NUL. */
export const SPLITSTREAM_MAGIC: Uint8Array = Uint8Array.from('SplitStream', (letter) => letter.charCodeAt(0));
export const SPLITSTREAM_VERSION = 0;
/** log2 of the fs-verity block. */
export const LOG_BLOCK = 12;

export const HEADER_SIZE = 32;
/** Offsets within the header as written since bootc 1.16. `info`: two u64, start and end. */
export const HEADER = { magic: 0, version: 11, flags: 12, algorithm: 14, logBlock: 15, info: 16 } as const;
/** The same fields as bootc up to 1.15 wrote them, in the order that its compiler chose. */
export const OLD_HEADER = {
  info: 0,
  flags: 16,
  magic: 18,
  version: 29,
  algorithm: 30,
  logBlock: 31,
} as const;

export const INFO_SIZE = 80;
/** Offsets within the info section. Each of the first four is a range: start and end, two u64 from the file's start. */
export const INFO = {
  streamRefs: 0,
  objectRefs: 16,
  stream: 32,
  namedRefs: 48,
  contentType: 64,
  contentSize: 72,
} as const;

/** What a stream holds: eight ASCII bytes. */
export const CONTENT_TYPES = {
  manifest: 'ocimanif',
  config: 'ociconfg',
  layer: 'ocilayer',
  blob: 'oci_blob',
} as const;

/** A piece of the content: bytes, or all of an object. Digests in hexadecimal. */
export type SplitChunk =
  | { readonly kind: 'inline'; readonly bytes: Uint8Array }
  | { readonly kind: 'object'; readonly digest: string };

export interface SplitStream {
  readonly algorithm: VerityAlgorithm;
  /** Eight ASCII bytes: see {@link CONTENT_TYPES}. */
  readonly contentType: string;
  /** Bytes of the whole content. */
  readonly contentSize: number;
  /** Other streams and images that this one keeps alive: name → digest of the object that holds it. */
  readonly namedRefs: ReadonlyMap<string, string>;
  /** Objects that the chunks name, each once. */
  readonly objectRefs: readonly string[];
  readonly chunks: readonly SplitChunk[];
}
