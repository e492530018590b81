/** Last step of sealing: the base image's blobs, the new layers, configuration and manifest, to the destination. */
import type { Parts } from '../bytes/rope.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import { extendImage, type ExtendedImage } from '../formats/oci/extend.ts';
import { MEDIA_TYPES } from '../formats/oci/media-types.ts';
import type { ImageDestination, ImageSource, ManifestBlob } from '../stores/image.ts';
import type { SealBase } from './base.ts';
import type { NewLayer } from './layer.ts';

/** The documents of the image with the new layers, without writing anything. */
export function documentsOf(base: Pick<SealBase, 'image'>, layers: readonly NewLayer[]): ExtendedImage {
  const { manifest, config, instance } = base.image;
  return extendImage({
    manifest,
    config,
    baseDigest: instance.digest,
    added: layers.map(({ added }) => added),
  });
}

/** Nothing is visible under the destination's name until all of it is there; on failure nothing is left behind. */
export async function writeImage(
  source: ImageSource,
  destination: ImageDestination,
  base: Pick<SealBase, 'image'>,
  layers: readonly NewLayer[],
  signal?: AbortSignal,
): Promise<ManifestBlob> {
  const { manifest } = base.image;
  const image = documentsOf(base, layers);
  const options = signal === undefined ? {} : { signal };
  try {
    for (const layer of manifest.layers) {
      if (await destination.hasBlob(layer)) continue;
      if (await mount(source, destination, layer)) continue;
      await destination.putBlob(layer, source.blob(layer, options), options);
    }
    const made: [Descriptor, Parts][] = [
      ...layers.map(({ added: { digest, size }, blob }): [Descriptor, Parts] => [
        { mediaType: MEDIA_TYPES.ociLayerGzip, digest, size },
        blob,
      ]),
      [image.config.descriptor, [image.config.bytes]],
    ];
    for (const [descriptor, blob] of made) {
      if (!(await destination.hasBlob(descriptor)))
        await destination.putBlob(descriptor, stream(blob), options);
    }
    signal?.throwIfAborted();
    await destination.putTopManifest(image.manifest);
    await destination.commit();
    return image.manifest;
  } finally {
    // After a commit this takes nothing back; it lets go of what the destination holds.
    await destination.abort();
  }
}

async function mount(source: ImageSource, destination: ImageDestination, blob: Descriptor): Promise<boolean> {
  if (source.name.transport !== 'docker' || destination.name.transport !== 'docker') return false;
  if (source.name.reference.domain !== destination.name.reference.domain) return false;
  return (await destination.mountBlob?.(blob, source.name.reference.path)) ?? false;
}

// A port takes an asynchronous iterable; the pieces are in memory already.
// oxlint-disable-next-line require-await
async function* stream(parts: Parts): AsyncGenerator<Uint8Array, void, undefined> {
  yield* parts;
}
