/** Digests of blobs, and the hash of a small one: what needs no thread, and is loaded without what makes threads. */
import { createHash } from 'node:crypto';
import type { DigestAlgorithm } from '../../formats/oci/digest.ts';

/** The digest of one blob in the making. */
export interface BlobHash {
  /** Until what it gives resolves, the bytes must not change; undefined: they have been hashed. */
  update(part: Uint8Array): Promise<void> | undefined;
  /** In hex, after all updates have resolved. */
  digest(): Promise<string>;
  /** Forgets it: always called in the end, also after `digest`. */
  drop(): void;
}

export interface BlobHasher {
  /** `size` in bytes: small blobs are hashed without the thread. */
  open(algorithm: DigestAlgorithm, size: number): BlobHash;
  /** Ends the thread; the hashes that are open fail. */
  close(): Promise<void>;
}

/** Hashes at once, in this thread. */
export function inlineBlobHash(algorithm: DigestAlgorithm): BlobHash {
  const hash = createHash(algorithm);
  return {
    update: (part) => void hash.update(part),
    digest: () => Promise.resolve(hash.digest('hex')),
    drop: () => undefined,
  };
}
