/**
 * Layers to tree: every layer decoded, checked against its diffID, and applied, bottom first. Bytes are looked at
 * once and not kept, so memory grows with the number of files only.
 */
import { BootsealError, isBootsealError, withDetails } from '../errors.ts';
import type { VerityAlgorithm } from '../formats/fsverity/format.ts';
import { layerDecoder } from '../formats/oci/decode-layer.ts';
import { digestParts, type Digest } from '../formats/oci/digest.ts';
import { layerCompression, type LayerCompression } from '../formats/oci/media-types.ts';
import type { TarReader } from '../formats/tar/reader.ts';
import { createLayerApplier, noUsage } from './apply-layer.ts';
import { createTocCheck } from './check-toc.ts';
import { createContentHasher } from './content-hasher.ts';
import { inlineHashPool } from '../formats/fsverity/inline-hash-pool.ts';
import { DEFAULT_LIMITS, type LayerLimits } from './limits.ts';
import type { LayerInput } from '../stores/image.ts';
import type { HashPool, LayerPorts } from './ports.ts';
import { neededByTransform } from './transform.ts';
import { createContentReader, missingContents } from './missing-contents.ts';
import { cloneTree, emptyTree, type Tree } from './tree.ts';

export type { LayerInput } from '../stores/image.ts';
export type { LayerPorts } from './ports.ts';

/** Whoever keeps layers as well as applying them. Nothing of a layer may be believed before `verified`. */
export interface LayerObserver {
  begin(layer: LayerInput, index: number): void;
  /** Decoded bytes. A view, valid during the call only. */
  chunk(bytes: Uint8Array): void;
  /** All of it has come, and is what its digest and diffID say. */
  verified(): Promise<void>;
}

export interface FromLayersOptions {
  readonly algorithms: readonly VerityAlgorithm[];
  readonly ports: LayerPorts;
  /** Says which file contents to keep in memory, by path without leading slash. Files up to 64 bytes always are. */
  readonly capture?: (path: string, size: number) => boolean;
  readonly limits?: Partial<LayerLimits>;
  /** Is shown the decoded bytes too, while they are read. */
  readonly observer?: LayerObserver;
  /** Compressed bytes read so far, of all layers; the total is the sum of their sizes. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

/** Twice this much padded to blocks fits two pool buffers of 1 MiB, which `ready` has seen to. */
const PUSH_MAX = 128 * 1024;

/**
 * Throws `layer/diffid-mismatch` (exit 1), `layer/…` and `tar/…` for what may not be in a layer, `layer/toc-…` (exit 1) when it
 * has a table of contents that says something else, `gzip/…`, `zstd/…`,
 * and what the store throws when a blob is not what the manifest says. `where` names layer and path.
 */
export async function treeFromLayers(
  layers: readonly LayerInput[],
  options: FromLayersOptions,
): Promise<Tree> {
  const tree = emptyTree();
  const { hashPool, zstd, decoder = layerDecoder(zstd) } = options.ports;
  const missing = options.algorithms.find((algorithm) => !hashPool.algorithms.includes(algorithm));
  if (missing !== undefined) throw new TypeError(`the hash pool does not compute ${missing}`);
  const hasher = createContentHasher(hashPool);
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const usage = noUsage();
  let total = 0;
  let read = 0;
  const capture = (path: string, size: number): boolean =>
    neededByTransform(path, size) || (options.capture?.(path, size) ?? false);

  /** Number of the first entry of each layer. */
  const firstEntries: number[] = [];

  for (const [index, layer] of layers.entries()) {
    const label = `layer ${index + 1} (${layer.digest})`;
    firstEntries.push(usage.entries + 1);
    try {
      const applier = createLayerApplier(tree, { hasher, limits, usage, capture, label });
      let compressed = 0;
      let plain = 0;
      const toc = createTocCheck(layer, zstd);
      const blob = counted(layer, options.signal, (bytes) => {
        compressed += bytes.length;
        read += bytes.length;
        options.onProgress?.(read);
        toc?.blob(bytes);
      });
      const { algorithm } = digestParts(layer.diffId);
      options.observer?.begin(layer, index);
      const decoded = decoder(blob, compressionOf(layer.mediaType), algorithm);
      for await (const chunk of decoded) {
        plain += chunk.length;
        total += chunk.length;
        checkExpansion(limits, total, plain, compressed);
        await pushAll(applier, chunk, hashPool);
        toc?.archive(chunk);
        options.observer?.chunk(chunk);
      }
      // A layer whose bytes are not those that the configuration names says nothing about this image, so this
      // comes before the complaint about where its archive ends.
      checkDiffId(layer.diffId, decoded.digest());
      applier.end();
      await toc?.end();
      await options.observer?.verified();
    } catch (error) {
      throw await explain(error, layer, label, options.signal);
    }
  }
  await hasher.finish();
  await captureHardlinked(layers, firstEntries);
  return tree;

  /** Files that a transform looks into under a name that is a hardlink: their bytes went by under another one. */
  async function captureHardlinked(all: readonly LayerInput[], first: readonly number[]): Promise<void> {
    const missing = missingContents(tree, limits.capturedBytes - usage.capturedBytes);
    for (const [index, layer] of all.entries()) {
      const wanted = [...missing].filter(
        ([entry]) => entry >= first[index] && entry < (first[index + 1] ?? Infinity),
      );
      if (wanted.length === 0) continue;
      const decoded = decoder(
        counted(layer, options.signal, () => undefined),
        compressionOf(layer.mediaType),
        digestParts(layer.diffId).algorithm,
      );
      const reader = createContentReader(new Map(wanted), first[index]);
      for await (const chunk of decoded) reader.push(chunk);
      checkDiffId(layer.diffId, decoded.digest());
    }
  }
}

export interface ApplyLayerOptions {
  readonly algorithms: readonly VerityAlgorithm[];
  /** Hashing happens in this thread where no pool is given. */
  readonly ports?: Pick<LayerPorts, 'hashPool'>;
  readonly capture?: FromLayersOptions['capture'];
  readonly limits?: Partial<LayerLimits>;
  /** For errors. */
  readonly label?: string;
}

/**
 * The tree with one more layer on top, given as the plain bytes of its archive: for a layer that was just made.
 * Nothing below it is read again, and the tree given is left as it is.
 */
export async function applyLayer(
  tree: Tree,
  archive: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: ApplyLayerOptions,
): Promise<Tree> {
  const pool = options.ports?.hashPool ?? inlineHashPool(options.algorithms);
  const result = cloneTree(tree);
  const hasher = createContentHasher(pool);
  const applier = createLayerApplier(result, {
    hasher,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    usage: noUsage(),
    capture: (path, size) => neededByTransform(path, size) || (options.capture?.(path, size) ?? false),
    label: options.label ?? 'new layer',
  });
  for await (const chunk of archive) await pushAll(applier, chunk, pool);
  applier.end();
  await hasher.finish();
  return result;
}

/** In pieces, waiting for buffers between them: within a piece everything is synchronous. */
async function pushAll(reader: TarReader, chunk: Uint8Array, pool: HashPool): Promise<void> {
  for (let at = 0; at < chunk.length; at += PUSH_MAX) {
    const waiting = pool.ready();
    if (waiting !== undefined) await waiting;
    reader.push(chunk.length <= PUSH_MAX ? chunk : chunk.subarray(at, at + PUSH_MAX));
  }
}

async function* counted(
  layer: LayerInput,
  signal: AbortSignal | undefined,
  onBytes: (bytes: Uint8Array) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of layer.open(signal)) {
    signal?.throwIfAborted();
    onBytes(chunk);
    yield chunk;
  }
}

function compressionOf(mediaType: string): LayerCompression {
  const compression = layerCompression(mediaType);
  if (compression !== undefined) return compression;
  throw new BootsealError(
    'layer/unsupported-media-type',
    `${JSON.stringify(mediaType)} is no layer to apply`,
  );
}

function checkExpansion(limits: LayerLimits, total: number, plain: number, compressed: number): void {
  if (total > limits.plainBytes) {
    throw new BootsealError('layer/too-large', `the layers decode to over ${limits.plainBytes} bytes`);
  }
  if (plain > limits.ratioGrace && plain > compressed * limits.ratio) {
    throw new BootsealError('layer/bomb', `decoded bytes exceed ${limits.ratio} times the compressed ones`);
  }
}

function checkDiffId(expected: Digest, hex: string): void {
  if (digestParts(expected).hex === hex) return;
  throw new BootsealError(
    'layer/diffid-mismatch',
    `the decoded layer is ${hex}, the image says ${expected}`,
    {
      exit: 1,
      hint: 'the layer is not the one this image was made of; pull it again, or distrust where it came from',
    },
  );
}

/** Refusals that reading on would not explain, or would make worse. */
const FINAL_CODES =
  /^(?:store\/|registry\/|layer\/(?:bomb|too-large|diffid-mismatch|two-tables|toc-[a-z-]+)$)/;

/**
 * A layer that cannot be read may be a damaged blob: then that is the answer, not what a parser made of it. The
 * store knows once it has seen all of the blob, so it is read once more.
 */
async function explain(
  error: unknown,
  layer: LayerInput,
  label: string,
  signal?: AbortSignal,
): Promise<unknown> {
  if (!isBootsealError(error)) return error;
  const located = withDetails(error, { where: label });
  if (FINAL_CODES.test(error.code)) return located;
  try {
    const blob = layer.open(signal)[Symbol.asyncIterator]();
    while ((await blob.next()).done !== true);
  } catch (damage) {
    return isBootsealError(damage) ? withDetails(damage, { where: label }) : damage;
  }
  return located;
}
