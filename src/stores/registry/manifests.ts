/** Manifests: OCI distribution-spec "Pulling manifests", "Pushing manifests", "Listing tags". */
import { decodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import { digestOf, digestParts, isDigest, type Digest } from '../../formats/oci/digest.ts';
import { MAX_MANIFEST_SIZE, parseManifest } from '../../formats/oci/manifest.ts';
import { MEDIA_TYPES } from '../../formats/oci/media-types.ts';
import { isTag } from '../../formats/reference/docker-reference.ts';
import { digestMismatch } from '../checked-blob.ts';
import type { ManifestBlob } from '../image.ts';
import type { RegistryClient } from './client.ts';
import type { HttpReply } from './http.ts';
import { followLocation, isSameOrigin } from './redirect.ts';
import { safeText } from './redact.ts';

const ACCEPT = [
  MEDIA_TYPES.ociManifest,
  MEDIA_TYPES.ociIndex,
  MEDIA_TYPES.dockerManifest,
  MEDIA_TYPES.dockerList,
].join(', ');

/** Tags of one repository that are held in memory. */
const MAX_TAGS = 200_000;
const MAX_PAGE = 4 * 1024 * 1024;

/**
 * Reads a manifest by tag or digest. The digest is computed here from the bytes; what the server claims in
 * Docker-Content-Digest is not looked at. Throws `store/digest-mismatch`, `store/too-large`, `registry/…`.
 */
export function getManifest(client: RegistryClient, reference: string): Promise<ManifestBlob> {
  const what = `reading manifest ${reference} in ${client.repository}`;
  return client.retry.run(what, async () => {
    const reply = await client.send({
      method: 'GET',
      url: client.url(`manifests/${reference}`),
      headers: { accept: ACCEPT },
      actions: ['pull'],
    });
    if (reply.status !== 200) throw await client.failure(reply, what);
    const bytes = await reply.bytes(MAX_MANIFEST_SIZE, 'manifest');
    const digest = digestOf(bytes, isDigest(reference) ? digestParts(reference).algorithm : 'sha256');
    if (isDigest(reference) && digest !== reference) throw digestMismatch(reference, digest);
    return { bytes, digest, mediaType: mediaTypeOf(reply, bytes, what) };
  });
}

/** Content-Type without parameters. A server that says nothing useful leaves the document to say it. */
function mediaTypeOf(reply: HttpReply, bytes: Uint8Array, what: string): string {
  const type = (reply.header('content-type') ?? '').replace(/;.*$/s, '').trim().toLowerCase();
  if (type === 'text/html' || /^\s*</.test(decodeUtf8(bytes.subarray(0, 64)) ?? '')) throw notJson(what);
  if (
    type === '' ||
    type === 'text/plain' ||
    type === 'application/json' ||
    type === 'application/octet-stream'
  ) {
    return parseManifest(bytes).mediaType;
  }
  return type;
}

/** Writes a manifest under a tag or its digest. */
export async function putManifest(
  client: RegistryClient,
  reference: string,
  manifest: ManifestBlob,
): Promise<void> {
  const what = `writing manifest ${reference} to ${client.repository}`;
  await client.retry.run(what, async () => {
    const reply = await client.send({
      method: 'PUT',
      url: client.url(`manifests/${reference}`),
      headers: { 'content-type': manifest.mediaType },
      body: manifest.bytes,
      actions: ['pull', 'push'],
    });
    if (reply.status !== 201 && reply.status !== 200) throw await client.failure(reply, what);
    await reply.discard();
    const stored = reply.header('docker-content-digest');
    // A registry that changed the bytes would break every signature over them.
    if (
      stored !== undefined &&
      isDigest(stored) &&
      stored !== digestOf(manifest.bytes, digestParts(stored).algorithm)
    ) {
      throw new BootsealError(
        'registry/altered-manifest',
        `${what}: the registry stored ${stored}, not ${manifest.digest}`,
        {
          hint: 'this registry rewrites manifests: signatures cannot hold there',
        },
      );
    }
  });
}

/** Deletes a manifest by its digest. False where the registry does not delete; one that is gone already is deleted. */
export async function deleteManifest(client: RegistryClient, digest: Digest): Promise<boolean> {
  const what = `deleting manifest ${digest} in ${client.repository}`;
  return client.retry.run(what, async () => {
    const url = client.url(`manifests/${digest}`);
    const reply = await client.send({ method: 'DELETE', url, actions: ['pull', 'push', 'delete'] });
    if ([200, 202, 204, 404].includes(reply.status)) {
      await reply.discard();
      return true;
    }
    if ([400, 405, 501].includes(reply.status)) {
      await reply.discard();
      return false;
    }
    throw await client.failure(reply, what);
  });
}

/** All tags, in the order of the registry. */
export async function listTags(client: RegistryClient): Promise<string[]> {
  const what = `listing tags of ${client.repository}`;
  const tags: string[] = [];
  for (let url: URL | undefined = client.url('tags/list?n=1000'); url !== undefined;) {
    const page: URL = url;
    const found = await client.retry.run(what, async () => {
      const reply = await client.send({ method: 'GET', url: page, actions: ['pull'] });
      if (reply.status !== 200) throw await client.failure(reply, what);
      const bytes = await reply.bytes(MAX_PAGE, 'list of tags');
      return { tags: parseTags(bytes, what), next: nextPage(reply) };
    });
    tags.push(...found.tags);
    if (tags.length > MAX_TAGS)
      throw new BootsealError('store/too-large', `${what}: more than ${MAX_TAGS} tags`, {
        hint: 'no real repository has that many; ask who runs the registry',
      });
    // A page without tags that points on would go on for ever.
    url = found.tags.length === 0 ? undefined : found.next;
  }
  return tags;
}

function parseTags(bytes: Uint8Array, what: string): string[] {
  let reply: { readonly tags?: unknown } | null;
  try {
    reply = JSON.parse(decodeUtf8(bytes) ?? '') as typeof reply;
  } catch {
    throw notJson(what);
  }
  const tags = reply?.tags ?? [];
  if (!Array.isArray(tags)) throw notJson(what);
  return tags.map((tag: unknown) => {
    if (typeof tag === 'string' && isTag(tag)) return tag;
    throw new BootsealError(
      'registry/bad-reply',
      `${what}: ${JSON.stringify(safeText(String(tag)))} is not a tag`,
      {
        hint: 'the registry answers wrongly; ask who runs it',
      },
    );
  });
}

/** RFC 8288: `Link: </v2/…>; rel="next"`, within the registry only. */
export function nextPage(reply: HttpReply): URL | undefined {
  const link = reply.header('link');
  if (link === undefined || link.length > 8192) return undefined;
  const match = /^<([^>]*)>\s*;\s*rel="?next"?/.exec(link);
  if (match === null) return undefined;
  const next = followLocation(match[1], reply.url);
  return isSameOrigin(next, reply.url) ? next : undefined;
}

/** The tag under which cosign and containers/image keep the signatures of an image. */
export function attachmentTag(digest: Digest): string {
  return `${digest.replace(':', '-')}.sig`;
}

function notJson(what: string): BootsealError {
  return new BootsealError('registry/not-json', `${what}: the reply is not a JSON document`, {
    hint: 'a log-in page or a proxy may have answered instead of the registry',
  });
}
