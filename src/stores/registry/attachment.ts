/** Sigstore attachments: signatures that lie in the repository of their image, under a tag made of its digest. */
import { isBootsealError, type BootsealError } from '../../errors.ts';
import type { Digest } from '../../formats/oci/digest.ts';
import type { ManifestBlob } from '../image.ts';
import type { RegistryClient } from './client.ts';
import { attachmentTag, getManifest } from './manifests.ts';

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
