/** Reading simple signatures from a look-aside store, local or on a web server. */
import { STATUS_CODES } from 'node:http';
import { BootsealError, isBootsealError } from '../../errors.ts';
import type { Digest } from '../../formats/oci/digest.ts';
import type { SimpleSignatures, WebClient, WebReply } from '../image.ts';
import { followLocation, isSameOrigin, MAX_REDIRECTS } from '../registry/redirect.ts';
import { errnoOf, readSmallFile } from '../trust-files/read-file.ts';
import { lookasideLocation, type LookasideLocation } from './location.ts';

/** For each signature, and for as many: both are upstream's, where the 128th is the one too many. */
const MAX_SIGNATURE_SIZE = 4 * 1024 * 1024;
const TOO_MANY = 128;

/**
 * Signatures 1, 2, … up to the first that is not there. Anything but "not there" ends the reading with an error, as it
 * does for the peers: a store that answers 403 must not pass for one without signatures. `inspect` sees each before the
 * next is asked for, and may throw: a server that sends a page for every name is told from one with many signatures. Throws
 * `lookaside/unsupported-scheme`, `lookaside/too-many`, `lookaside/too-large`, `lookaside/bad-url`,
 * `lookaside/unreadable` and, for a server, `lookaside/unexpected-status` and `registry/…`.
 */
export async function readLookaside(
  base: string,
  path: string,
  digest: Digest,
  web: WebClient | undefined,
  inspect?: (file: SimpleSignatures['files'][number]) => void,
): Promise<SimpleSignatures> {
  const location = lookasideLocation(base, path, digest);
  const files: SimpleSignatures['files'][number][] = [];
  for (let number = 1; ; number += 1) {
    const found = await readOne(location, number, web);
    if (found === undefined) return { place: location.shown, files };
    const file = { name: location.text(number), ...found };
    inspect?.(file);
    files.push(file);
    if (number === TOO_MANY) {
      throw new BootsealError(
        'lookaside/too-many',
        `server provided ${number} signatures, assuming that's unreasonable and a server error`,
        { where: location.shown, hint: `remove signatures until there are fewer than ${TOO_MANY}` },
      );
    }
  }
}

interface Found {
  readonly bytes: Uint8Array;
  readonly isHtml: boolean;
}

async function readOne(
  location: LookasideLocation,
  number: number,
  web: WebClient | undefined,
): Promise<Found | undefined> {
  switch (location.scheme) {
    case 'file':
      return readFile(`${location.folder}/signature-${number}`);
    case 'http':
    case 'https':
      if (web === undefined)
        throw new BootsealError('internal/unreachable', 'no way to ask a look-aside server');
      return fetchFile(web, location, number);
    default:
      throw new BootsealError(
        'lookaside/unsupported-scheme',
        `Unsupported scheme when reading signature from ${location.text(number)}`,
        { hint: 'a lookaside in registries.d begins with file://, https:// or http://' },
      );
  }
}

async function readFile(file: string): Promise<Found | undefined> {
  try {
    const bytes = await readSmallFile(file, { maxSize: MAX_SIGNATURE_SIZE, code: 'lookaside/unreadable' });
    return { bytes, isHtml: false };
  } catch (error) {
    if (isBootsealError(error) && errnoOf(error.cause) === 'ENOENT') return undefined;
    throw error;
  }
}

async function fetchFile(
  web: WebClient,
  location: LookasideLocation,
  number: number,
): Promise<Found | undefined> {
  const reply = await follow(web, location.url(number));
  if (reply.status === 404) {
    await reply.discard();
    return undefined;
  }
  if (reply.status !== 200) {
    await reply.discard();
    const words = `${reply.status} ${STATUS_CODES[reply.status] ?? ''}`.trimEnd();
    throw new BootsealError(
      'lookaside/unexpected-status',
      `reading signature from ${location.text(number)}: received unexpected HTTP status: ${words}`,
      {
        hint:
          reply.status === 403
            ? 'a store must answer 404 where there is no further signature; S3 does so when listing is allowed'
            : 'ask who runs the look-aside server',
      },
    );
  }
  const isHtml = /^text\/html\b/i.test(reply.header('content-type') ?? '');
  return { bytes: await wholeBody(reply), isHtml };
}

async function wholeBody(reply: WebReply): Promise<Uint8Array> {
  try {
    return await reply.bytes(MAX_SIGNATURE_SIZE, 'signature');
  } catch (error) {
    if (!isBootsealError(error) || error.code !== 'store/too-large') throw error;
    throw new BootsealError(
      'lookaside/too-large',
      `exceeded maximum allowed size of ${MAX_SIGNATURE_SIZE} bytes`,
      { cause: error },
    );
  }
}

/** A user and password of the base go to its own origin only. */
async function follow(web: WebClient, start: URL): Promise<WebReply> {
  const { username, password } = start;
  const origin = new URL(start);
  origin.username = '';
  origin.password = '';
  const authorization = `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`;
  let url = origin;
  for (let hops = 0; ; hops += 1) {
    const isOwn = username !== '' && isSameOrigin(url, origin);
    const reply = await web.send({ method: 'GET', url, ...(isOwn && { headers: { authorization } }) });
    if (![301, 302, 303, 307, 308].includes(reply.status)) return reply;
    await reply.discard();
    if (hops === MAX_REDIRECTS) {
      throw new BootsealError(
        'registry/redirect-refused',
        `more than ${MAX_REDIRECTS} redirects from ${origin.host}`,
        { hint: 'the look-aside server redirects in a circle; ask who runs it' },
      );
    }
    url = followLocation(reply.header('location'), url);
  }
}
