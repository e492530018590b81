/**
 * What refers to an image: OCI distribution-spec 1.1 "Listing Referrers", and for registries without that API the
 * list that clients keep under the tag `sha256-HEX` ("Referrers Tag Schema").
 */
import { BootsealError, isBootsealError } from '../../errors.ts';
import type { Descriptor } from '../../formats/oci/descriptor.ts';
import { digestParts, type Digest } from '../../formats/oci/digest.ts';
import { MAX_MANIFEST_SIZE, parseManifest } from '../../formats/oci/manifest.ts';
import { MEDIA_TYPES } from '../../formats/oci/media-types.ts';
import type { ManifestBlob } from '../image.ts';
import type { RegistryClient } from './client.ts';
import { getManifest, nextPage } from './manifests.ts';

/** Signatures, attestations and inventories of one image; anybody who may push can add to them. */
export const MAX_REFERRERS = 1000;
/** A page of a thousand entries has 400 KiB. Empty pages end the list. */
const MAX_PAGES = 100;

/** Status of a reply that means "there is no such API here". */
const NO_API: readonly number[] = [400, 404, 405, 406, 501];

export interface Referrers {
  readonly descriptors: readonly Descriptor[];
  /** The registry keeps the list itself. */
  readonly api: boolean;
  /** The list under the tag, where there is no API. */
  readonly index?: ManifestBlob;
}

/** The tag of the list: the digest with `-` for `:`, and no suffix. */
export function referrersTag(digest: Digest): string {
  const { algorithm, hex } = digestParts(digest);
  return `${algorithm}-${hex}`;
}

/**
 * In the order of the registry, each digest once. Nothing in it is to be believed: what is listed must be fetched and
 * must itself say what it refers to. Throws `registry/too-many-referrers`, `registry/…`, `oci/…`, `store/too-large`.
 */
export async function listReferrers(client: RegistryClient, digest: Digest): Promise<Referrers> {
  const what = `listing referrers of ${digest} in ${client.repository}`;
  const found: Descriptor[] = [];
  for (let url: URL | undefined = client.url(`referrers/${digest}`), pages = 1; url !== undefined; pages++) {
    const page: URL = url;
    const reply = await client.retry.run(what, () => readPage(client, page, what));
    if (reply === undefined) {
      // A list that breaks off is not a list without API.
      if (pages > 1) throw new BootsealError('registry/bad-reply', `${what}: page ${pages} is missing`);
      return listByTag(client, digest, what);
    }
    found.push(...reply.descriptors);
    checkCount(found.length, what);
    if (pages === MAX_PAGES) throw tooMany(`${what}: more than ${MAX_PAGES} pages`);
    url = reply.descriptors.length === 0 ? undefined : reply.next;
  }
  return { descriptors: distinct(found), api: true };
}

interface Page {
  readonly descriptors: readonly Descriptor[];
  readonly next: URL | undefined;
}

async function readPage(client: RegistryClient, url: URL, what: string): Promise<Page | undefined> {
  const headers = { accept: MEDIA_TYPES.ociIndex };
  const reply = await client.send({ method: 'GET', url, headers, actions: ['pull'] });
  if (NO_API.includes(reply.status)) {
    await reply.discard();
    return undefined;
  }
  if (reply.status !== 200) throw await client.failure(reply, what);
  const bytes = await reply.bytes(MAX_MANIFEST_SIZE, 'list of referrers');
  // A web page in the place of the list is from something that does not know the API (a proxy, an old registry).
  const type = (reply.header('content-type') ?? '').replace(/;.*$/s, '').trim().toLowerCase();
  if (type === 'text/html') return undefined;
  return { descriptors: indexEntries(bytes, what), next: nextPage(reply) };
}

async function listByTag(client: RegistryClient, digest: Digest, what: string): Promise<Referrers> {
  const index = await readTag(client, digest);
  if (index === undefined) return { descriptors: [], api: false };
  const descriptors = indexEntries(index.bytes, what);
  checkCount(descriptors.length, what);
  return { descriptors: distinct(descriptors), api: false, index };
}

const ABSENT: readonly string[] = [
  'registry/manifest-unknown',
  'registry/not-found',
  'registry/name-unknown',
];

async function readTag(client: RegistryClient, digest: Digest): Promise<ManifestBlob | undefined> {
  try {
    return await getManifest(client, referrersTag(digest));
  } catch (error) {
    if (isBootsealError(error) && ABSENT.includes(error.code)) return undefined;
    throw error;
  }
}

function indexEntries(bytes: Uint8Array, what: string): readonly Descriptor[] {
  const parsed = parseManifest(bytes);
  if (parsed.kind === 'index') return parsed.manifests;
  throw new BootsealError('registry/bad-reply', `${what}: the list is an image, not an index`);
}

function checkCount(count: number, what: string): void {
  if (count > MAX_REFERRERS) throw tooMany(`${what}: more than ${MAX_REFERRERS}`);
}

function tooMany(message: string): BootsealError {
  return new BootsealError('registry/too-many-referrers', message, {
    hint: 'somebody fills the repository; delete what refers to the image and is not needed',
  });
}

function distinct(descriptors: readonly Descriptor[]): readonly Descriptor[] {
  return [...new Map(descriptors.toReversed().map((each) => [each.digest, each])).values()].toReversed();
}
