/** What the hashing thread of blobs and its owner say to one another. Bytes are in shared memory, not in messages. */
import type { DigestAlgorithm } from '../../formats/oci/digest.ts';

export interface UpdateMessage {
  readonly kind: 'update';
  readonly blob: number;
  /** With the first update of a blob. */
  readonly algorithm?: DigestAlgorithm;
  /** Where the bytes are: a place in the blob's list of buffers. */
  readonly buffer: number;
  /** With the first update from there. */
  readonly memory?: ArrayBufferLike;
  readonly offset: number;
  readonly length: number;
}

export type ToHasher =
  | UpdateMessage
  /** No more bytes: the digest is wanted. */
  | { readonly kind: 'finish'; readonly blob: number }
  /** Nobody wants to know any more. */
  | { readonly kind: 'drop'; readonly blob: number };

export interface FromHasher {
  readonly blob: number;
  /** Of `finish`. Without it, the bytes of an update have been hashed and may be overwritten. */
  readonly hex?: string;
}
