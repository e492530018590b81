/**
 * Sigstore bundle v0.3: https://github.com/sigstore/protobuf-specs, `sigstore_bundle.proto`, in its JSON form. What
 * cosign 3 writes for an image, as an artifact of the registry that refers to the image (OCI 1.1).
 */
import type { Envelope } from '../dsse/envelope.ts';
import type { JsonNode } from '../strict-json/json-node.ts';

export const BUNDLE_MEDIA_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
/** The same version, spelt as the versions before it were. */
export const BUNDLE_MEDIA_TYPE_OLD = 'application/vnd.dev.sigstore.bundle+json;version=0.3';

/** Says "this digest is signed", and no more: what `cosign sign` writes and `cosign verify` looks for. */
export const COSIGN_SIGN_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';

/** Real bundles are below 15 KiB, log entry and timestamps included. */
export const MAX_BUNDLE_SIZE: number = 1024 * 1024;
/** Evidence is checked entry by entry: more of it than any authority set has is an attempt to waste time. */
export const MAX_LOG_ENTRIES = 32;
export const MAX_TIMESTAMPS = 32;

export type BundleSigner =
  /** The key is known to the verifier; the hint only helps to find it and is not signed. */
  | { readonly kind: 'key'; readonly hint: string }
  /** DER. The key is in a certificate, which says whose it is. */
  | { readonly kind: 'certificate'; readonly certificate: Uint8Array };

export interface SigstoreBundle {
  readonly mediaType: string;
  readonly signer: BundleSigner;
  readonly envelope: Envelope;
  readonly logEntries: number;
  readonly timestamps: number;
  /** The whole document, free of duplicate and unknown members: for verifying the evidence in it. */
  readonly document: JsonNode;
}
