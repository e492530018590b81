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
 * Asks https first. Plain HTTP is tried when `tlsVerify` is false, or for loopback hosts when it is undefined,
 * and only where https did not answer as TLS at all.
 */
export async function ping(
  http: HttpClient,
  domain: string,
  tlsVerify: boolean | undefined,
): Promise<Endpoint> {
  const base = new URL(`https://${apiHost(domain)}`);
  try {
    return await pingAt(http, base);
  } catch (error) {
    const mayBePlain = tlsVerify === false || (tlsVerify === undefined && isLoopback(base.hostname));
    if (!mayBePlain || !isBootsealError(error) || !PLAIN_HTTP_SIGNS.includes(error.code)) throw error;
    return pingAt(http, new URL(`http://${apiHost(domain)}`));
  }
}

async function pingAt(http: HttpClient, base: URL): Promise<Endpoint> {
  const reply = await http.send({ method: 'GET', url: new URL('/v2/', base) });
  await reply.discard();
  if (reply.status === 401) return { base, challenges: challengesOf(reply) };
  if (reply.status === 200) return { base, challenges: [] };
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
