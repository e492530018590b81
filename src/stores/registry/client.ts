/** Requests to one repository: address, authorisation, redirects. The operations are in the files beside this one. */
import { decodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import type { AuthEntry } from '../../formats/auth-json/reader.ts';
import { repositoryName, type DockerReference } from '../../formats/reference/docker-reference.ts';
import type { TransportEvent, TransportOptions } from '../transport-options.ts';
import { basic, fetchToken, type Token } from './bearer.ts';
import type { Challenge } from './challenge.ts';
import { findCredentials } from './credentials.ts';
import { replyError } from './error.ts';
import { makeHttpClient, type HttpClient, type HttpReply, type HttpRequest } from './http.ts';
import { challengesOf, ping, type Endpoint } from './ping.ts';
import { followLocation, isSameOrigin, MAX_REDIRECTS } from './redirect.ts';
import { makeRetry, parseRetryAfter, type Retry } from './retry.ts';
import { scopeKey, type Action, type Scope } from './scope.ts';
import { tlsSettings } from './tls.ts';

export interface RegistryClient {
  /** Repository path without the host. */
  readonly path: string;
  /** `quay.io/acme/os`, for messages. */
  readonly repository: string;
  /** The registry keeps simple signatures itself. */
  readonly keepsSignatures: boolean;
  /** For other servers; without authorisation. */
  readonly http: HttpClient;
  readonly retry: Retry;
  readonly report: (event: TransportEvent) => void;
  /** The URL of `/v2/PATH/` and the rest. */
  url(rest: string): URL;
  /** The URL of `/extensions/v2/PATH/` and the rest. */
  extensionUrl(rest: string): URL;
  /** One request with authorisation; redirects of GET and HEAD are followed. Not retried, but for one 401. */
  send(request: ApiRequest): Promise<HttpReply>;
  /** The error for a reply that is no success; reads the reply. `what` says what was being done. */
  failure(reply: HttpReply, what: string): Promise<BootsealError>;
  close(): Promise<void>;
}

export interface ApiRequest extends HttpRequest {
  readonly actions: readonly Action[];
  /** Another repository to read from in the same request (mounting a blob). */
  readonly alsoPull?: string;
}

/** Enough for any error document; the rest of a hostile one stays unread. */
const MAX_ERROR_BODY = 64 * 1024;

/** Finds out how the registry is reached and who we are to it. Throws `registry/…`, `auth/…`. */
export async function openClient(
  reference: DockerReference,
  options: TransportOptions,
): Promise<RegistryClient> {
  const { domain, path } = reference;
  const repository = repositoryName(reference);
  const report = options.onProgress ?? ((): void => undefined);
  const connect = (): HttpClient =>
    makeHttpClient({
      // Certificates and leniency given for the registry are for it alone, not for where it redirects to.
      tls: (host) =>
        host === endpointHost(domain)
          ? tlsSettings(domain, options.certDir, options.tlsVerify !== false)
          : tlsSettings(host, undefined, options.tlsVerify !== false),
      report,
      ...(options.proxy !== undefined && { proxy: options.proxy }),
      ...(options.timeouts && { timeouts: options.timeouts }),
      ...(options.signal && { signal: options.signal }),
      ...(options.userAgent !== undefined && { userAgent: options.userAgent }),
    });
  // Of one registry, asked with one set of options, a session keeps what does not depend on the image.
  const { session, proxy, certDir, tlsVerify } = options;
  const share = <T extends object>(what: string, make: () => T): T =>
    session === undefined
      ? make()
      : session.share(JSON.stringify([what, domain, proxy, certDir, tlsVerify]), make);
  const http = share('connections', () => {
    const client = connect();
    session?.own(() => client.close());
    return client;
  });
  const close = session === undefined ? () => http.close() : () => Promise.resolve();
  const retry = makeRetry(options.retry, options.signal, report);
  try {
    const endpoint = await share('endpoint', () =>
      retry.run(`pinging ${domain}`, () => ping(http, domain, options.tlsVerify)),
    );
    const credentials =
      options.credentials ??
      (await share(`credentials for ${repository}`, () =>
        findCredentials(
          domain,
          repository,
          options.authFile,
          options.env,
          options.registriesConf?.credentialHelpers,
        ),
      ));
    const authorisation = share(`authorisation for ${repository}`, () =>
      makeAuthorisation(http, endpoint, credentials),
    );
    return {
      path,
      repository,
      keepsSignatures: endpoint.keepsSignatures,
      http,
      retry,
      report,
      url: (rest) => new URL(`/v2/${path}/${rest}`, endpoint.base),
      extensionUrl: (rest) => new URL(`/extensions/v2/${path}/${rest}`, endpoint.base),
      send: (request) => sendAuthorised(http, endpoint.base, authorisation, request, path),
      failure: describeFailure,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function endpointHost(domain: string): string {
  return domain === 'docker.io' ? 'registry-1.docker.io' : new URL(`https://${domain}`).host;
}

async function describeFailure(reply: HttpReply, what: string): Promise<BootsealError> {
  const retryAfter = parseRetryAfter(reply.header('retry-after'));
  // Of a reply that breaks off while telling what is wrong, the status still says enough.
  const body = await reply.bytes(MAX_ERROR_BODY, 'error reply').catch(() => new Uint8Array());
  const failed = { status: reply.status, url: reply.url, body: decodeUtf8(body) ?? '' };
  return replyError({ ...failed, ...(retryAfter !== undefined && { retryAfter }) }, what);
}

interface Authorisation {
  header(scopes: readonly Scope[]): Promise<string | undefined>;
  /** Forgets what `header` gave; `challenges` of the refusal replace those of the ping. True if there is sense in a second try. */
  refused(scopes: readonly Scope[], challenges: readonly Challenge[]): boolean;
}

function makeAuthorisation(
  http: HttpClient,
  endpoint: Endpoint,
  credentials: AuthEntry | undefined,
): Authorisation {
  const tokens = new Map<string, Promise<Token>>();
  let { challenges } = endpoint;

  async function token(challenge: Challenge, scopes: readonly Scope[]): Promise<string> {
    const key = scopeKey(scopes);
    const known = await tokens.get(key)?.catch(() => undefined);
    if (known !== undefined && known.expires > Date.now()) return known.value;
    // Several requests at once share one question to the token server.
    const asked = fetchToken(http, endpoint.base, challenge, scopes, credentials);
    tokens.set(key, asked);
    return (await asked).value;
  }

  const usable = (): Challenge | undefined =>
    challenges.find(({ scheme }) => scheme === 'bearer' || (scheme === 'basic' && credentials !== undefined));

  return {
    async header(scopes) {
      const challenge = usable();
      if (challenge === undefined) return undefined;
      if (challenge.scheme === 'bearer') return `Bearer ${await token(challenge, scopes)}`;
      return credentials === undefined ? undefined : basic(credentials);
    },
    refused(scopes, fresh) {
      const before = usable();
      if (fresh.length > 0) challenges = fresh;
      tokens.delete(scopeKey(scopes));
      const now = usable();
      // The same password again would only count against the account.
      return now !== undefined && (now.scheme === 'bearer' || before?.scheme !== 'basic');
    },
  };
}

async function sendAuthorised(
  http: HttpClient,
  base: URL,
  authorisation: Authorisation,
  request: ApiRequest,
  path: string,
): Promise<HttpReply> {
  const scopes: Scope[] = [{ path, actions: request.actions }];
  if (request.alsoPull !== undefined) scopes.push({ path: request.alsoPull, actions: ['pull'] });
  for (let attempt = 1; ; attempt += 1) {
    // Credentials are for the registry's own origin, whatever place a reply named.
    const header = isSameOrigin(request.url, base) ? await authorisation.header(scopes) : undefined;
    const reply = await follow(http, base, request, header);
    if (reply.status !== 401 || attempt > 1) return reply;
    if (!authorisation.refused(scopes, challengesOf(reply))) return reply;
    await reply.discard();
  }
}

/** Sends, and follows redirects of requests that only read. The header goes to the registry's own origin alone. */
async function follow(
  http: HttpClient,
  base: URL,
  request: ApiRequest,
  authorization: string | undefined,
): Promise<HttpReply> {
  let { url } = request;
  for (let hops = 0; ; hops += 1) {
    const secret = authorization !== undefined && isSameOrigin(url, base) && { authorization };
    const reply = await http.send({ ...request, url, headers: { ...request.headers, ...secret } });
    const isRedirect = [301, 302, 303, 307, 308].includes(reply.status);
    if (!isRedirect || (request.method !== 'GET' && request.method !== 'HEAD')) return reply;
    await reply.discard();
    if (hops === MAX_REDIRECTS) {
      throw new BootsealError(
        'registry/redirect-refused',
        `more than ${MAX_REDIRECTS} redirects from ${base.host}`,
        {
          hint: 'the registry redirects in a circle; ask who runs it',
        },
      );
    }
    url = followLocation(reply.header('location'), url);
  }
}
