/**
 * The one place that makes HTTP requests. Every request of the registry client goes through here, so that TLS
 * rules, timeouts, limits and the words of errors are the same on every path.
 */
import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { BootsealError } from '../../errors.ts';
import type { Timeouts, TransportEvent } from '../transport-options.ts';
import { isLinkLocal, isLoopback } from './address.ts';
import { readAll } from '../checked-blob.ts';
import { requestError } from './error.ts';
import { safeUrl } from './redact.ts';
import type { Exchange, ExchangeReply, ExchangeRequest, ExchangeSettings } from './exchange.ts';
import type { TlsSettings } from './tls.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Milliseconds more to wait for the answer than usual. */
  readonly patience?: number;
  /** A large body is expected, and each of its chunks may be overwritten by the next. Only for GET. */
  readonly bulk?: boolean;
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
  /** Through which every origin is reached, whatever the environment says. */
  readonly proxy?: string;
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

export function makeHttpClient(options: HttpOptions): HttpClient {
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  const exchanges = new Map<string, Promise<Exchange>>();
  const settingsFor = async (url: URL): Promise<ExchangeSettings> => ({
    tls: url.protocol === 'https:' ? await options.tls(url.host) : undefined,
    lookup: guardedLookup,
    timeouts,
  });

  const isProxied = (url: URL): boolean =>
    options.proxy !== undefined || (hasProxy() && !isLoopback(url.hostname));

  function exchangeFor(url: URL): Promise<Exchange> {
    let exchange = exchanges.get(url.origin);
    if (exchange === undefined) {
      exchange = makeExchange(url);
      exchanges.set(url.origin, exchange);
      // Whoever awaits it is told; nobody else need be.
      exchange.catch(() => undefined);
    }
    return exchange;
  }

  async function makeExchange(url: URL): Promise<Exchange> {
    const settings = await settingsFor(url);
    return isProxied(url)
      ? (await import('./proxied.ts')).makeProxiedExchange(settings, options.proxy)
      : (await import('./direct.ts')).makeDirectExchange(settings);
  }

  async function exchange(request: ExchangeRequest, bulk: boolean): Promise<ExchangeReply> {
    if (bulk && !isProxied(request.url)) {
      const { getByWire } = await import('./wire.ts');
      const reply = await getByWire(request, await settingsFor(request.url));
      if (reply !== undefined) return reply;
    }
    return (await exchangeFor(request.url)).send(request);
  }

  async function send(request: HttpRequest): Promise<HttpReply> {
    const { url, method } = request;
    const started = performance.now();
    const signal = request.signal ?? options.signal;
    const asked: ExchangeRequest = {
      url,
      method,
      headers: {
        'user-agent': options.userAgent ?? 'bootseal',
        // Bytes are addressed by their digest: a server that encodes them anyway is refused below.
        'accept-encoding': 'identity',
        ...request.headers,
      },
      ...(request.body && { body: request.body }),
      headPatience: timeouts.headers + (request.patience ?? 0) + uploadTime(request.body),
      ...(signal && { signal }),
    };
    try {
      const reply = await unlessAborted(exchange(asked, request.bulk === true), signal);
      const milliseconds = Math.round(performance.now() - started);
      options.report?.({ kind: 'request', method, url: safeUrl(url), status: reply.status, milliseconds });
      return wrap(reply, url);
    } catch (error) {
      signal?.throwIfAborted();
      throw requestError(error, url);
    }
  }

  function wrap(reply: ExchangeReply, url: URL): HttpReply {
    const encodings = reply.headerAll('content-encoding').join(',');
    if (encodings !== '' && encodings.toLowerCase() !== 'identity') {
      reply.destroy();
      throw new BootsealError('registry/encoding-refused', `${safeUrl(url)}: reply has a Content-Encoding`, {
        hint: 'bytes addressed by digest must come as they are; a proxy on the way may be set up wrongly',
      });
    }
    const body = watched(reply.body, url, DRIP_PATIENCE * timeouts.body, options.signal);
    return {
      status: reply.status,
      url,
      header: (name) => reply.headerAll(name)[0],
      headerAll: (name) => reply.headerAll(name),
      body,
      bytes: (limit, what) => readAll(reply.reusesChunks ? copies(body) : body, limit, what),
      discard: () => reply.discard(MAX_DISCARD, DISCARD_PATIENCE),
    };
  }

  return {
    send,
    async close() {
      const closed = Promise.allSettled(
        [...exchanges.values()].map(async (each) => {
          await (await each).close();
        }),
      );
      // Connections that are still being made are waited for; who interrupts does not.
      if (options.signal?.aborted !== true) await closed;
    },
  };
}

/** For who keeps the chunks of a body that is overwritten while it is read. */
async function* copies(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const part of body) yield Uint8Array.from(part);
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
