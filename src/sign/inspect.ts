/** What an image is, from its manifest and configuration, without its layers. */
import { MAX_CONFIG_SIZE, parseConfig } from '../formats/oci/config.ts';
import type { Platform } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { parseManifest } from '../formats/oci/manifest.ts';
import { hostPlatform } from '../formats/oci/platform.ts';
import { BootsealError } from '../errors.ts';
import { readAll } from '../stores/checked-blob.ts';
import type { ImageSource, ManifestBlob } from '../stores/image.ts';
import { chooseInstances } from '../verify/instances.ts';

export interface InspectedLayer {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes, as stored. */
  readonly size: number;
}

export interface Inspection {
  /** What the name means: the image, or the index it was chosen from. */
  readonly digest: Digest;
  readonly mediaType: string;
  /** Where `digest` is that of an index: the image chosen, and all that it offers. */
  readonly instance?: Digest;
  readonly instances?: readonly { readonly digest: Digest; readonly platform?: Platform }[];
  readonly created?: string;
  readonly os: string;
  readonly architecture: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly layers: readonly InspectedLayer[];
  readonly manifest: ManifestBlob;
}

/** Throws `verify/no-instance`, `oci/…`, and what the store throws. */
export async function inspectImage(
  source: ImageSource,
  platform: Platform = hostPlatform(),
): Promise<Inspection> {
  const top = await source.topManifest();
  const parsed = parseManifest(top.bytes, top.mediaType);
  let image = top;
  let manifest = parsed;
  if (parsed.kind === 'index') {
    const [chosen] = chooseInstances(parsed, false, platform);
    image = await source.manifest(chosen.digest);
    manifest = parseManifest(image.bytes, image.mediaType);
  }
  if (manifest.kind === 'index')
    throw new BootsealError('oci/bad-manifest', 'an index within an index', {
      hint: 'an index of indexes is no image',
    });
  const config = parseConfig(
    await readAll(source.blob(manifest.config), MAX_CONFIG_SIZE, 'image configuration'),
  );
  return {
    digest: top.digest,
    mediaType: top.mediaType,
    ...(parsed.kind === 'index' && {
      instance: image.digest,
      instances: parsed.manifests.map(({ digest, platform: own }) => ({
        digest,
        ...(own && { platform: own }),
      })),
    }),
    ...(config.created !== undefined && { created: config.created }),
    os: config.os,
    architecture: config.architecture,
    labels: config.labels,
    layers: manifest.layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    manifest: image,
  };
}
