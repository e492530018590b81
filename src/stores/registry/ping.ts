/** The first request: whether `/v2/` is there, by which scheme, and how it wants to know us. */
import { BootsealError, isBootsealError } from '../../errors.ts';
import { isLoopback } from './address.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import { replyError } from './error.ts';
import type { HttpClient, HttpReply } from './http.ts';

export interface Endpoint {
  /** Origin, for example `https://quay.io`. */
  readonly base: URL;
  readonly challenges: readonly Challenge[];
  /** It keeps simple signatures itself, and a look-aside store is not asked (signature-protocols.md). */
  readonly keepsSignatures: boolean;
}

/** Failures of https after which plain HTTP may be what is spoken there. A refused certificate is none of them. */
const PLAIN_HTTP_SIGNS: readonly string[] = [
  'registry/not-tls',
  'registry/unreachable',
  'registry/connection-lost',
];

/** The host that serves docker.io is called otherwise. */
export function apiHost(domain: string): string {
  return domain === 'docker.io' ? 'registry-1.docker.io' : domain;
}

/**
 * Asks https, and where that is not spoken and may be left out, plain HTTP: when `tlsVerify` is false, or for loopback
 * hosts when it is undefined. Those are asked the other way round: nobody stands between us and them, and loading
 * certificate authorities takes longer than everything else.
 */
export async function ping(
  http: HttpClient,
  domain: string,
  tlsVerify: boolean | undefined,
): Promise<Endpoint> {
  const secure = new URL(`https://${apiHost(domain)}`);
  const plain = new URL(`http://${apiHost(domain)}`);
  if (tlsVerify === undefined && isLoopback(secure.hostname)) return pingLoopback(http, plain, secure);
  try {
    return await pingAt(http, secure);
  } catch (error) {
    if (tlsVerify !== false || !isBootsealError(error) || !PLAIN_HTTP_SIGNS.includes(error.code)) throw error;
    return pingAt(http, plain);
  }
}

async function pingLoopback(http: HttpClient, plain: URL, secure: URL): Promise<Endpoint> {
  try {
    return await pingAt(http, plain);
  } catch (error) {
    // A TLS server that is asked in plain HTTP hangs up, or says 400; it is asked once more in its own language.
    return pingAt(http, secure).catch((second: unknown) => {
      const spokeTls = isBootsealError(second) && !PLAIN_HTTP_SIGNS.includes(second.code);
      throw spokeTls ? second : error;
    });
  }
}

async function pingAt(http: HttpClient, base: URL): Promise<Endpoint> {
  const reply = await http.send({ method: 'GET', url: new URL('/v2/', base) });
  await reply.discard();
  const keepsSignatures = reply.header('x-registry-supports-signatures') === '1';
  if (reply.status === 401) return { base, challenges: challengesOf(reply), keepsSignatures };
  if (reply.status === 200) return { base, challenges: [], keepsSignatures };
  if (reply.status === 429 || reply.status >= 500) {
    throw replyError(
      { status: reply.status, url: reply.url, body: '' },
      `pinging container registry ${base.host}`,
    );
  }
  throw new BootsealError(
    'registry/no-api',
    `${base.host}: /v2/ answers HTTP ${reply.status}: not a container registry`,
    {
      hint: 'check the host and port in the image name',
    },
  );
}

export function challengesOf(reply: HttpReply): Challenge[] {
  return reply
    .headerAll('www-authenticate')
    .slice(0, 8)
    .flatMap((header) => parseChallenges(header));
}
