/** Reading an image from a registry. */
import { BootsealError, isBootsealError } from '../../errors.ts';
import type { Digest } from '../../formats/oci/digest.ts';
import type { ImageName } from '../../formats/reference/image-name.ts';
import type { ImageSource, ManifestBlob } from '../image.ts';
import type { TransportOptions } from '../transport-options.ts';
import { getBlob } from './blob-download.ts';
import { openClient, type RegistryClient } from './client.ts';
import { attachmentTag, getManifest } from './manifests.ts';

type DockerName = Extract<ImageName, { readonly transport: 'docker' }>;

/** Asks the registry for the tag once: whatever it says later, this source means these bytes. */
export async function openRegistrySource(name: DockerName, options: TransportOptions): Promise<ImageSource> {
  const client = await openClient(name.reference, options);
  try {
    const top = await getManifest(client, name.reference.digest ?? name.reference.tag ?? 'latest');
    return {
      name,
      topManifest: () => Promise.resolve(top),
      manifest: (digest) => (digest === top.digest ? Promise.resolve(top) : getManifest(client, digest)),
      blob: (descriptor, read) => getBlob(client, descriptor, read),
      attachment: (digest) => getAttachment(client, digest),
      close: () => client.close(),
    };
  } catch (error) {
    await client.close();
    throw error;
  }
}

/** Replies that say that there is no attachment. Any other failure must not pass for "unsigned". */
const ABSENT: readonly string[] = [
  'registry/manifest-unknown',
  'registry/not-found',
  'registry/name-unknown',
];

export async function getAttachment(
  client: RegistryClient,
  digest: Digest,
): Promise<ManifestBlob | undefined> {
  try {
    return await getManifest(client, attachmentTag(digest));
  } catch (error) {
    if (isBootsealError(error) && (ABSENT.includes(error.code) || isOddNotFound(error))) return undefined;
    throw error;
  }
}

/** registry.redhat.io and Harbor answer code UNKNOWN with "not found", not always with status 404. */
function isOddNotFound(error: BootsealError): boolean {
  return error.code === 'registry/unexpected-status' && /unknown: .*not found/i.test(error.message);
}
