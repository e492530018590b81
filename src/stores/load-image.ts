/**
 * From an open store to one image: the instance for a platform, its configuration, and its layers ready to be
 * read. Each document is parsed only after its digest has been checked.
 */
import { BootsealError } from '../errors.ts';
import { MAX_CONFIG_SIZE, parseConfig, type ImageConfig } from '../formats/oci/config.ts';
import type { Descriptor, Platform } from '../formats/oci/descriptor.ts';
import { parseManifest, type ImageIndex, type ImageManifest } from '../formats/oci/manifest.ts';
import { MEDIA_TYPES } from '../formats/oci/media-types.ts';
import { chooseInstance, hostPlatform } from '../formats/oci/platform.ts';
import { ANNOTATIONS, ESTARGZ_ANNOTATION } from '../formats/zstd-chunked/format.ts';
import { readAll, sizeMismatch } from './checked-blob.ts';
import type { ImageSource, LayerInput, ManifestBlob } from './image.ts';

export interface LoadedImage {
  /** What the name means: an index, or the image itself. */
  readonly top: ManifestBlob;
  /** The image. The same as `top` unless that is an index. */
  readonly instance: ManifestBlob;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  readonly configBytes: Uint8Array;
  /** Bottom first. */
  readonly layers: readonly LayerInput[];
}

/**
 * Throws `image/no-instance`, `image/not-an-image`, `image/layer-count`, `image/two-tables`, `store/too-large`, and what the store and
 * the parsers throw. Layers are not read yet.
 */
export async function loadImage(
  source: ImageSource,
  platform: Platform = hostPlatform(),
): Promise<LoadedImage> {
  // 1. The manifest, through an index where there is one.
  const top = await source.topManifest();
  const parsed = parseManifest(top.bytes, top.mediaType);
  let instance = top;
  let manifest = parsed;
  if (parsed.kind === 'index') {
    const chosen = instanceFor(parsed, platform);
    instance = await source.manifest(chosen.digest);
    if (instance.bytes.length !== chosen.size) throw sizeMismatch(chosen, String(instance.bytes.length));
    manifest = parseManifest(instance.bytes, chosen.mediaType);
  }
  if (manifest.kind === 'index') throw notAnImage('an index within an index');

  // 2. The configuration, which names the decoded layers.
  const { config: descriptor } = manifest;
  if (descriptor.mediaType !== MEDIA_TYPES.ociConfig && descriptor.mediaType !== MEDIA_TYPES.dockerConfig) {
    throw notAnImage(`an artifact with a configuration of type ${JSON.stringify(descriptor.mediaType)}`);
  }
  const configBytes = await readAll(source.blob(descriptor), MAX_CONFIG_SIZE, 'image configuration');
  const config = parseConfig(configBytes);

  // 3. Each layer with its diffID: one more or less of either would pair them wrongly.
  if (config.diffIds.length !== manifest.layers.length) {
    throw new BootsealError(
      'image/layer-count',
      `the manifest has ${manifest.layers.length} layers, the configuration ${config.diffIds.length} diff_ids`,
      { exit: 1 },
    );
  }
  const layers: LayerInput[] = [];
  for (const [index, layer] of manifest.layers.entries()) {
    refuseTwoTables(layer, index);
    const diffId = config.diffIds[index];
    const plain = await source.plainLayer?.(diffId);
    layers.push({
      mediaType: plain ? MEDIA_TYPES.ociLayer : layer.mediaType,
      digest: plain ? diffId : layer.digest,
      diffId,
      size: plain ? plain.size : layer.size,
      ...(!plain && layer.annotations && { annotations: layer.annotations }),
      open(signal) {
        const options = { reuseChunks: true, ...(signal && { signal }) };
        return plain ? plain.open(options) : source.blob(layer, options);
      },
    });
  }
  return { top, instance, manifest, config, configBytes, layers };
}

function instanceFor(index: ImageIndex, wanted: Platform): Descriptor {
  const chosen = chooseInstance(index, wanted);
  if (chosen !== undefined) return chosen;
  const offered = index.manifests.map(({ platform }) =>
    platform ? `${platform.os}/${platform.architecture}` : 'none',
  );
  throw new BootsealError(
    'image/no-instance',
    `no image for ${wanted.os}/${wanted.architecture} in the index`,
    {
      hint: `it has ${[...new Set(offered)].slice(0, 20).join(', ') || 'no images at all'}`,
    },
  );
}

function notAnImage(what: string): BootsealError {
  return new BootsealError('image/not-an-image', `not a container image: ${what}`);
}

/** Where two formats for pulling parts of a layer name their tables of contents. */
const TABLES = [ANNOTATIONS.checksum, ESTARGZ_ANNOTATION];

/**
 * Hosts that pull parts of a layer believe its table of contents instead of the archive. With two of them, which files
 * they get depends on the host.
 */
function refuseTwoTables({ annotations, digest }: Descriptor, index: number): void {
  if (!TABLES.every((key) => annotations?.[key] !== undefined)) return;
  throw new BootsealError('image/two-tables', 'a layer names two tables of contents, of different formats', {
    exit: 1,
    where: `layer ${index + 1} (${digest})`,
    hint: 'push the image again with one of zstd:chunked and eStargz',
  });
}
