/**
 * Writing an image into an OCI layout folder, which may hold other images. Blobs get their names only once their
 * digest is right, and index.json is replaced last: a reader sees the image that was there, or the new one whole.
 */
import { readdir } from 'node:fs/promises';
import { BootsealError, isBootsealError, withDetails } from '../../errors.ts';
import type { Descriptor } from '../../formats/oci/descriptor.ts';
import { digestOf, type Digest } from '../../formats/oci/digest.ts';
import {
  checkLayoutFile,
  INDEX_FILE,
  LAYOUT_FILE,
  parseLayoutIndex,
  setEntry,
} from '../../formats/oci/layout.ts';
import { MAX_MANIFEST_SIZE } from '../../formats/oci/manifest.ts';
import type { ImageName } from '../../formats/reference/image-name.ts';
import { openBlobHasher } from '../blob-hasher/hasher.ts';
import { cannotRead, systemCode } from '../file-errors.ts';
import { digestMismatch, noManifest } from '../checked-blob.ts';
import type { ImageDestination, ManifestBlob } from '../image.ts';
import { addReachable } from './reachable.ts';
import { openFolder, type LayoutFolder } from './folder.ts';

type LayoutName = Extract<ImageName, { readonly transport: 'oci' | 'oci-archive' }>;

/** Nothing is written before the first blob. Throws `oci/bad-destination`, and `oci/bad-layout` for another folder. */
export async function openLayoutDestination(name: LayoutName): Promise<ImageDestination> {
  refusePlace(name);
  await checkFolder(name.path);
  const hasher = openBlobHasher();
  const folder = openFolder(name.path, hasher);
  let top: Descriptor | undefined;
  const putInstance = (manifest: ManifestBlob): Promise<void> => putManifest(folder, manifest);
  return {
    name,
    hasBlob: (descriptor) => folder.has(descriptor),
    putBlob: (descriptor, bytes) => folder.put(descriptor, bytes),
    resumeBlob: (descriptor, rest) => folder.resume(descriptor, rest),
    putInstance,
    async putTopManifest(manifest) {
      await putInstance(manifest);
      top = { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.bytes.length };
    },
    async commit() {
      if (top === undefined) throw noManifest();
      await commit(folder, top, name.image);
    },
    async abort() {
      await hasher.close();
      await abort(folder);
    },
  };
}

/** `oci:PATH:@1` says where to read, never where to write. */
export function refusePlace(name: LayoutName): void {
  if (name.index === undefined) return;
  throw new BootsealError(
    'oci/bad-destination',
    'Destination reference must not contain a manifest index @',
    {
      hint: 'give the new image a name instead: oci:PATH:NAME',
      exit: 2,
    },
  );
}

/** An existing folder must be a layout, or empty. */
async function checkFolder(path: string): Promise<void> {
  try {
    const names = await readdir(path);
    if (names.length === 0) return;
    const marker = names.includes(LAYOUT_FILE) ? await openFolder(path).read(LAYOUT_FILE, 4096) : undefined;
    if (marker !== undefined) return checkLayoutFile(marker);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw isBootsealError(error) ? withDetails(error, { where: path }) : cannotRead(path, error);
  }
  throw new BootsealError('oci/bad-layout', `${path} is not empty and has no ${LAYOUT_FILE}`, {
    hint: 'give the path of an OCI layout, or one that does not exist',
    exit: 2,
  });
}

async function putManifest(folder: LayoutFolder, manifest: ManifestBlob): Promise<void> {
  const actual = digestOf(manifest.bytes, algorithmOf(manifest.digest));
  if (actual !== manifest.digest) throw digestMismatch(manifest.digest, actual);
  const descriptor = { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.bytes.length };
  if (!(await folder.has(descriptor))) await folder.put(descriptor, [manifest.bytes]);
}

function algorithmOf(digest: Digest): 'sha256' | 'sha384' | 'sha512' {
  return digest.slice(0, 6) as 'sha256' | 'sha384' | 'sha512';
}

async function commit(folder: LayoutFolder, top: Descriptor, image: string | undefined): Promise<void> {
  await folder.locked(async () => {
    // 1. Everything must be there: another process may have removed what it had written and we relied on.
    const needed = new Map<Digest, Descriptor>();
    await addReachable(top, (digest) => folder.readBlob(digest, MAX_MANIFEST_SIZE), needed);
    await folder.demand(await ownBlobs(folder, top, needed));
    // 2. The new index beside the old one, then in its place.
    const index = await folder.read(INDEX_FILE, MAX_MANIFEST_SIZE);
    if (index !== undefined) parseLayoutIndex(index);
    await folder.writeIndex(setEntry(index, top, image));
  });
}

/** Of an index, instances that were not copied may be missing; of an image, nothing may. */
async function ownBlobs(
  folder: LayoutFolder,
  top: Descriptor,
  needed: ReadonlyMap<Digest, Descriptor>,
): Promise<readonly Descriptor[]> {
  const present: Descriptor[] = [];
  for (const descriptor of needed.values()) {
    const isManifest = /\b(?:manifest|index)\b/.test(descriptor.mediaType);
    const optional = isManifest && descriptor.digest !== top.digest;
    if (!optional || (await folder.exists(descriptor.digest))) present.push(descriptor);
  }
  return present;
}

/** Removes the blobs written here that no image of the layout needs, and the folders made for them. */
async function abort(folder: LayoutFolder): Promise<void> {
  if (!folder.touched) return;
  await folder.locked(async () => {
    const needed = new Map<Digest, Descriptor>();
    const index = await folder.read(INDEX_FILE, MAX_MANIFEST_SIZE);
    if (index !== undefined) {
      for (const entry of parseLayoutIndex(index).manifests) {
        await addReachable(entry, (digest) => folder.readBlob(digest, MAX_MANIFEST_SIZE), needed);
      }
    }
    await folder.removeWritten((digest) => needed.has(digest), index === undefined);
  });
  await folder.removeMadeFolders();
}
