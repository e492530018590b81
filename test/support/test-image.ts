/** A small image in memory, and ways to put it somewhere and to read it back. */
import { createHash, randomBytes } from 'node:crypto';
import type { Descriptor } from '../../src/formats/oci/descriptor.ts';
import { digestOf, type Digest } from '../../src/formats/oci/digest.ts';
import { MEDIA_TYPES } from '../../src/formats/oci/media-types.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import type { ImageDestination, ImageSource, ManifestBlob } from '../../src/stores/image.ts';
import { openDestination, openSource, type TransportOptions } from '../../src/stores/open.ts';

export interface TestImage {
  readonly manifest: ManifestBlob;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly blobs: ReadonlyMap<Digest, Uint8Array>;
}

/** Layers are given as bytes; they need not be tars where nobody unpacks them. */
export function makeImage(
  layers: readonly Uint8Array[] = [randomBytes(3000)],
  architecture = 'amd64',
  diffIds: readonly string[] = layers.map((bytes) => digestOf(bytes)),
): TestImage {
  const blobs = new Map<Digest, Uint8Array>();
  const add = (bytes: Uint8Array, mediaType: string): Descriptor => {
    const digest = digestOf(bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const descriptors = layers.map((bytes) => add(bytes, MEDIA_TYPES.ociLayer));
  const config = add(
    json({
      architecture,
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: diffIds },
    }),
    MEDIA_TYPES.ociConfig,
  );
  const manifest = json({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config,
    layers: descriptors,
  });
  return { manifest: manifestBlob(manifest, MEDIA_TYPES.ociManifest), config, layers: descriptors, blobs };
}

/** An index over images, one for each of the architectures they were made with. */
export function makeIndex(images: Readonly<Record<string, TestImage>>): ManifestBlob {
  const manifests = Object.entries(images).map(([architecture, { manifest }]) => ({
    mediaType: manifest.mediaType,
    digest: manifest.digest,
    size: manifest.bytes.length,
    platform: { os: 'linux', architecture },
  }));
  return manifestBlob(
    json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests }),
    MEDIA_TYPES.ociIndex,
  );
}

export function manifestBlob(bytes: Uint8Array, mediaType: string): ManifestBlob {
  return { bytes, digest: digestOf(bytes), mediaType };
}

export function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

/** Writes the blobs and the manifest, and commits. */
export async function putImage(
  name: string,
  image: TestImage,
  options: TransportOptions = {},
): Promise<void> {
  const destination = await openDestination(parseImageName(name), options);
  try {
    await putBlobs(destination, image);
    await destination.putTopManifest(image.manifest);
    await destination.commit();
  } finally {
    await destination.abort();
  }
}

export async function putBlobs(destination: ImageDestination, image: TestImage): Promise<void> {
  for (const blob of [image.config, ...image.layers]) await destination.putBlob(blob, streamOf(image, blob));
}

/** A blob in pieces, as a store would give it. */
export async function* streamOf(
  image: TestImage,
  blob: Descriptor,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* pieces(image.blobs.get(blob.digest) ?? new Uint8Array());
}

export async function* pieces(bytes: Uint8Array, size = 65_536): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

/** Reads everything that the name means; the sizes and digests are checked by the store. */
export async function readImage(name: string, options: TransportOptions = {}): Promise<Digest> {
  const source = await openSource(parseImageName(name), options);
  try {
    const top = await source.topManifest();
    const { config, layers } = JSON.parse(Buffer.from(top.bytes).toString()) as {
      config: Descriptor;
      layers: Descriptor[];
    };
    for (const blob of [config, ...layers]) await readBlob(source, blob);
    return top.digest;
  } finally {
    await source.close();
  }
}

/** SHA-256 of the bytes as they came, in hex. */
export async function readBlob(source: ImageSource, blob: Descriptor): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of source.blob(blob)) hash.update(part);
  return hash.digest('hex');
}
