/**
 * Adding to and taking from what refers to an image. A registry with the referrers API keeps its list itself; for the
 * others the client does, under a tag, without any transaction: read, change, write, read again, and once more when
 * somebody else wrote in between.
 */
import { encodeUtf8, equalBytes } from '../../bytes/bytes.ts';
import { BootsealError, isBootsealError } from '../../errors.ts';
import type { Descriptor } from '../../formats/oci/descriptor.ts';
import { digestOf, type Digest } from '../../formats/oci/digest.ts';
import { MEDIA_TYPES } from '../../formats/oci/media-types.ts';
import type { ManifestBlob } from '../image.ts';
import { changeSettled } from '../settled-change.ts';
import type { RegistryClient } from './client.ts';
import { deleteManifest, putManifest } from './manifests.ts';
import { listReferrers, referrersTag, type Referrers } from './referrers.ts';

/** `descriptor` describes `manifest`, as the list shows it. Throws `sign/conflict`, `registry/…`. */
export async function putReferrer(
  client: RegistryClient,
  image: Digest,
  manifest: ManifestBlob,
  descriptor: Descriptor,
  signal?: AbortSignal,
): Promise<void> {
  // 1. The artifact by its digest; a list must never name what is not there.
  await putManifest(client, manifest.digest, manifest);
  // 2. A registry with the API lists it from now on; for others, our turn.
  await changeList(
    client,
    image,
    (listed) => [...listed.filter(({ digest }) => digest !== descriptor.digest), descriptor],
    signal,
  );
}

/** Takes artifacts off the list, and deletes them where the registry lets us. */
export async function removeReferrers(
  client: RegistryClient,
  image: Digest,
  digests: readonly Digest[],
  signal?: AbortSignal,
): Promise<void> {
  const api = await changeList(
    client,
    image,
    (listed) => listed.filter(({ digest }) => !digests.includes(digest)),
    signal,
  );
  for (const digest of digests) {
    const deleted = await deleteManifest(client, digest);
    // Off the list it is found no more; only where the registry makes the list must it be gone itself.
    if (!deleted && api) {
      throw new BootsealError(
        'registry/cannot-delete',
        `${client.repository}: the registry does not delete ${digest}`,
        {
          hint: 'allow deletion in the registry, or ask who runs it to delete the manifest',
        },
      );
    }
  }
}

/** True where the registry has the API, and so nothing was to be changed. */
async function changeList(
  client: RegistryClient,
  image: Digest,
  change: (listed: readonly Descriptor[]) => readonly Descriptor[],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const settled = await changeSettled<Referrers, readonly Descriptor[]>(
    {
      read: () => listReferrers(client, image),
      same: sameIndex,
      plan({ api, descriptors }) {
        const wanted = change(descriptors);
        return Promise.resolve(api || sameList(descriptors, wanted) ? undefined : wanted);
      },
      write: (wanted, mayFail) => putIfTaken(client, image, wanted, mayFail),
      holds: ({ descriptors }, wanted) =>
        sameList(descriptors, change(descriptors)) && containsAll(descriptors, change(wanted)),
    },
    { ...(signal && { signal }) },
  );
  if (settled !== undefined) return settled.api;
  throw new BootsealError(
    'sign/conflict',
    `others keep writing ${referrersTag(image)}; the list may lack an entry`,
    { hint: 'try again: what is listed already is not listed twice' },
  );
}

async function putIfTaken(
  client: RegistryClient,
  image: Digest,
  descriptors: readonly Descriptor[],
  mayFail: boolean,
): Promise<boolean> {
  try {
    await putManifest(client, referrersTag(image), listOf(descriptors));
    return true;
  } catch (error) {
    // The list names an artifact that was deleted meanwhile.
    if (mayFail && isBootsealError(error) && error.code === 'registry/unexpected-status') return false;
    throw error;
  }
}

function listOf(descriptors: readonly Descriptor[]): ManifestBlob {
  const bytes = encodeUtf8(
    JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: descriptors }),
  );
  return { bytes, digest: digestOf(bytes), mediaType: MEDIA_TYPES.ociIndex };
}

function sameList(a: readonly Descriptor[], b: readonly Descriptor[]): boolean {
  return a.length === b.length && containsAll(a, b);
}

function containsAll(listed: readonly Descriptor[], wanted: readonly Descriptor[]): boolean {
  return wanted.every(({ digest }) => listed.some((other) => other.digest === digest));
}

function sameIndex({ index: a }: Referrers, { index: b }: Referrers): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a.bytes, b.bytes);
}
