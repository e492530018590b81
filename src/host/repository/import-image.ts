/**
 * An image into a composefs repository, as bootc and cfsctl keep it: layers as split streams, the composefs images of
 * its file tree, configuration and manifest that hold them together, and a name. The name comes last, so that an
 * import that ends early leaves nothing that anybody would use, and garbage collection takes it away.
 */
import { encodeHex } from '../../bytes/hex.ts';
import { DEFAULT_EPOCH, transformForEpoch, type Epoch } from '../../composefs/epochs.ts';
import { treeFromLayers } from '../../composefs/from-layers.ts';
import { writeImage, type ImageVersion } from '../../composefs/image.ts';
import type { Tree } from '../../composefs/tree.ts';
import { isBootsealError } from '../../errors.ts';
import { encodeTag, imageRefName, objectFile, streamName } from '../../formats/composefs-repo/names.ts';
import { verityDigest } from '../../formats/fsverity/digest.ts';
import { digestOf, type Digest } from '../../formats/oci/digest.ts';
import type { Platform } from '../../formats/oci/descriptor.ts';
import { CONTENT_TYPES } from '../../formats/splitstream/format.ts';
import { encodeSplitStream } from '../../formats/splitstream/writer.ts';
import type { ReadPorts } from '../../seal/base.ts';
import { withRepoLock } from '../../stores/composefs-repo/lock.ts';
import type { ComposefsRepo } from '../../stores/composefs-repo/repository.ts';
import { openStaging, type Staging } from '../../stores/composefs-repo/staging.ts';
import type { ImageSource, ManifestBlob } from '../../stores/image.ts';
import { loadImage } from '../../stores/load-image.ts';
import type { Step } from '../../steps.ts';
import { createLayerKeeper } from './layer-keeper.ts';

export interface ImportRequest {
  readonly repo: ComposefsRepo;
  /** The name in the repository. */
  readonly tag: string;
  readonly platform?: Platform;
}

export interface ImportPorts extends ReadPorts {
  readonly source: ImageSource;
  /** The policy. Throws (exit 1) when it refuses the image. */
  readonly admit?: (
    source: ImageSource,
    image: { readonly top: ManifestBlob; readonly instance: ManifestBlob },
  ) => Promise<Step>;
}

export interface ImportResult {
  readonly manifest: Digest;
  readonly config: Digest;
  /** fs-verity digests of the composefs images, in hexadecimal. `boot` where the image has what booting takes. */
  readonly image: string;
  readonly boot?: string;
  /** Why there is no image for booting. */
  readonly notBootable?: string;
  readonly layers: number;
  readonly objects: number;
  readonly bytes: number;
  readonly steps: readonly Step[];
}

/** Throws what reading the layers throws; the repository is then as it was, but for objects that nothing names. */
export async function importImage(request: ImportRequest, ports: ImportPorts): Promise<ImportResult> {
  const { repo } = request;
  const tag = encodeTag(request.tag);
  const image = await loadImage(ports.source, request.platform);
  const admitted = await ports.admit?.(ports.source, image);
  return withRepoLock(repo.path, 'shared', async () => {
    const staging = await openStaging(repo);
    const total = image.layers.reduce((sum, { size }) => sum + size, 0);
    const layerPorts = ports.openLayerPorts([repo.meta.algorithm], { expectedBytes: total });
    try {
      // 1. Layers: read once, checked, kept, and applied.
      const keeper = createLayerKeeper(repo, staging);
      const tree = await treeFromLayers(image.layers, {
        algorithms: [repo.meta.algorithm],
        ports: layerPorts,
        observer: keeper,
        ...(ports.onProgress && { onProgress: (done: number) => ports.onProgress?.(done, total) }),
        ...(ports.signal && { signal: ports.signal }),
      });
      // 2. Images of the tree.
      const images = await keepImages(repo, staging, tree);
      // 3. Configuration and manifest, which hold layers and images together.
      const layers = new Map<string, string>(keeper.streams);
      const configDigest = digestOf(image.configBytes);
      const config = await keepDocument(repo, staging, 'config', image.configBytes, configDigest, [
        ...layers,
        ...images.refs,
      ]);
      const manifest = digestOf(image.instance.bytes);
      await keepDocument(repo, staging, 'manifest', image.instance.bytes, manifest, [
        [`config:${configDigest}`, config],
        ...layers,
      ]);
      // 4. The name.
      await staging.link(`streams/refs/oci/${tag}`, `streams/${streamName('manifest', manifest)}`);
      const { refs: _refs, ...digests } = images;
      return {
        manifest,
        config: configDigest,
        ...digests,
        layers: image.layers.length,
        ...keeper.counts,
        steps: admitted === undefined ? [] : [admitted],
      };
    } finally {
      await layerPorts.close();
      await staging.close();
    }
  });
}

interface KeptImages {
  readonly refs: readonly (readonly [name: string, digest: string])[];
  readonly image: string;
  readonly boot?: string;
  readonly notBootable?: string;
}

async function keepImages(repo: ComposefsRepo, staging: Staging, tree: Tree): Promise<KeptImages> {
  const version: ImageVersion = `v${repo.meta.imageVersion}`;
  const epoch: Epoch = { ...DEFAULT_EPOCH, version, algorithm: repo.meta.algorithm };
  const family = version === 'v2' ? 'v2' : 'v1';
  const image = await keepImage(repo, staging, transformForEpoch(tree, { ...epoch, boot: false }), epoch);
  const refs: [string, string][] = [[imageRefName(family, false), image]];
  try {
    const boot = await keepImage(repo, staging, transformForEpoch(tree, epoch), epoch);
    refs.push([imageRefName(family, true), boot]);
    return { refs, image, boot };
  } catch (error) {
    // Most images do not boot, and that is no fault.
    if (!isBootsealError(error) || !error.code.startsWith('composefs/')) throw error;
    return { refs, image, notBootable: error.message };
  }
}

async function keepImage(
  repo: ComposefsRepo,
  staging: Staging,
  tree: Tree,
  { version, algorithm }: Epoch,
): Promise<string> {
  const bytes = writeImage(tree, { version, algorithm });
  const digest = await keepObject(repo, staging, bytes);
  await staging.link(`images/${digest}`, objectFile(digest));
  return digest;
}

/** The document is an object; the stream that names it keeps alive what it refers to. */
async function keepDocument(
  repo: ComposefsRepo,
  staging: Staging,
  kind: 'config' | 'manifest',
  bytes: Uint8Array,
  digest: Digest,
  refs: readonly (readonly [name: string, digest: string])[],
): Promise<string> {
  const object = await keepObject(repo, staging, bytes);
  const stream = encodeSplitStream({
    algorithm: repo.meta.algorithm,
    contentType: CONTENT_TYPES[kind],
    contentSize: bytes.length,
    namedRefs: new Map(refs),
    chunks: [{ kind: 'object', digest: object }],
  });
  const streamObject = await keepObject(repo, staging, stream);
  await staging.link(`streams/${streamName(kind, digest)}`, objectFile(streamObject));
  return streamObject;
}

async function keepObject(repo: ComposefsRepo, staging: Staging, bytes: Uint8Array): Promise<string> {
  const digest = encodeHex(verityDigest(bytes, repo.meta.algorithm));
  await staging.commit(new Map([[staging.add(bytes), digest]]));
  return digest;
}
