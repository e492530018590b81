/** Which blobs an image needs: to know what may be removed, and whether a write was complete. */
import { MEDIA_TYPES } from '../../formats/oci/media-types.ts';
import type { Digest } from '../../formats/oci/digest.ts';
import type { Descriptor } from '../../formats/oci/descriptor.ts';
import { parseManifest } from '../../formats/oci/manifest.ts';

const MANIFEST_TYPES: readonly string[] = [
  MEDIA_TYPES.ociManifest,
  MEDIA_TYPES.ociIndex,
  MEDIA_TYPES.dockerManifest,
  MEDIA_TYPES.dockerList,
];

/** An index of indexes of indexes is nobody's image. */
const MAX_DEPTH = 4;

/**
 * Adds `root` and everything below it to `found`. `read` gives a manifest's bytes, or undefined when it is not
 * there (an index may name instances that were not copied).
 */
export async function addReachable(
  root: Descriptor,
  read: (digest: Digest) => Promise<Uint8Array | undefined>,
  found: Map<Digest, Descriptor>,
  depth = 0,
): Promise<void> {
  if (found.has(root.digest)) return;
  found.set(root.digest, root);
  if (depth >= MAX_DEPTH || !MANIFEST_TYPES.includes(root.mediaType)) return;
  const bytes = await read(root.digest);
  if (bytes === undefined) return;
  const manifest = parseManifest(bytes, root.mediaType);
  if (manifest.kind === 'index') {
    for (const instance of manifest.manifests) await addReachable(instance, read, found, depth + 1);
    return;
  }
  for (const blob of [manifest.config, ...manifest.layers]) found.set(blob.digest, blob);
}
