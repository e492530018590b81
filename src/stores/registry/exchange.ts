/** What the three ways of making a request (direct, through a proxy, bulk) have in common. */
import type { TlsSettings } from './tls.ts';
import type { LookupFunction } from 'node:net';
import type { Timeouts } from '../transport-options.ts';

export interface ExchangeRequest {
  readonly url: URL;
  readonly method: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Milliseconds until the head of the reply must be there, once connected. */
  readonly headPatience: number;
  readonly signal?: AbortSignal;
}

export interface ExchangeReply {
  readonly status: number;
  /** `name` in lower case. */
  headerAll(name: string): readonly string[];
  readonly body: AsyncIterable<Uint8Array>;
  /** Each chunk of the body is overwritten once the next is asked for. */
  readonly reusesChunks: boolean;
  /** Reads up to `limit` bytes within so many milliseconds, so that the connection can be used again; else ends it. */
  discard(limit: number, patience: number): Promise<void>;
  destroy(): void;
}

/** How one origin is reached. */
export interface Exchange {
  send(request: ExchangeRequest): Promise<ExchangeReply>;
  close(): Promise<void>;
}

export interface ExchangeSettings {
  /** For https. */
  readonly tls: TlsSettings | undefined;
  readonly lookup: LookupFunction;
  readonly timeouts: Required<Timeouts>;
}

/** Connections at a time to one origin. */
export const CONNECTIONS: number = 8;

/** Milliseconds: servers close what is idle after five seconds and more. */
export const IDLE: number = 4000;

/** The TLS settings as Node takes them. */
export function tlsFields(tls: TlsSettings): {
  rejectUnauthorized: boolean;
  ca?: string[];
  cert?: string[];
  key?: string[];
} {
  return {
    rejectUnauthorized: tls.rejectUnauthorized,
    ...(tls.ca && { ca: [...tls.ca] }),
    ...(tls.cert && { cert: [...tls.cert] }),
    ...(tls.key && { key: [...tls.key] }),
  };
}

/** An error with a code that `requestError` knows. */
export function coded(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}
