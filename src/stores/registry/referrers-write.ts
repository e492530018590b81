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
import type { RegistryClient } from './client.ts';
import { deleteManifest, putManifest } from './manifests.ts';
import { listReferrers, referrersTag, type Referrers } from './referrers.ts';

const ATTEMPTS = 10;
/** Milliseconds. */
const MIN_SETTLE = 100;
/** The longest pause: 3.2 seconds. */
const MAX_DOUBLINGS = 5;

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
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    signal?.throwIfAborted();
    const before = await listReferrers(client, image);
    if (before.api) return true;
    const wanted = change(before.descriptors);
    if (sameList(before.descriptors, wanted)) return false;
    const started = performance.now();
    const again = await listReferrers(client, image);
    if (sameIndex(before, again) && (await putIfTaken(client, image, wanted, attempt < ATTEMPTS))) {
      // Somebody who looked before we wrote may write after us: look again some rounds later.
      await pause(Math.max(MIN_SETTLE, 4 * (performance.now() - started)), signal);
      const { descriptors } = await listReferrers(client, image);
      if (sameList(descriptors, change(descriptors))) return false;
    }
    // Longer each time, and not the same for two who met.
    await pause(Math.random() * 100 * 2 ** Math.min(attempt - 1, MAX_DOUBLINGS), signal);
  }
  throw new BootsealError(
    'sign/conflict',
    `others keep writing ${referrersTag(image)}; the list may lack an entry`,
    {
      hint: 'try again: what is listed already is not listed twice',
    },
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
  return a.length === b.length && a.every(({ digest }) => b.some((other) => other.digest === digest));
}

function sameIndex({ index: a }: Referrers, { index: b }: Referrers): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a.bytes, b.bytes);
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
