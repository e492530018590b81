/** `trust init`: writes the trust files of a repository below a folder, or into an image as one layer. */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { inlineHashPool } from '../formats/fsverity/inline-hash-pool.ts';
import { treeFromLayers } from '../composefs/from-layers.ts';
import { lookup, type Time, type Tree } from '../composefs/tree.ts';
import { BootsealError } from '../errors.ts';
import type { Platform } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { ImageName } from '../formats/reference/image-name.ts';
import { fileEntry, parentEntries } from '../seal/entries.ts';
import { makeLayer } from '../seal/layer.ts';
import { writeImage } from '../seal/write-image.ts';
import { writeFileAtomic } from '../stores/atomic-write.ts';
import type { ImageSource } from '../stores/image.ts';
import { loadImage } from '../stores/load-image.ts';
import { openDestination, openSource, type TransportOptions } from '../stores/open.ts';
import { zstdDecoder } from '../stores/zstd/decoder.ts';
import { errnoOf, readSmallFile } from '../stores/trust-files/read-file.ts';
import type { TrustFile } from './trust-files.ts';

export { readPublicKeys } from './public-key-files.ts';
export { trustFiles } from './trust-files.ts';

export interface WriteOptions {
  /** Replace files that are there and differ. */
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

/** Below `folder`; nothing is written unless everything can be. Throws `trust-init/exists`, `file/cannot-write`. */
export async function writeTrustFiles(
  files: readonly TrustFile[],
  folder: string,
  { force = false, dryRun = false }: WriteOptions = {},
): Promise<readonly string[]> {
  const missing: TrustFile[] = [];
  for (const file of files) {
    const present = await readIfPresent(join(folder, file.path));
    if (present !== undefined && Buffer.compare(present, file.bytes) === 0) continue;
    if (present !== undefined && !force) throw exists(join(folder, file.path));
    missing.push(file);
  }
  // The policy last: from then on signatures are demanded, and by then they can be found and checked.
  const ordered = missing.toSorted((a, b) => Number(isPolicy(a)) - Number(isPolicy(b)));
  for (const { path, bytes } of dryRun ? [] : ordered) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFileAtomic(join(folder, path), [bytes]);
  }
  return missing.map(({ path }) => join(folder, path));
}

export interface TrustLayerRequest {
  readonly files: readonly TrustFile[];
  readonly from: ImageName;
  readonly to: ImageName;
  /** Of an index the instance for it; default: this machine's. */
  readonly platform?: Platform;
  readonly force?: boolean;
}

export interface TrustLayerPorts {
  readonly transport?: TransportOptions;
  readonly signal?: AbortSignal;
}

export interface TrustLayerResult {
  readonly base: Digest;
  readonly manifest: Digest;
}

/**
 * The image with the files on top, in one layer in which nothing else changes: the folders above them are those of the
 * image, with its times, owners and attributes. Reads every layer once. Throws `trust-init/exists` and what reading,
 * checking and writing images throws; the destination is then as it was.
 */
export async function addTrustLayer(
  request: TrustLayerRequest,
  ports: TrustLayerPorts = {},
): Promise<TrustLayerResult> {
  const source = await openSource(request.from, ports.transport);
  try {
    return await extendSource(source, request, ports);
  } finally {
    await source.close();
  }
}

async function extendSource(
  source: ImageSource,
  request: TrustLayerRequest,
  { transport, signal }: TrustLayerPorts,
): Promise<TrustLayerResult> {
  const image = await loadImage(source, request.platform);
  const tree = await treeFromLayers(image.layers, {
    algorithms: [],
    ports: { hashPool: inlineHashPool([]), zstd: zstdDecoder() },
    ...(signal && { signal }),
  });
  if (request.force !== true) refusePresent(tree, request.files);
  const time = timeOf(image.config.created);
  const stat = { mode: 0o644, uid: 0, gid: 0, mtime: time, xattrs: new Map<string, Uint8Array>() };
  const paths = request.files.map(({ path }) => path).sort();
  const layer = makeLayer(
    [
      ...parentEntries(tree, paths, time),
      ...paths.map((path) =>
        fileEntry(path, stat, [request.files.find((file) => file.path === path)!.bytes]),
      ),
    ],
    'bootseal: trust the images of a repository',
  );
  const destination = await openDestination(request.to, transport);
  const written = await writeImage(source, destination, { image }, [layer], signal);
  return { base: image.instance.digest, manifest: written.digest };
}

function refusePresent(tree: Tree, files: readonly TrustFile[]): void {
  const present = files.find(({ path }) => lookup(tree, path) !== undefined);
  if (present !== undefined) throw exists(`/${present.path}`, 'is in the image already');
}

async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readSmallFile(path, { maxSize: 16 * 1024 * 1024, code: 'file/unreadable' });
  } catch (error) {
    if (error instanceof BootsealError && errnoOf(error.cause) === 'ENOENT') return undefined;
    throw error;
  }
}

function isPolicy({ path }: TrustFile): boolean {
  return path.endsWith('/policy.json');
}

/** The image's own time, so that the same request gives the same layer; 0 where it has none. */
function timeOf(created: string | undefined): Time {
  const milliseconds = Date.parse(created ?? '');
  return {
    seconds: BigInt(Number.isFinite(milliseconds) ? Math.max(0, Math.floor(milliseconds / 1000)) : 0),
    nanos: 0,
  };
}

function exists(path: string, how = 'exists and is different'): BootsealError {
  return new BootsealError('trust-init/exists', `${path} ${how}`, {
    exit: 2,
    hint: 'add the repository’s scope to it by hand, or replace it with --force',
  });
}
