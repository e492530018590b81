/**
 * The one place that makes HTTP requests. Every request of the registry client goes through here, so that TLS
 * rules, timeouts, limits and the words of errors are the same on every path.
 */
import type { Dispatcher } from 'undici';
import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { BootsealError } from '../../errors.ts';
import type { Timeouts, TransportEvent } from '../transport-options.ts';
import { isLinkLocal, isLoopback } from './address.ts';
import { readAll } from '../checked-blob.ts';
import { requestError } from './error.ts';
import { safeUrl } from './redact.ts';
import type { TlsSettings } from './tls.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Milliseconds more to wait for the answer than usual. */
  readonly patience?: number;
  readonly signal?: AbortSignal;
}

export interface HttpReply {
  readonly status: number;
  readonly url: URL;
  header(name: string): string | undefined;
  headerAll(name: string): readonly string[];
  /** The body as it arrives, once; throws BootsealErrors. A reply must be read or discarded. */
  readonly body: AsyncIterable<Uint8Array>;
  /** The whole body; `store/too-large` beyond `limit` bytes. */
  bytes(limit: number, what: string): Promise<Uint8Array>;
  discard(): Promise<void>;
}

export interface HttpClient {
  send(request: HttpRequest): Promise<HttpReply>;
  close(): Promise<void>;
}

export interface HttpOptions {
  /** Settings for an origin, `HOST[:PORT]`. */
  readonly tls: (host: string) => Promise<TlsSettings>;
  readonly timeouts?: Timeouts;
  readonly signal?: AbortSignal;
  readonly userAgent?: string;
  readonly report?: (event: TransportEvent) => void;
}

const DEFAULT_TIMEOUTS: Required<Timeouts> = { connect: 20_000, headers: 60_000, body: 60_000 };

/** What a server may send more of than it said is read and thrown away up to here; then the connection is closed. */
const MAX_DISCARD = 64 * 1024;

/** Milliseconds for that: it only serves to use the connection again. */
const DISCARD_PATIENCE = 2000;

/** Bytes a second of the slowest line that we upload over: the clock for the answer runs while we still send. */
const SLOWEST_UPLOAD = 32 * 1024;

/** A body that drips in must end sometime, though no single pause is too long: so many bytes … */
const DRIP = 4096;
/** … within so many times the longest pause. */
const DRIP_PATIENCE = 4;

export async function makeHttpClient(options: HttpOptions): Promise<HttpClient> {
  const { Agent, EnvHttpProxyAgent, request: undiciRequest } = await import('undici');
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  const agents = new Map<string, Dispatcher>();

  async function agentFor(url: URL): Promise<Dispatcher> {
    const known = agents.get(url.origin);
    if (known !== undefined) return known;
    const settings = url.protocol === 'https:' ? await options.tls(url.host) : undefined;
    const tls = settings && {
      rejectUnauthorized: settings.rejectUnauthorized,
      ...(settings.ca && { ca: [...settings.ca] }),
      ...(settings.cert && { cert: [...settings.cert] }),
      ...(settings.key && { key: [...settings.key] }),
    };
    const connect = { ...tls, timeout: timeouts.connect, lookup: guardedLookup };
    const common = {
      headersTimeout: timeouts.headers,
      bodyTimeout: timeouts.body,
      allowH2: false,
    };
    // A proxy sees only names, and must never be asked for this machine's own.
    const proxied = hasProxy() && !isLoopback(url.hostname);
    const agent = proxied
      ? new EnvHttpProxyAgent({ ...common, ...(tls && { requestTls: tls }) })
      : new Agent({ ...common, connect, connections: 8, keepAliveTimeout: 4000 });
    agents.set(url.origin, agent);
    return agent;
  }

  async function send(request: HttpRequest): Promise<HttpReply> {
    const { url, method } = request;
    const started = performance.now();
    const signal = request.signal ?? options.signal;
    try {
      const dispatcher = await agentFor(url);
      const pending = undiciRequest(url, {
        dispatcher,
        method,
        headers: {
          'user-agent': options.userAgent ?? 'bootseal',
          // Bytes are addressed by their digest: a server that encodes them anyway is refused below.
          'accept-encoding': 'identity',
          ...request.headers,
        },
        ...(request.body && { body: request.body }),
        headersTimeout: timeouts.headers + (request.patience ?? 0) + uploadTime(request.body),
        ...(signal && { signal }),
      });
      const reply = await unlessAborted(pending, signal);
      const milliseconds = Math.round(performance.now() - started);
      options.report?.({
        kind: 'request',
        method,
        url: safeUrl(url),
        status: reply.statusCode,
        milliseconds,
      });
      return await wrap(reply, url);
    } catch (error) {
      signal?.throwIfAborted();
      throw requestError(error, url);
    }
  }

  async function wrap(reply: Dispatcher.ResponseData, url: URL): Promise<HttpReply> {
    const headerAll = (name: string): readonly string[] => {
      const value = reply.headers[name];
      return value === undefined ? [] : Array.isArray(value) ? value : [value];
    };
    // The stream tells of an abort by an error event even when nobody reads it.
    reply.body.on('error', () => undefined);
    const discard = async (): Promise<void> => {
      const signal = AbortSignal.timeout(DISCARD_PATIENCE);
      await reply.body.dump({ limit: MAX_DISCARD, signal }).catch(() => undefined);
    };
    const encodings = headerAll('content-encoding').join(',');
    if (encodings !== '' && encodings.toLowerCase() !== 'identity') {
      reply.body.destroy();
      throw new BootsealError('registry/encoding-refused', `${safeUrl(url)}: reply has a Content-Encoding`, {
        hint: 'bytes addressed by digest must come as they are; a proxy on the way may be set up wrongly',
      });
    }
    const body = watched(reply.body, url, DRIP_PATIENCE * timeouts.body, options.signal);
    return {
      status: reply.statusCode,
      url,
      header: (name) => headerAll(name)[0],
      headerAll,
      body,
      bytes: (limit, what) => readAll(body, limit, what),
      discard,
    };
  }

  return {
    send,
    async close() {
      const closed = Promise.allSettled([...agents.values()].map((agent) => agent.destroy()));
      // undici waits for connections that are still being made; who interrupts does not.
      if (options.signal?.aborted !== true) await closed;
    },
  };
}

/** undici heeds a signal only once it is connected; a connection being made would hold an interrupt up. */
async function unlessAborted<T>(pending: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return pending;
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
  try {
    return await Promise.race([pending, aborted]);
  } finally {
    if (stop !== undefined) signal.removeEventListener('abort', stop);
    // Whichever lost must not be reported as unhandled.
    pending.catch(() => undefined);
    aborted.catch(() => undefined);
  }
}

/** Errors in our words. `patience`, in milliseconds, counts only while we wait for the server, not for our reader. */
async function* watched(
  body: AsyncIterable<Uint8Array>,
  url: URL,
  patience: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const parts = body[Symbol.asyncIterator]();
  let waited = 0;
  let arrived = 0;
  try {
    for (;;) {
      const asked = performance.now();
      const step = await parts.next();
      if (step.done === true) return;
      waited += performance.now() - asked;
      arrived += step.value.length;
      if (arrived >= DRIP) waited = arrived = 0;
      else if (waited > patience) {
        throw Object.assign(new Error('body drips in'), { code: 'UND_ERR_BODY_TIMEOUT' });
      }
      yield step.value;
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw requestError(error, url);
  } finally {
    // Ends the request of a body that is not read to its end.
    await parts.return?.();
  }
}

function uploadTime(body: Uint8Array | undefined): number {
  return body === undefined ? 0 : (body.length / SLOWEST_UPLOAD) * 1000;
}

function hasProxy(): boolean {
  return ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'].some(
    (name) => (process.env[name] ?? '') !== '',
  );
}

/** A name must not lead to the address where clouds keep their machines' secrets, whoever chose the name. */
const guardedLookup: LookupFunction = (hostname, settings, callback) => {
  systemLookup(hostname, settings, (error, address, family) => {
    const found: readonly unknown[] = Array.isArray(address)
      ? address.map((each: LookupAddress) => each.address)
      : [address];
    if (error === null && found.some((each) => isLinkLocal(String(each)))) {
      const refusal = new Error(`${hostname} resolves to a link-local address`);
      callback(Object.assign(refusal, { code: 'ENOTFOUND' }), '', 0);
      return;
    }
    callback(error, address, family);
  });
};
