/** Writing an image to a registry. */
import type { ImageName } from '../../formats/reference/image-name.ts';
import { digestMismatch, noManifest } from '../checked-blob.ts';
import type { ImageDestination, ManifestBlob } from '../image.ts';
import type { TransportOptions } from '../transport-options.ts';
import { getBlob } from './blob-download.ts';
import { hasBlob, mountBlob, putBlob } from './blob-upload.ts';
import { openClient } from './client.ts';
import { attachmentTag, putManifest } from './manifests.ts';
import { optionsForPush } from './pull.ts';
import { getAttachment } from './attachment.ts';
import { signatureExtension } from './signature-extension.ts';
import { putReferrer, removeReferrers } from './referrers-write.ts';

type DockerName = Extract<ImageName, { readonly transport: 'docker' }>;

/**
 * Blobs and instances become part of the repository as they arrive, unreferenced; the tag moves at `commit`.
 * `abort` deletes nothing: a blob in a registry may have been there before, or be in use by another push already.
 * The registry's garbage collection removes what nothing refers to.
 */
export async function openRegistryDestination(
  name: DockerName,
  options: TransportOptions,
): Promise<ImageDestination> {
  const client = await openClient(name.reference, await optionsForPush(name.reference, options));
  const { digest } = name.reference;
  const extension = signatureExtension(client);
  let top: ManifestBlob | undefined;
  return {
    name,
    hasBlob: (descriptor) => hasBlob(client, descriptor),
    mountBlob: (descriptor, from) => mountBlob(client, descriptor, from),
    putBlob: (descriptor, bytes, write) =>
      putBlob(client, descriptor, bytes, write?.signal ?? options.signal),
    putInstance: (manifest) => putManifest(client, manifest.digest, manifest),
    putTopManifest(manifest) {
      if (digest !== undefined && digest !== manifest.digest) {
        return Promise.reject(digestMismatch(digest, manifest.digest));
      }
      top = manifest;
      return Promise.resolve();
    },
    attachment: (image) => getAttachment(client, image),
    blob: (descriptor, read) => getBlob(client, descriptor, read),
    putReferrer: (image, manifest, descriptor) =>
      putReferrer(client, image, manifest, descriptor, options.signal),
    removeReferrers: (image, artifacts) => removeReferrers(client, image, artifacts, options.signal),
    putAttachment: (image, manifest) => putManifest(client, attachmentTag(image), manifest),
    ...(extension && { signatureExtension: extension }),
    async commit() {
      if (top === undefined) throw noManifest();
      await putManifest(client, digest ?? name.reference.tag ?? 'latest', top);
    },
    abort: () => client.close(),
  };
}
