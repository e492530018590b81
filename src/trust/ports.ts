/** What judging an image needs from outside. */
import type { RawSignature } from '../formats/cosign/signature.ts';

export interface KeyReader {
  /**
   * Reads a key file that a policy names. Called only when a signature has to be checked with it. Throws a
   * BootsealError whose message says why, for example `open FILE: no such file or directory`. `maxSize`, in bytes, is
   * that of a sigstore key unless given.
   */
  read(path: string, maxSize?: number): Promise<Uint8Array>;
}

/** Reads the signatures of one manifest. Called at most once, and not at all when a `reject` comes first. */
export type SignatureReader = () => Promise<readonly RawSignature[]>;

export interface Clock {
  /** Milliseconds since 1970: what the certificates of a `pki` must be valid at. */
  now(): number;
}
