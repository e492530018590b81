/** What a caller may say about reaching an image, whatever transport its name has. */
import type { RegistriesConf } from '../formats/registries-conf/config.ts';

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Milliseconds. Each bounds a wait in which nothing arrives, not the whole transfer. */
export interface Timeouts {
  readonly connect?: number;
  readonly headers?: number;
  readonly body?: number;
}

export interface RetryOptions {
  /** Tries in all, the first included. */
  readonly attempts?: number;
  /** Milliseconds before the second try; doubled each time. */
  readonly firstDelay?: number;
  /** Milliseconds, the most that is waited between two tries. */
  readonly maxDelay?: number;
}

/** What a transport does, for `--verbose`. Never holds credentials, tokens or query strings. */
export type TransportEvent =
  | {
      readonly kind: 'request';
      readonly method: string;
      readonly url: string;
      readonly status: number;
      readonly milliseconds: number;
    }
  | { readonly kind: 'retry'; readonly what: string; readonly reason: string; readonly milliseconds: number }
  /** A mirror of registries.conf could not give the image; the next place is tried. */
  | { readonly kind: 'mirror'; readonly reference: string; readonly reason: string }
  | { readonly kind: 'resume'; readonly what: string; readonly offset: number };

export interface TransportOptions {
  /** The only credentials file that is then read (containers-auth.json(5)). */
  readonly authFile?: string;
  /** Instead of any credentials file. */
  readonly credentials?: Credentials;
  /** False: accept any certificate, and plain HTTP. Undefined: TLS, and plain HTTP for loopback addresses only. */
  readonly tlsVerify?: boolean;
  /** Folder of `*.crt`, `*.cert` and `*.key` used instead of the certs.d folders. */
  readonly certDir?: string;
  /** `--registries-conf FILE` instead of the system's files. */
  readonly registriesConfFile?: string;
  /** Instead of any file. */
  readonly registriesConf?: RegistriesConf;
  /** URL of the proxy for this registry alone, as registries.conf may name one. */
  readonly proxy?: string;
  /** Where files are looked for; the process's own by default. */
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
  readonly timeouts?: Timeouts;
  readonly retry?: RetryOptions;
  readonly onProgress?: (event: TransportEvent) => void;
  readonly userAgent?: string;
  /** Connections and tokens that several images share. */
  readonly session?: TransportSession;
}

/** Kept open by whoever made it, over many images. */
export interface TransportSession {
  /** What `make` gave for this key at first. A promise that fails is forgotten. */
  share<T extends object>(key: string, make: () => T): T;
  /** To be closed with the session. */
  own(close: () => Promise<void>): void;
  close(): Promise<void>;
}
