/**
 * Simple signatures in the registry itself, as OpenShift's keeps them: `/extensions/v2/PATH/signatures/DIGEST`, offered
 * by a header of the reply to `/v2/` (signature-protocols.md of containers/image).
 */
import { randomBytes } from 'node:crypto';
import { encodeUtf8, equalBytes } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import type { Digest } from '../../formats/oci/digest.ts';
import { forEachMember, goBytes, goString } from '../../formats/strict-json/go-decode.ts';
import type { JsonNode } from '../../formats/strict-json/json-node.ts';
import { parseStrictJson } from '../../formats/strict-json/parser.ts';
import type { SignatureExtension, SimpleSignatures } from '../image.ts';
import type { RegistryClient } from './client.ts';

/** The whole list, upstream's limit. */
const MAX_LIST_SIZE = 4 * 1024 * 1024;
const MAX_SIGNATURES = 127;

/** Undefined where the registry does not offer it. Throws `lookaside/bad-list`, `lookaside/too-many`, `registry/…`. */
export async function getExtensionSignatures(
  client: RegistryClient,
  digest: Digest,
): Promise<SimpleSignatures | undefined> {
  return client.keepsSignatures ? list(client, digest) : undefined;
}

/** For a destination; undefined where the registry does not offer it. */
export function signatureExtension(client: RegistryClient): SignatureExtension | undefined {
  if (!client.keepsSignatures) return undefined;
  return {
    read: (digest) => list(client, digest),
    async append(digest, signatures) {
      const { files } = await list(client, digest);
      for (const signature of signatures) {
        if (!files.some(({ bytes }) => equalBytes(bytes, signature))) await put(client, digest, signature);
      }
    },
  };
}

function list(client: RegistryClient, digest: Digest): Promise<SimpleSignatures> {
  const url = client.extensionUrl(`signatures/${digest}`);
  const what = `downloading signatures for ${digest} in ${client.repository}`;
  return client.retry.run(what, async () => {
    const reply = await client.send({ method: 'GET', url, actions: ['pull'] });
    if (reply.status !== 200) throw await client.failure(reply, what);
    const files = readList(await reply.bytes(MAX_LIST_SIZE, 'list of signatures'));
    return { place: url.href, files };
  });
}

/** Adds one signature; the registry keeps the others. */
async function put(client: RegistryClient, digest: Digest, signature: Uint8Array): Promise<void> {
  const what = `uploading a signature of ${digest} in ${client.repository}`;
  const body = encodeUtf8(
    JSON.stringify({
      schemaVersion: 2,
      // The name only has to be new: no two signatures share one.
      name: `${digest}@${randomBytes(16).toString('hex')}`,
      type: 'atomic',
      content: Buffer.from(signature).toString('base64'),
    }),
  );
  const url = client.extensionUrl(`signatures/${digest}`);
  const reply = await client.send({
    method: 'PUT',
    url,
    body,
    headers: { 'content-type': 'application/json' },
    actions: ['pull', 'push'],
  });
  if (reply.status !== 201 && reply.status !== 200) throw await client.failure(reply, what);
  await reply.discard();
}

/** Entries of other types or versions are for others. */
function readList(bytes: Uint8Array): SimpleSignatures['files'] {
  const files: SimpleSignatures['files'][number][] = [];
  forEachMember(parseStrictJson(bytes, { maxSize: MAX_LIST_SIZE }), (key, value) => {
    if (key !== 'signatures' || value.kind === 'null') return true;
    if (value.kind !== 'array') throw badList('signatures is not a list');
    for (const item of value.items) {
      const entry = readEntry(item);
      if (entry.type === 'atomic' && entry.version === 2) {
        files.push({ name: entry.name, bytes: entry.content });
      }
    }
    return true;
  });
  if (files.length > MAX_SIGNATURES) {
    throw new BootsealError(
      'lookaside/too-many',
      `${files.length} signatures exceed the limit of ${MAX_SIGNATURES}`,
    );
  }
  return files;
}

function readEntry(node: JsonNode): {
  readonly version: number;
  readonly name: string;
  readonly type: string;
  readonly content: Uint8Array;
} {
  const entry = { version: 0, name: '', type: '', content: new Uint8Array(0) as Uint8Array };
  forEachMember(node, (key, value) => {
    if (key === 'schemaVersion') entry.version = value.kind === 'number' ? Number(value.text) : 0;
    else if (key === 'name') entry.name = goString(value);
    else if (key === 'type') entry.type = goString(value);
    else if (key === 'content') entry.content = goBytes(value) ?? entry.content;
    return true;
  });
  return entry;
}

function badList(message: string): BootsealError {
  return new BootsealError('lookaside/bad-list', message, { hint: 'is this a registry?' });
}
