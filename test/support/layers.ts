/** Layers made in memory, entry by entry, and the tree that they give. */
import { gzipSync } from 'node:zlib';
import { concatBytes, encodeUtf8 } from '../../src/bytes/bytes.ts';
import { treeFromLayers, type FromLayersOptions, type LayerInput } from '../../src/composefs/from-layers.ts';
import type { Tree } from '../../src/composefs/tree.ts';
import { inlineHashPool } from '../../src/formats/fsverity/inline-hash-pool.ts';
import { digestOf, type Digest } from '../../src/formats/oci/digest.ts';
import { MEDIA_TYPES } from '../../src/formats/oci/media-types.ts';
import type { TarEntry } from '../../src/formats/tar/format.ts';
import { encodeTarHeader, TAR_END, tarPadding } from '../../src/formats/tar/writer.ts';
import { checkedBlob } from '../../src/stores/checked-blob.ts';
import { zstdDecoder } from '../../src/stores/zstd/decoder.ts';
import { BOTH } from './oci-vectors.ts';

export type EntryOptions = Partial<Omit<TarEntry, 'path' | 'type'>>;

const PLAIN = { mode: 0o644, uid: 0, gid: 0, mtime: { seconds: 1_700_000_000n, nanos: 0 } };

export function entry(path: string, type: TarEntry['type'], options: EntryOptions = {}): Uint8Array {
  return encodeTarHeader({ path, type, ...PLAIN, ...(type === 'directory' && { mode: 0o755 }), ...options });
}

export function file(path: string, content: Uint8Array | string, options: EntryOptions = {}): Uint8Array {
  const bytes = typeof content === 'string' ? encodeUtf8(content) : content;
  return concatBytes([
    entry(path, 'file', { ...options, size: bytes.length }),
    bytes,
    tarPadding(bytes.length),
  ]);
}

export function directory(path: string, options: EntryOptions = {}): Uint8Array {
  return entry(path, 'directory', options);
}

/** The folders of the smallest image that both transforms take. */
export const SKELETON: readonly Uint8Array[] = ['usr', 'boot', 'sysroot', 'etc'].map((path) =>
  directory(path),
);

export function archive(...parts: readonly Uint8Array[]): Uint8Array {
  return concatBytes([...parts, TAR_END]);
}

export interface LayerOptions {
  readonly mediaType?: string;
  /** What the image claims; by default the truth. */
  readonly diffId?: Digest;
  /** The blob, where it is not the plain or gzipped archive. */
  readonly blob?: Uint8Array;
}

/** A layer as a store gives it: in chunks, and checked. */
export function layer(plain: Uint8Array, options: LayerOptions = {}): LayerInput {
  const mediaType = options.mediaType ?? MEDIA_TYPES.ociLayer;
  const blob = options.blob ?? (mediaType.includes('gzip') ? gzipSync(plain) : plain);
  const descriptor = { digest: digestOf(blob), size: blob.length };
  return {
    mediaType,
    ...descriptor,
    diffId: options.diffId ?? digestOf(plain),
    open: () => checkedBlob(descriptor, inChunks(blob, 65_536)),
  };
}

export function* inChunks(bytes: Uint8Array, size: number): Generator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export function treeOf(
  layers: readonly LayerInput[],
  options: Partial<FromLayersOptions> = {},
): Promise<Tree> {
  const ports = { hashPool: inlineHashPool(BOTH), zstd: zstdDecoder() };
  return treeFromLayers(layers, { algorithms: BOTH, ports, ...options });
}

/** The tree of one uncompressed layer on top of {@link SKELETON}. */
export function treeOfParts(...parts: readonly Uint8Array[]): Promise<Tree> {
  return treeOf([layer(archive(...SKELETON, ...parts))]);
}
