/** Uploading blobs, OCI distribution-spec "Pushing blobs" and "Mounting a blob from another repository". */
import { BootsealError, isBootsealError } from '../../errors.ts';
import type { Descriptor } from '../../formats/oci/descriptor.ts';
import { isDigest } from '../../formats/oci/digest.ts';
import { checkedBlob } from '../checked-blob.ts';
import type { RegistryClient } from './client.ts';
import { mayPass } from './error.ts';
import type { HttpReply } from './http.ts';
import { followLocation } from './redirect.ts';

/**
 * Bytes a request. A chunk is held in memory until the registry has it, so that a broken connection can be
 * mended; object stores behind registries want at least 5 MiB.
 */
export const CHUNK_SIZE: number = 8 * 1024 * 1024;

/** Bytes a second that a slow registry moves within its own storage. */
const STORE_SPEED = 10_000_000;

export async function hasBlob(client: RegistryClient, blob: Descriptor): Promise<boolean> {
  const what = `checking whether blob ${blob.digest} is in ${client.repository}`;
  return client.retry.run(what, async () => {
    const reply = await client.send({
      method: 'HEAD',
      url: client.url(`blobs/${blob.digest}`),
      actions: ['pull', 'push'],
    });
    await reply.discard();
    if (reply.status === 404) return false;
    if (reply.status !== 200) throw await client.failure(reply, what);
    const length = reply.header('content-length');
    return length === undefined || Number(length) === blob.size;
  });
}

/** Takes a blob over from `from` (a repository path of the same registry). False: the registry would not. */
export async function mountBlob(client: RegistryClient, blob: Descriptor, from: string): Promise<boolean> {
  const what = `mounting blob ${blob.digest} from ${from}`;
  return client.retry.run(what, async () => {
    const url = client.url('blobs/uploads/');
    url.searchParams.set('mount', blob.digest);
    url.searchParams.set('from', from);
    const reply = await client.send({ method: 'POST', url, actions: ['pull', 'push'], alsoPull: from });
    if (reply.status === 201) {
      await reply.discard();
      return true;
    }
    // 202 is an upload session instead: the caller will open its own when it knows that it needs one.
    if (reply.status === 202) {
      await reply.discard();
      await cancel(client, locationOf(reply));
      return false;
    }
    const failure = await client.failure(reply, what);
    if (mayPass(failure)) throw failure;
    return false;
  });
}

/**
 * Uploads the bytes; the registry is told the digest only after it was checked here. Small blobs go in one
 * request, larger ones in chunks. A failure cancels the upload: nothing of it stays visible.
 */
export async function putBlob(
  client: RegistryClient,
  blob: Descriptor,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const context: Upload = {
    client,
    blob,
    what: `writing blob ${blob.digest} to ${client.repository}`,
    signal,
  };
  const chunks = inChunks(checkedBlob(blob, bytes), blob.size);
  if (blob.size > CHUNK_SIZE) return uploadChunks(context, chunks);
  // In memory as a whole, and checked, before anything is sent.
  let whole: Uint8Array = new Uint8Array();
  for await (const chunk of chunks) whole = chunk;
  await uploadWhole(context, whole);
}

interface Upload {
  readonly client: RegistryClient;
  readonly blob: Descriptor;
  readonly what: string;
  readonly signal: AbortSignal | undefined;
}

async function uploadWhole(upload: Upload, bytes: Uint8Array): Promise<void> {
  await upload.client.retry.run(upload.what, async () => {
    const location = await start(upload);
    try {
      await finish(upload, location, bytes);
    } catch (error) {
      await cancel(upload.client, location);
      throw error;
    }
  });
}

async function uploadChunks(upload: Upload, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  let location = await upload.client.retry.run(upload.what, () => start(upload));
  try {
    let offset = 0;
    for await (const chunk of chunks) {
      location = await sendChunk(upload, location, chunk, offset);
      offset += chunk.length;
    }
    await finishChunks(upload, location);
  } catch (error) {
    await cancel(upload.client, location);
    throw error;
  }
}

/** A reply that was lost may have been a yes: then the upload is gone, and the blob is there. */
async function finishChunks(upload: Upload, location: URL): Promise<void> {
  try {
    await upload.client.retry.run(upload.what, () => finish(upload, location, undefined));
  } catch (error) {
    if (await hasBlob(upload.client, upload.blob).catch(() => false)) return;
    throw error;
  }
}

/** One chunk, `offset` being its place in the blob. Returns where the next one goes. */
async function sendChunk(upload: Upload, location: URL, chunk: Uint8Array, offset: number): Promise<URL> {
  const { client, what } = upload;
  let at = location;
  let sent = 0;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const part = chunk.subarray(sent);
      const from = offset + sent;
      const reply = await request(upload, 'PATCH', at, part, `${from}-${from + part.length - 1}`);
      if (reply.status !== 202 && reply.status !== 204) throw await client.failure(reply, what);
      await reply.discard();
      return locationOf(reply);
    } catch (error) {
      await client.retry.pause(what, attempt, error);
      // The registry knows how much arrived before the connection broke.
      const progress = await client.retry.run(what, () => uploadProgress(upload, at));
      at = progress.location;
      sent = progress.received - offset;
      if (sent < 0 || sent > chunk.length) throw lost(upload, progress.received);
      client.report({ kind: 'resume', what, offset: progress.received });
      if (sent === chunk.length) return at;
    }
  }
}

async function uploadProgress(upload: Upload, location: URL): Promise<{ location: URL; received: number }> {
  const reply = await request(upload, 'GET', location);
  if (reply.status !== 204 && reply.status !== 202 && reply.status !== 200) {
    throw await upload.client.failure(reply, upload.what);
  }
  await reply.discard();
  const last = /^(?:bytes=)?0-([0-9]{1,15})$/.exec(reply.header('range') ?? '')?.[1];
  // The reference registry says 0-0 for nothing and for one byte; nothing is what a broken request leaves.
  const received = last === undefined || last === '0' ? 0 : Number(last) + 1;
  return { received, location: reply.header('location') === undefined ? location : locationOf(reply) };
}

async function start(upload: Upload): Promise<URL> {
  const { client, what } = upload;
  const reply = await request(upload, 'POST', client.url('blobs/uploads/'));
  if (reply.status !== 202) throw await client.failure(reply, what);
  await reply.discard();
  return locationOf(reply);
}

/** PUT with the digest, and with the bytes where they are one piece. */
async function finish(upload: Upload, location: URL, bytes: Uint8Array | undefined): Promise<void> {
  const { client, blob, what } = upload;
  const url = new URL(location);
  // The Location's own query is the registry's state: it must stay as it is.
  url.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(blob.digest)}`;
  const reply = await request(upload, 'PUT', url, bytes ?? new Uint8Array());
  if (reply.status !== 201 && reply.status !== 204) throw await client.failure(reply, what);
  await reply.discard();
  const stored = reply.header('docker-content-digest');
  if (stored !== undefined && isDigest(stored) && stored !== blob.digest) {
    throw new BootsealError('registry/altered-blob', `${what}: the registry stored ${stored}`, {
      hint: 'the registry changes what it stores; ask who runs it',
    });
  }
}

function request(
  upload: Upload,
  method: 'POST' | 'PUT' | 'PATCH' | 'GET',
  url: URL,
  body?: Uint8Array,
  range?: string,
): Promise<HttpReply> {
  // A registry hashes the whole blob, and may move it, before it answers the PUT.
  const patience = method === 'PUT' ? (upload.blob.size / STORE_SPEED) * 1000 : 0;
  return upload.client.send({
    method,
    url,
    headers: {
      ...(body && { 'content-type': 'application/octet-stream' }),
      ...(range !== undefined && { 'content-range': range }),
    },
    ...(body && { body }),
    ...(upload.signal && { signal: upload.signal }),
    patience,
    actions: ['pull', 'push'],
  });
}

/** Best effort: a registry forgets unfinished uploads by itself. */
async function cancel(client: RegistryClient, location: URL): Promise<void> {
  try {
    const reply = await client.send({ method: 'DELETE', url: location, actions: ['pull', 'push'] });
    await reply.discard();
  } catch (error) {
    if (!isBootsealError(error) && !(error instanceof Error && error.name === 'AbortError')) throw error;
  }
}

function locationOf(reply: HttpReply): URL {
  return followLocation(reply.header('location'), reply.url);
}

function lost(upload: Upload, received: number): BootsealError {
  return new BootsealError(
    'registry/upload-lost',
    `${upload.what}: the registry says that it has ${received} bytes`,
    {
      hint: 'the upload cannot be continued; start again',
    },
  );
}

/** Regroups `total` bytes into pieces of CHUNK_SIZE; the last may be shorter. */
async function* inChunks(
  bytes: AsyncIterable<Uint8Array>,
  total: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let rest = total;
  let chunk = Buffer.allocUnsafeSlow(Math.min(rest, CHUNK_SIZE));
  let length = 0;
  for await (const part of bytes) {
    for (let at = 0; at < part.length;) {
      const piece = part.subarray(at, at + chunk.length - length);
      chunk.set(piece, length);
      length += piece.length;
      at += piece.length;
      if (length < chunk.length) continue;
      // The last one is handed out only when the iteration has ended, and so has been checked.
      if (rest === length) continue;
      yield chunk;
      rest -= length;
      chunk = Buffer.allocUnsafeSlow(Math.min(rest, CHUNK_SIZE));
      length = 0;
    }
  }
  if (length > 0) yield chunk;
}
