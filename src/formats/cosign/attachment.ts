/**
 * Signatures as cosign attaches them in a registry: an OCI image manifest under the tag `sha256-HEX.sig` in the
 * repository of the image, one layer a signature, the payload as blob and the rest as annotations of its descriptor.
 */
import { encodeUtf8, equalBytes } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { digestOf, digestParts, type Digest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { MEDIA_TYPES } from '../oci/media-types.ts';
import { goQuote } from '../strict-json/go-quote.ts';
import { MAX_PAYLOAD_SIZE } from './payload.ts';
import { sortedAnnotations, type SigstoreSignature } from './signature.ts';

/** cosign's limit. The signatures of an image are read before anything about it is believed. */
export const MAX_SIGNATURES = 1000;

/** `sha256-HEX.sig`. */
export function attachmentTag(digest: Digest): string {
  const { algorithm, hex } = digestParts(digest);
  return `${algorithm}-${hex}.sig`;
}

/**
 * The layers of an attachment manifest, in order. `where` names it in errors. Throws `cosign/bad-attachment`
 * (an index, a Docker manifest, too many layers, a payload too large) and `oci/bad-manifest`.
 */
export function parseAttachment(
  manifest: Uint8Array,
  mediaType: string,
  where: string,
): readonly Descriptor[] {
  if (mediaType !== MEDIA_TYPES.ociManifest) {
    throw bad(`unexpected MIME type for sigstore attachment manifest ${where}: ${goQuote(mediaType)}`);
  }
  const parsed = parseManifest(manifest, mediaType);
  if (parsed.kind !== 'image') throw bad(`sigstore attachment ${where} is an index`);
  if (parsed.layers.length > MAX_SIGNATURES) {
    throw bad(`${parsed.layers.length} signatures in ${where} exceed the limit of ${MAX_SIGNATURES}`);
  }
  for (const layer of parsed.layers) {
    if (layer.size > MAX_PAYLOAD_SIZE)
      throw bad(`exceeded maximum allowed size of ${MAX_PAYLOAD_SIZE} bytes`);
  }
  return parsed.layers;
}

export function signatureFromLayer(layer: Descriptor, payload: Uint8Array): SigstoreSignature {
  return {
    kind: 'sigstore',
    mimeType: layer.mediaType,
    payload,
    annotations: new Map(Object.entries(layer.annotations ?? {})),
  };
}

export function layerOfSignature(signature: SigstoreSignature): Descriptor {
  return {
    mediaType: signature.mimeType,
    digest: digestOf(signature.payload),
    size: signature.payload.length,
    ...(signature.annotations.size > 0 && { annotations: sortedAnnotations(signature.annotations) }),
  };
}

export function sameLayer(a: Descriptor, b: Descriptor): boolean {
  const left = Object.entries(a.annotations ?? {});
  return (
    a.mediaType === b.mediaType &&
    a.size === b.size &&
    a.digest === b.digest &&
    left.length === Object.keys(b.annotations ?? {}).length &&
    left.every(([key, value]) => b.annotations?.[key] === value)
  );
}

export interface BuiltAttachment {
  readonly config: Uint8Array;
  readonly configDescriptor: Descriptor;
  readonly manifest: Uint8Array;
  readonly digest: Digest;
  readonly layers: readonly Descriptor[];
}

/** The manifest for these layers, each once, in this order. The same layers give the same bytes. */
export function buildAttachment(layers: readonly Descriptor[]): BuiltAttachment {
  const distinct: Descriptor[] = [];
  for (const layer of layers) if (!distinct.some((known) => sameLayer(known, layer))) distinct.push(layer);
  if (distinct.length > MAX_SIGNATURES) throw bad(`more than ${MAX_SIGNATURES} signatures on one image`);
  const config = encodeUtf8(
    JSON.stringify({
      architecture: '',
      os: '',
      config: {},
      rootfs: { type: 'layers', diff_ids: distinct.map((layer) => layer.digest) },
    }),
  );
  const configDescriptor: Descriptor = {
    mediaType: MEDIA_TYPES.ociConfig,
    digest: digestOf(config),
    size: config.length,
  };
  const manifest = encodeUtf8(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: configDescriptor,
      layers: distinct.map(({ mediaType, size, digest, annotations }) => ({
        mediaType,
        size,
        digest,
        annotations,
      })),
    }),
  );
  return { config, configDescriptor, manifest, digest: digestOf(manifest), layers: distinct };
}

/** True when the two manifests are the same bytes: nothing was written in between. */
export function sameManifest(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b);
}

function bad(message: string): BootsealError {
  return new BootsealError('cosign/bad-attachment', message);
}
