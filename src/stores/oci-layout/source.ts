/** Reading an image from an OCI layout, wherever its files are. */
import { BootsealError, isBootsealError, withDetails } from '../../errors.ts';
import type { Descriptor } from '../../formats/oci/descriptor.ts';
import type { Digest } from '../../formats/oci/digest.ts';
import {
  blobPath,
  checkLayoutFile,
  INDEX_FILE,
  LAYOUT_FILE,
  parseLayoutIndex,
  selectEntry,
} from '../../formats/oci/layout.ts';
import { MAX_MANIFEST_SIZE, parseManifest } from '../../formats/oci/manifest.ts';
import type { ImageName } from '../../formats/reference/image-name.ts';
import { checkedBlob, checkedForReader, readAll, sizeMismatch, tooLarge } from '../checked-blob.ts';
import type { ImageSource, ManifestBlob, ReadOptions } from '../image.ts';
import { folderFiles, type LayoutFiles } from './files.ts';

type LayoutName = Extract<ImageName, { readonly transport: 'oci' | 'oci-archive' }>;

/** The marker is one short line; anything near this is something else. */
const MAX_LAYOUT_FILE_SIZE = 4096;

/** Throws `oci/bad-layout`, `oci/no-such-image`, `oci/many-images`, `file/cannot-read`. */
export function openLayoutSource(name: LayoutName, signal?: AbortSignal): Promise<ImageSource> {
  return sourceOfLayout(name, folderFiles(name.path), signal);
}

/** Closes `files` when the layout cannot be opened, and with the source. */
export async function sourceOfLayout(
  name: LayoutName,
  files: LayoutFiles,
  signal?: AbortSignal,
): Promise<ImageSource> {
  const options = { ...(signal && { signal }) };
  try {
    checkLayoutFile(await readDocument(files, name, LAYOUT_FILE, MAX_LAYOUT_FILE_SIZE, options));
    const index = parseLayoutIndex(await readDocument(files, name, INDEX_FILE, MAX_MANIFEST_SIZE, options));
    const entry = selectEntry(index, name.image, name.index);
    // Resolved here, once: whoever rewrites the layout later does not change what this source means.
    const top = await readManifest(files, entry.digest, { entry, ...options });
    return {
      name,
      topManifest: () => Promise.resolve(top),
      manifest: (digest) =>
        digest === top.digest ? Promise.resolve(top) : readManifest(files, digest, options),
      blob: (descriptor, read) => readBlob(files, descriptor, read ?? options),
      close: () => files.close(),
    };
  } catch (error) {
    await files.close();
    throw isBootsealError(error) ? withDetails(error, { where: name.path }) : error;
  }
}

async function readDocument(
  files: LayoutFiles,
  name: LayoutName,
  path: string,
  limit: number,
  options: ReadOptions,
): Promise<Uint8Array> {
  const file = await files.open(path, options);
  if (file === undefined) {
    throw new BootsealError('oci/bad-layout', `${name.path} has no ${path}`, {
      hint: 'an OCI layout holds oci-layout, index.json and blobs/; dir: and docker-archive: read what is no such thing',
    });
  }
  if (file.size <= limit) return readAll(file.bytes, limit, path);
  await file.close();
  throw tooLarge(path, limit);
}

interface ManifestOptions extends ReadOptions {
  /** What the index says of it. */
  readonly entry?: Descriptor;
}

async function readManifest(
  files: LayoutFiles,
  digest: Digest,
  options: ManifestOptions,
): Promise<ManifestBlob> {
  const file = await files.open(blobPath(digest), options);
  if (file === undefined) throw missingBlob(digest);
  const size = options.entry?.size ?? file.size;
  if (size > MAX_MANIFEST_SIZE || file.size > MAX_MANIFEST_SIZE) {
    await file.close();
    throw tooLarge('manifest', MAX_MANIFEST_SIZE);
  }
  const bytes = await readAll(checkedBlob({ digest, size }, file.bytes), MAX_MANIFEST_SIZE, 'manifest');
  // The layout has no Content-Type: the document says what it is, and must agree with its descriptor.
  return { bytes, digest, mediaType: parseManifest(bytes, options.entry?.mediaType).mediaType };
}

async function* readBlob(
  files: LayoutFiles,
  descriptor: Descriptor,
  options: ReadOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await files.open(blobPath(descriptor.digest), options);
  if (file === undefined) throw missingBlob(descriptor.digest);
  if (file.size !== descriptor.size) {
    await file.close();
    throw sizeMismatch(descriptor, String(file.size));
  }
  yield* checkedForReader(descriptor, file.bytes, options);
}

function missingBlob(digest: Digest): BootsealError {
  return new BootsealError('store/blob-missing', `blob ${digest} is not in the layout`, {
    hint: 'the layout is incomplete; copy the image again',
  });
}
