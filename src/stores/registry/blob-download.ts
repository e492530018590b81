/** Downloading blobs, OCI distribution-spec "Pulling blobs". What breaks off goes on where it stopped, in the same hash. */
import { BootsealError } from '../../errors.ts';
import type { Descriptor } from '../../formats/oci/descriptor.ts';
import { checkedForReader, sizeMismatch } from '../checked-blob.ts';
import type { ReadOptions } from '../image.ts';
import type { RegistryClient } from './client.ts';
import type { HttpReply } from './http.ts';

/** Bytes from which on a connection of its own is worth its making. */
const BULK = 1024 * 1024;

/** A registry that gives a little each time and then breaks off would keep us for ever. */
const MAX_RESUMES = 100;

/** The bytes of a blob; the iteration checks length and digest while they pass. */
export function getBlob(
  client: RegistryClient,
  blob: Descriptor,
  options: ReadOptions = {},
): AsyncIterable<Uint8Array> {
  return checkedForReader(blob, resumingDownload(client, blob, options), options);
}

async function* resumingDownload(
  client: RegistryClient,
  blob: Descriptor,
  options: ReadOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const what = `reading blob ${blob.digest} in ${client.repository}`;
  let offset = options.checkedByDestination === true ? (options.offset ?? 0) : 0;
  let resumed = 0;
  for (let attempt = 1; ; attempt += 1) {
    try {
      // The registry is asked each time: a storage URL it gave before may have expired.
      const { reply, skip } = await requestFrom(client, blob, offset, what, options);
      let toSkip = skip;
      for await (const part of reply.body) {
        const fresh = part.subarray(Math.min(toSkip, part.length));
        toSkip -= part.length - fresh.length;
        if (fresh.length === 0) continue;
        offset += fresh.length;
        // Only failures in a row count: progress makes the next pause short again.
        attempt = 1;
        yield fresh;
      }
      if (offset >= blob.size) return;
      throw new BootsealError(
        'registry/connection-lost',
        `${what}: ended after ${offset} of ${blob.size} bytes`,
        {
          hint: 'try again; the registry sends less than it announces',
        },
      );
    } catch (error) {
      if (resumed >= MAX_RESUMES) throw error;
      resumed += 1;
      await client.retry.pause(what, attempt, error);
      if (offset > 0) client.report({ kind: 'resume', what, offset });
    }
  }
}

/** Asks for the rest from `offset`. `skip` bytes of the body have been had already. */
async function requestFrom(
  client: RegistryClient,
  blob: Descriptor,
  offset: number,
  what: string,
  { signal, reuseChunks }: ReadOptions,
): Promise<{ readonly reply: HttpReply; readonly skip: number }> {
  const reply = await client.send({
    method: 'GET',
    url: client.url(`blobs/${blob.digest}`),
    headers: offset === 0 ? {} : { range: `bytes=${offset}-` },
    actions: ['pull'],
    bulk: reuseChunks === true && blob.size - offset >= BULK,
    ...(signal && { signal }),
  });
  if (reply.status === 200) {
    await expectLength(reply, blob, blob.size);
    return { reply, skip: offset };
  }
  if (reply.status === 206 && offset > 0) {
    const start = /^bytes ([0-9]{1,15})-/.exec(reply.header('content-range') ?? '')?.[1];
    if (Number(start) !== offset) {
      await reply.discard();
      throw new BootsealError('registry/bad-range', `${what}: asked from byte ${offset}, got another range`, {
        hint: 'the registry answers range requests wrongly; ask who runs it',
      });
    }
    await expectLength(reply, blob, blob.size - offset);
    return { reply, skip: 0 };
  }
  throw await client.failure(reply, what);
}

/** A wrong announced length is known before the first byte. */
async function expectLength(reply: HttpReply, blob: Descriptor, expected: number): Promise<void> {
  const announced = reply.header('content-length');
  if (announced === undefined || Number(announced) === expected) return;
  await reply.discard();
  throw sizeMismatch(blob, `${Number(announced) + blob.size - expected}`);
}
