/** What a decoding thread and its owner say to one another. Bytes go through shared slots, not through messages. */
import type { DigestAlgorithm } from '../../formats/oci/digest.ts';
import type { LayerCompression } from '../../formats/oci/media-types.ts';

/** Compressed bytes on the way in. */
export const INPUT_SLOTS = 3;
export const INPUT_SLOT: number = 1024 * 1024;
/** Plain bytes on the way out. */
export const OUTPUT_SLOTS = 4;
export const OUTPUT_SLOT: number = 1024 * 1024;

export interface DecodeSetup {
  readonly inputs: readonly SharedArrayBuffer[];
  readonly outputs: readonly SharedArrayBuffer[];
}

export type ToDecoder =
  | { readonly kind: 'start'; readonly compression: LayerCompression; readonly algorithm: DigestAlgorithm }
  | { readonly kind: 'input'; readonly slot: number; readonly length: number }
  /** No more compressed bytes. */
  | { readonly kind: 'end' }
  /** An output slot may be filled again. */
  | { readonly kind: 'release'; readonly slot: number };

export type FromDecoder =
  | { readonly kind: 'output'; readonly slot: number; readonly length: number }
  /** An input slot may be filled again. */
  | { readonly kind: 'consumed'; readonly slot: number }
  | { readonly kind: 'done'; readonly digest: string }
  | { readonly kind: 'failed'; readonly error: SentError };

/** A BootsealError as it crosses threads; without `code` it was some other error. */
export interface SentError {
  readonly code?: string;
  readonly message: string;
  readonly hint?: string;
  readonly offset?: number;
}
