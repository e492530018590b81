/** The job behind `bootseal digest`: the composefs digest of an image, by the rules of one release or of several. */
import { dumpBytes } from '../composefs/dump.ts';
import { digestOfTree, transformForEpoch, type Epoch, type TreeSource } from '../composefs/epochs.ts';
import { treeFromLayers } from '../composefs/from-layers.ts';
import { countPaths, type Tree } from '../composefs/tree.ts';
import { isBootsealError, type BootsealError } from '../errors.ts';
import type { VerityAlgorithm } from '../formats/fsverity/format.ts';
import type { Platform } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { ImageSource } from '../stores/image.ts';
import { loadImage } from '../stores/load-image.ts';
import type { ReadPorts } from './base.ts';
import { readDirectoryTree } from './tree-input.ts';

interface EpochsRequest {
  /** At least one. */
  readonly epochs: readonly Epoch[];
  /** Also give the dump text of the first epoch's tree. */
  readonly dump?: boolean;
}

export interface DigestRequest extends EpochsRequest {
  readonly platform?: Platform;
}

export interface DigestPorts extends ReadPorts {
  readonly source: ImageSource;
}

export interface EpochDigest {
  readonly epoch: Epoch;
  /** Lower-case hexadecimal; absent where this epoch's rules refuse the image. */
  readonly digest?: string;
  readonly error?: BootsealError;
}

export interface DigestResult {
  /** The image that was read; absent for a directory. */
  readonly image?: Digest;
  readonly digests: readonly EpochDigest[];
  readonly paths: number;
  /** Dump text, in pieces. */
  readonly dump?: readonly Uint8Array[];
}

/**
 * Reads every layer once, whatever the number of epochs. With one epoch its refusal is thrown; with several it
 * stands in the result, and only when all refuse is the first thrown.
 */
export async function digestImage(request: DigestRequest, ports: DigestPorts): Promise<DigestResult> {
  const image = await loadImage(ports.source, request.platform);
  const algorithms = algorithmsOf(request.epochs);
  const total = image.layers.reduce((sum, { size }) => sum + size, 0);
  const layerPorts = ports.openLayerPorts(algorithms, { expectedBytes: total });
  let tree: Tree;
  try {
    tree = await treeFromLayers(image.layers, {
      algorithms,
      ports: layerPorts,
      ...(ports.onProgress && { onProgress: (done: number) => ports.onProgress?.(done, total) }),
      ...(ports.signal && { signal: ports.signal }),
    });
  } finally {
    await layerPorts.close();
  }
  return { image: image.instance.digest, ...digestsOf(tree, request, 'layers') };
}

export interface DirectoryDigestRequest extends EpochsRequest {
  /** A directory of this machine that holds the root of an image. */
  readonly directory: string;
}

/**
 * The same for a directory, by the rules that bootc walks one with. Everything is read once. Throws `tree/…` for what
 * cannot be read, or changes meanwhile.
 */
export async function digestDirectory(
  request: DirectoryDigestRequest,
  ports: Pick<ReadPorts, 'signal' | 'onProgress'> = {},
): Promise<DigestResult> {
  const tree = await readDirectoryTree(request.directory, algorithmsOf(request.epochs), ports);
  return digestsOf(tree, request, 'directory');
}

function algorithmsOf(epochs: readonly Epoch[]): VerityAlgorithm[] {
  return [...new Set(epochs.map(({ algorithm }) => algorithm))];
}

function digestsOf(tree: Tree, { epochs, dump }: EpochsRequest, source: TreeSource): DigestResult {
  const digests = epochs.map((epoch) => attempt(tree, epoch, source));
  const refusal = digests.find(({ error }) => error !== undefined)?.error;
  if (refusal !== undefined && digests.every(({ error }) => error !== undefined)) throw refusal;
  const [first] = epochs;
  return {
    digests,
    paths: countPaths(tree),
    ...(dump === true &&
      first && { dump: dumpBytes(transformForEpoch(tree, first, source), first.algorithm) }),
  };
}

function attempt(tree: Tree, epoch: Epoch, source: TreeSource): EpochDigest {
  try {
    return { epoch, digest: digestOfTree(tree, epoch, source) };
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    return { epoch, error };
  }
}
