/** Step one of sealing: the base image, checked and read once, layer by layer, with its boot files in memory. */
import type { Epoch } from '../composefs/epochs.ts';
import { treeFromLayers, type LayerPorts } from '../composefs/from-layers.ts';
import type { Time, Tree } from '../composefs/tree.ts';
import type { VerityAlgorithm } from '../formats/fsverity/format.ts';
import type { Platform } from '../formats/oci/descriptor.ts';
import type { ImageSource, ManifestBlob } from '../stores/image.ts';
import { loadImage, type LoadedImage } from '../stores/load-image.ts';
import type { Step } from '../steps.ts';
import { findBootFiles, neededForSealing, type BootFiles } from './boot-files.ts';

/** Decides whether the base image may be used. Throws (exit 1) when policy refuses it. */
export type Admit = (
  source: ImageSource,
  image: { top: ManifestBlob; instance: ManifestBlob },
) => Promise<Step>;

/** What reading the layers of an image takes. */
export interface ReadPorts {
  /** Opened by the job once it knows how much there is to read, and closed by it. */
  readonly openLayerPorts: (
    algorithms: readonly VerityAlgorithm[],
    options: { readonly expectedBytes: number },
  ) => LayerPorts & { close(): Promise<void> };
  readonly signal?: AbortSignal;
  /** Compressed bytes read so far, and how many there are. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface SealPorts extends ReadPorts {
  /** The policy, about the base image. */
  readonly admit?: Admit;
}

export interface SealBase {
  readonly image: LoadedImage;
  /** All layers applied, no transform. */
  readonly tree: Tree;
  readonly files: BootFiles;
  /** Time of the folders and markers that sealing adds. */
  readonly time: Time;
  readonly steps: readonly Step[];
}

export async function readBase(
  source: ImageSource,
  platform: Platform | undefined,
  epoch: Epoch,
  ports: SealPorts,
): Promise<SealBase> {
  // 1. Resolve the name, once.
  const image = await loadImage(source, platform);
  // 2. Ask policy before anything of the image is read.
  const admitted = await ports.admit?.(source, image);
  // 3. Layers to a tree: blob digests, diffIDs and fs-verity digests in one pass.
  const tree = await readTree(image, [epoch.algorithm], ports);
  // 4. Boot files.
  const files = findBootFiles(tree, image.config.architecture);
  const base: Step = admitted ?? {
    id: 'base',
    title: 'base',
    state: 'warning',
    summary: `${image.instance.digest}  not checked against a policy`,
    code: 'seal/base-unchecked',
    hint: 'give --policy FILE to have the base image verified before it is sealed',
  };
  return { image, tree, files, time: wholeSeconds(image.config.created), steps: [base, kernelStep(files)] };
}

/** Every blob digest and every diffID is checked on the way; the files that sealing needs are kept in memory. */
export async function readTree(
  image: LoadedImage,
  algorithms: readonly VerityAlgorithm[],
  ports: ReadPorts,
): Promise<Tree> {
  const total = image.layers.reduce((sum, { size }) => sum + size, 0);
  const layerPorts = ports.openLayerPorts(algorithms, { expectedBytes: total });
  try {
    return await treeFromLayers(image.layers, {
      algorithms,
      ports: layerPorts,
      capture: neededForSealing,
      ...(ports.onProgress && { onProgress: (done: number) => ports.onProgress?.(done, total) }),
      ...(ports.signal && { signal: ports.signal }),
    });
  } finally {
    await layerPorts.close();
  }
}

function kernelStep({ version, kernel, initramfs }: BootFiles): Step {
  return {
    id: 'kernel',
    title: 'kernel',
    state: 'passed',
    summary: `${version}  vmlinuz ${mebibytes(kernel.bytes.length)}, initramfs ${mebibytes(initramfs.bytes.length)}`,
  };
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** The image's own time, so that sealing it twice gives the same bytes; 0 when it has none. */
function wholeSeconds(created: string | undefined): Time {
  const milliseconds = created === undefined ? Number.NaN : Date.parse(created);
  const seconds = Number.isFinite(milliseconds) ? Math.max(Math.floor(milliseconds / 1000), 0) : 0;
  return { seconds: BigInt(seconds), nanos: 0 };
}
