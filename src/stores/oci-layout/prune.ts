/** Forgetting images of a layout: their entries, then the blobs that no other image needs. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeUtf8 } from '../../bytes/bytes.ts';
import type { Descriptor } from '../../formats/oci/descriptor.ts';
import { isDigest, type Digest } from '../../formats/oci/digest.ts';
import { blobPath, INDEX_FILE, parseLayoutIndex, REF_NAME } from '../../formats/oci/layout.ts';
import { MAX_MANIFEST_SIZE } from '../../formats/oci/manifest.ts';
import { systemCode } from '../file-errors.ts';
import { openFolder, type LayoutFolder } from './folder.ts';
import { addReachable } from './reachable.ts';

export interface Pruned {
  readonly images: number;
  readonly blobs: number;
}

/**
 * Keeps the images with these names and removes all others. The index is replaced before any blob goes, so that a
 * kill leaves only blobs that nothing names. Nobody else may be writing to the layout.
 */
export async function pruneLayout(path: string, keep: readonly string[]): Promise<Pruned> {
  const folder = openFolder(path);
  return folder.locked(async () => {
    const bytes = await folder.read(INDEX_FILE, MAX_MANIFEST_SIZE);
    if (bytes === undefined) return { images: 0, blobs: 0 };
    const index = parseLayoutIndex(bytes);
    const kept = index.manifests.filter((entry) => keep.includes(entry.annotations?.[REF_NAME] ?? ''));
    const images = index.manifests.length - kept.length;
    if (images > 0) {
      const { mediaType } = index;
      await folder.writeIndex(encodeUtf8(JSON.stringify({ schemaVersion: 2, mediaType, manifests: kept })));
    }
    return { images, blobs: await removeUnneeded(path, folder, kept) };
  });
}

async function removeUnneeded(
  path: string,
  folder: LayoutFolder,
  kept: readonly Descriptor[],
): Promise<number> {
  const needed = new Map<Digest, Descriptor>();
  for (const entry of kept) {
    await addReachable(entry, (digest) => folder.readBlob(digest, MAX_MANIFEST_SIZE), needed);
  }
  let removed = 0;
  for (const algorithm of ['sha256', 'sha384', 'sha512']) {
    for (const name of await names(join(path, 'blobs', algorithm))) {
      const digest = `${algorithm}:${name}`;
      // What is no blob is not ours to remove, but for what a killed writer left.
      const leftover = name.startsWith('.') && name.endsWith('.tmp');
      if (!leftover && (!isDigest(digest) || needed.has(digest))) continue;
      await rm(isDigest(digest) ? join(path, blobPath(digest)) : join(path, 'blobs', algorithm, name), {
        force: true,
      });
      removed += 1;
    }
  }
  return removed;
}

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
