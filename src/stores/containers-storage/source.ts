/**
 * Reading an image of podman's store: manifest, configuration and signatures as they came, and layers put together
 * again from their files (tar-split). A layer that came compressed is there only decoded: its own bytes are gone.
 */
import { BootsealError, isBootsealError, withDetails } from '../../errors.ts';
import type { StoredImage, StoredLayer } from '../../formats/containers-storage/reader.ts';
import { parseStorageReference, storageScopes } from '../../formats/containers-storage/reference.ts';
import { gunzip } from '../../formats/gzip/reader.ts';
import { MAX_CONFIG_SIZE } from '../../formats/oci/config.ts';
import type { Descriptor } from '../../formats/oci/descriptor.ts';
import { digestOf, digestParts, type Digest } from '../../formats/oci/digest.ts';
import { MAX_MANIFEST_SIZE, parseManifest } from '../../formats/oci/manifest.ts';
import type { DockerReference } from '../../formats/reference/docker-reference.ts';
import type { ImageName } from '../../formats/reference/image-name.ts';
import { readTarSplit } from '../../formats/tarsplit/reader.ts';
import { checkedBlob, checkedForReader, digestMismatch, sizeMismatch } from '../checked-blob.ts';
import { cannotRead } from '../file-errors.ts';
import type { ImageSource, ManifestBlob, PlainLayer, ReadOptions } from '../image.ts';
import { openRegular, readRange } from '../oci-layout/files.ts';
import { findImage, openStore, resolveWithin, type Store } from './store.ts';

type StorageName = Extract<ImageName, { readonly transport: 'containers-storage' }>;

/** All signatures of a manifest lie in one file; as much as 128 of the largest that are read. */
const MAX_SIGNATURES_SIZE = 64 * 1024 * 1024;

/** Throws `containers-storage/…`, `store/…`. */
export async function openStorageSource(name: StorageName, env?: NodeJS.ProcessEnv): Promise<ImageSource> {
  const reference = parseStorageReference(name.reference);
  const store = await openStore(reference, env);
  try {
    const { image, byId } = findImage(store, reference);
    const named = byId && reference.id === undefined ? undefined : reference.named;
    const top = await topManifest(store, image, named?.digest);
    const manifest = async (digest: Digest): Promise<ManifestBlob> => {
      if (digest === top.digest) return top;
      const found = await readManifest(store, image, `manifest-${digest}`, digest);
      if (found !== undefined) return found;
      throw missing(store, `manifest ${digest}`);
    };
    let chain: Promise<readonly StoredLayer[]> | undefined;
    const layerOf = async (diffId: Digest): Promise<StoredLayer | undefined> => {
      const layers = await (chain ??= layersOf(store, image));
      return layers.find((layer) => layer.diffDigest === diffId);
    };
    return {
      name: {
        ...name,
        ...(named && { named }),
        scopes: storageScopes(store.driver, store.root, named, image.id),
      },
      topManifest: () => Promise.resolve(top),
      manifest,
      blob: (descriptor, options = {}) => readBlob(store, image, descriptor, layerOf, options),
      async plainLayer(diffId) {
        const layer = await layerOf(diffId);
        if (layer === undefined) throw missing(store, `layer ${diffId}`);
        return plainLayer(store, layer, diffId);
      },
      storedSignatures: (digest) => readSignatures(store, image, digest, top.digest),
      close: () => Promise.resolve(),
    };
  } catch (error) {
    throw isBootsealError(error) ? withDetails(error, { where: store.root }) : error;
  }
}

/**
 * The name with the scopes that policies have for it, also of an image that is not there (yet): then those without an
 * image ID. Throws `containers-storage/no-store`, and `containers-storage/no-such-image` where an ID is all that is given.
 */
export async function locateStorageName(name: StorageName, env?: NodeJS.ProcessEnv): Promise<StorageName> {
  const reference = parseStorageReference(name.reference);
  const store = await openStore(reference, env);
  const place = (named: DockerReference | undefined, id: string | undefined): StorageName => ({
    ...name,
    ...(named && { named }),
    scopes: storageScopes(store.driver, store.root, named, id),
  });
  try {
    const { image, byId } = findImage(store, reference);
    return place(byId && reference.id === undefined ? undefined : reference.named, image.id);
  } catch (error) {
    if (!isBootsealError(error) || error.code !== 'containers-storage/no-such-image') throw error;
    if (reference.named === undefined || reference.id !== undefined) throw error;
    return place(reference.named, undefined);
  }
}

/** By the digest of the name where that manifest is kept, else the image's own. */
async function topManifest(
  store: Store,
  image: StoredImage,
  digest: Digest | undefined,
): Promise<ManifestBlob> {
  const asked = digest && (await readManifest(store, image, `manifest-${digest}`, digest));
  const found = asked ?? (await readManifest(store, image, 'manifest', undefined));
  if (found === undefined) throw missing(store, 'manifest');
  if (digest !== undefined && found.digest !== digest) throw digestMismatch(digest, found.digest);
  return found;
}

async function readManifest(
  store: Store,
  image: StoredImage,
  key: string,
  expected: Digest | undefined,
): Promise<ManifestBlob | undefined> {
  const bytes = await store.bigData(image, key, MAX_MANIFEST_SIZE);
  if (bytes === undefined) return undefined;
  const digest = digestOf(bytes, expected && digestParts(expected).algorithm);
  if (expected !== undefined && digest !== expected) throw digestMismatch(expected, digest);
  return { bytes, digest, mediaType: parseManifest(bytes).mediaType };
}

/** The image's layers, top first. */
async function layersOf(store: Store, image: StoredImage): Promise<StoredLayer[]> {
  const all = new Map((await store.layers()).map((layer) => [layer.id, layer]));
  const chain: StoredLayer[] = [];
  for (let id = image.layer; id !== undefined;) {
    const layer = all.get(id);
    // A circle would end here too: no image has more layers than the store.
    if (layer === undefined || chain.length > all.size) throw missing(store, `layer ${id}`);
    chain.push(layer);
    id = layer.parent;
  }
  return chain;
}

async function* readBlob(
  store: Store,
  image: StoredImage,
  descriptor: Descriptor,
  layerOf: (diffId: Digest) => Promise<StoredLayer | undefined>,
  options: ReadOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const data = await store.bigData(image, descriptor.digest, MAX_CONFIG_SIZE);
  if (data !== undefined) {
    yield* checkedBlob(descriptor, [data]);
    return;
  }
  const layer = await layerOf(descriptor.digest);
  if (layer === undefined) {
    throw new BootsealError(
      'containers-storage/only-decoded',
      'Copying this image would require changing layer representation, which we cannot do: "Instructed to preserve digests"',
      {
        hint: 'podman keeps layers only unpacked: copy the image from where it came from',
        where: store.root,
      },
    );
  }
  const plain = plainLayer(store, layer, descriptor.digest);
  if (plain.size !== descriptor.size) throw sizeMismatch(descriptor, String(plain.size));
  yield* plain.open(options);
}

function plainLayer(store: Store, layer: StoredLayer, diffId: Digest): PlainLayer {
  const { diffSize: size } = layer;
  return {
    size,
    open: (options = {}) =>
      checkedForReader({ digest: diffId, size }, assemble(store, layer, options), options),
  };
}

/** The tar of a layer: segments as they are, files from where the driver keeps them. */
async function* assemble(
  store: Store,
  layer: StoredLayer,
  options: ReadOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const path = store.tarSplit(layer);
  const file = await openRegular(path);
  if (file === undefined) throw cannotRead(path, 'no such file');
  const root = store.contents(layer);
  const { size } = await file.stat();
  for await (const entry of readTarSplit(gunzip(readRange(file, 0, size, options.signal, true)))) {
    if (entry.kind === 'segment') {
      yield entry.bytes;
      continue;
    }
    const inner = await resolveWithin(root, Buffer.from(entry.name, 'latin1').toString('utf8'));
    const contents = await openRegular(inner);
    if (contents === undefined) throw cannotRead(inner, 'no such file');
    yield* readRange(contents, 0, entry.size, options.signal, true, options.reuseChunks);
  }
}

/** One file holds them all, one after the other; their lengths are in the image's entry. */
async function readSignatures(
  store: Store,
  image: StoredImage,
  digest: Digest,
  own: Digest,
): Promise<Uint8Array[]> {
  const isOwn = digest === own;
  const perDigest = image.signatureSizes.get(digest);
  const sizes = perDigest ?? (isOwn ? image.signatureSizes.get('') : undefined) ?? [];
  if (sizes.length === 0) return [];
  const key = perDigest === undefined ? 'signatures' : `signature-${digestParts(digest).hex}`;
  const bytes = (await store.bigData(image, key, MAX_SIGNATURES_SIZE)) ?? new Uint8Array();
  const total = sizes.reduce((sum, length) => sum + length, 0);
  if (total !== bytes.length) {
    const why =
      total > bytes.length
        ? `expected at least ${total} bytes, only found ${bytes.length}`
        : `contained ${bytes.length - total} extra bytes`;
    throw new BootsealError(
      'containers-storage/malformed',
      `looking up signatures data for image ${image.id}: ${why}`,
      {
        hint: 'the store is damaged; pull the image again',
        where: store.root,
      },
    );
  }
  let at = 0;
  return sizes.map((length) => bytes.subarray(at, (at += length)));
}

function missing(store: Store, what: string): BootsealError {
  return new BootsealError('store/blob-missing', `${what} is not in the store`, {
    hint: 'the store is damaged, or the image was removed meanwhile; pull it again',
    where: store.root,
  });
}
