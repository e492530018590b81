/** Bearer tokens: distribution "Token Authentication Specification" and its OAuth2 form for identity tokens. */
import { decodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import type { AuthEntry } from '../../formats/auth-json/reader.ts';
import { isInternalAddress, isLoopback } from './address.ts';
import type { Challenge } from './challenge.ts';
import { replyError } from './error.ts';
import type { HttpClient, HttpReply } from './http.ts';
import { safeText, safeUrl } from './redact.ts';
import { parseRetryAfter } from './retry.ts';
import { formatScope, type Scope } from './scope.ts';

export interface Token {
  readonly value: string;
  /** Milliseconds since 1970; after that a new one is asked for. */
  readonly expires: number;
}

/** 1 MiB, as containers/image bounds the body. */
const MAX_TOKEN_BODY = 1024 * 1024;
/** No server takes a longer header; refused before anything looks into it. */
const MAX_TOKEN = 64 * 1024;
/** Seconds: registries that name no lifetime, or a shorter one, mean this. */
const MIN_LIFETIME = 60;
/** Seconds: a day is enough for any copy, and a far date would overflow nothing but sense. */
const MAX_LIFETIME = 86_400;
/** Seconds before its end when a token is no longer used. */
const MARGIN = 5;

/** Asks the realm of `challenge` for a token. Throws `registry/realm-refused`, `registry/bad-token`, and what requests throw. */
export async function fetchToken(
  http: HttpClient,
  registry: URL,
  challenge: Challenge,
  scopes: readonly Scope[],
  credentials: AuthEntry | undefined,
): Promise<Token> {
  const realm = checkRealm(challenge.parameters.get('realm'), registry);
  const service = challenge.parameters.get('service');
  const reply =
    credentials?.identityToken === undefined
      ? await getToken(http, realm, service, scopes, credentials)
      : await postToken(http, realm, service, scopes, credentials.identityToken);
  const body = await reply.bytes(MAX_TOKEN_BODY, 'token reply');
  if (reply.status !== 200) {
    const text = decodeUtf8(body.subarray(0, 4096)) ?? '';
    const retryAfter = parseRetryAfter(reply.header('retry-after'));
    const failed = {
      status: reply.status,
      url: realm,
      body: text,
      ...(retryAfter !== undefined && { retryAfter }),
    };
    throw replyError(failed, `asking ${realm.host} for a token`);
  }
  return parseToken(body);
}

/**
 * The realm says where the password goes, and the registry chose it. It must have TLS unless the registry itself
 * has none, and may be an internal address only where the registry has the same.
 */
export function checkRealm(realm: string | undefined, registry: URL): URL {
  if (realm === undefined) throw realmRefused('challenge names no realm');
  let url: URL;
  try {
    url = new URL(realm);
  } catch {
    throw realmRefused(`${JSON.stringify(safeText(realm))} is not a URL`);
  }
  if (url.username !== '' || url.password !== '')
    throw realmRefused(`${safeUrl(url)} holds a user or password`);
  const isOwn =
    url.hostname === registry.hostname || (isLoopback(url.hostname) && isLoopback(registry.hostname));
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && registry.protocol === 'http:' && isOwn)) {
    throw realmRefused(`${safeUrl(url)} has no TLS`);
  }
  if (!isOwn && isInternalAddress(url.hostname)) throw realmRefused(`${safeUrl(url)} is an internal address`);
  return url;
}

function getToken(
  http: HttpClient,
  realm: URL,
  service: string | undefined,
  scopes: readonly Scope[],
  credentials: AuthEntry | undefined,
): Promise<HttpReply> {
  const url = new URL(realm);
  if (credentials !== undefined) url.searchParams.set('account', credentials.username);
  if (service !== undefined) url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', formatScope(scope));
  return http.send({
    method: 'GET',
    url,
    headers: credentials === undefined ? {} : { authorization: basic(credentials) },
  });
}

function postToken(
  http: HttpClient,
  realm: URL,
  service: string | undefined,
  scopes: readonly Scope[],
  identityToken: string,
): Promise<HttpReply> {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: identityToken,
    client_id: 'bootseal',
  });
  if (service !== undefined) form.set('service', service);
  if (scopes.length > 0) form.set('scope', scopes.map(formatScope).join(' '));
  return http.send({
    method: 'POST',
    url: realm,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(form.toString()),
  });
}

/** The value of an Authorization header, RFC 7617. */
export function basic(credentials: AuthEntry): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
}

/** `{"token" or "access_token", "expires_in"}`. Throws `registry/bad-token`. */
export function parseToken(body: Uint8Array, now: number = Date.now()): Token {
  const text = decodeUtf8(body);
  let reply: {
    readonly token?: unknown;
    readonly access_token?: unknown;
    readonly expires_in?: unknown;
  } | null;
  try {
    reply = JSON.parse(text ?? '') as typeof reply;
  } catch {
    throw badToken('the reply is not JSON');
  }
  const found = [reply?.token, reply?.access_token].find((each) => typeof each === 'string' && each !== '');
  if (typeof found !== 'string') throw badToken('the reply holds no token');
  if (found.length > MAX_TOKEN) throw badToken(`the token has ${found.length} characters`);
  // It becomes a header: nothing that could end the line.
  if (!/^[\x21-\x7e]+$/.test(found)) throw badToken('the token holds characters that no header may');
  const lifetime = typeof reply?.expires_in === 'number' ? reply.expires_in : MIN_LIFETIME;
  const seconds = Math.min(Math.max(lifetime, MIN_LIFETIME), MAX_LIFETIME) - MARGIN;
  return { value: found, expires: now + seconds * 1000 };
}

function realmRefused(why: string): BootsealError {
  return new BootsealError('registry/realm-refused', `token realm refused: ${why}`, {
    hint: 'credentials are sent only over TLS and not to internal addresses; ask who runs the registry',
  });
}

function badToken(why: string): BootsealError {
  return new BootsealError('registry/bad-token', `token server: ${why}`, {
    hint: 'ask who runs the registry',
  });
}
