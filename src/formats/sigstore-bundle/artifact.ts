/**
 * The manifest under which a bundle lies in a registry: an artifact (OCI image-spec 1.1, "Guidelines for Artifact
 * Usage") with an empty configuration, the bundle as its one layer, and the image as its subject.
 */
import { encodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { digestOf, type Digest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { MEDIA_TYPES } from '../oci/media-types.ts';
import {
  BUNDLE_MEDIA_TYPE,
  BUNDLE_MEDIA_TYPE_OLD,
  COSIGN_SIGN_PREDICATE,
  MAX_BUNDLE_SIZE,
} from './format.ts';

const BUNDLE_TYPES: readonly string[] = [BUNDLE_MEDIA_TYPE, BUNDLE_MEDIA_TYPE_OLD];

/** The configuration of an artifact that has none. */
export const EMPTY_CONFIG: Uint8Array = encodeUtf8('{}');

export interface BuiltArtifact {
  readonly manifest: Uint8Array;
  readonly digest: Digest;
  /** As the list of referrers describes it. */
  readonly descriptor: Descriptor;
  readonly layer: Descriptor;
  readonly config: Descriptor;
}

/** `created`: seconds since 1970. `subject`: descriptor of the image manifest or index that the bundle signs. */
export function buildBundleArtifact(
  bundle: Uint8Array,
  subject: Pick<Descriptor, 'mediaType' | 'size' | 'digest'>,
  created: number,
): BuiltArtifact {
  const annotations = {
    'dev.sigstore.bundle.content': 'dsse-envelope',
    'dev.sigstore.bundle.predicateType': COSIGN_SIGN_PREDICATE,
    'org.opencontainers.image.created': new Date(created * 1000).toISOString().replace('.000Z', 'Z'),
  };
  const config = {
    mediaType: MEDIA_TYPES.ociEmpty,
    size: EMPTY_CONFIG.length,
    digest: digestOf(EMPTY_CONFIG),
  };
  const layer = { mediaType: BUNDLE_MEDIA_TYPE, size: bundle.length, digest: digestOf(bundle) };
  const { mediaType, size, digest } = subject;
  const manifest = encodeUtf8(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: { ...config, artifactType: BUNDLE_MEDIA_TYPE },
      layers: [layer],
      annotations,
      subject: { mediaType, size, digest },
      artifactType: BUNDLE_MEDIA_TYPE,
    }),
  );
  const descriptor = {
    mediaType: MEDIA_TYPES.ociManifest,
    size: manifest.length,
    digest: digestOf(manifest),
    annotations,
    artifactType: BUNDLE_MEDIA_TYPE,
  };
  return { manifest, digest: descriptor.digest, descriptor, layer, config };
}

/**
 * Whether a descriptor in a list of referrers may be a bundle. A list may say nothing about the type, or, as registries
 * that look at the configuration only and cosign's own fallback list do, the type of the empty configuration.
 */
export function mayBeBundle({ artifactType }: Descriptor): boolean {
  return (
    artifactType === undefined || artifactType === MEDIA_TYPES.ociEmpty || BUNDLE_TYPES.includes(artifactType)
  );
}

/**
 * The layer that holds the bundle, or undefined for an artifact of another kind. Throws `bundle/wrong-subject` for one
 * that refers to another image, `bundle/malformed`, `bundle/too-large`, `oci/…`.
 */
export function bundleLayer(
  manifest: { readonly bytes: Uint8Array; readonly mediaType: string },
  image: Digest,
): Descriptor | undefined {
  const parsed = parseManifest(manifest.bytes, manifest.mediaType);
  if (parsed.kind !== 'image') return undefined;
  const type = parsed.artifactType ?? parsed.config.mediaType;
  if (!BUNDLE_TYPES.includes(type)) return undefined;
  // A registry chooses what it lists: the artifact itself must name the image.
  if (parsed.subject?.digest !== image) {
    const found = parsed.subject?.digest ?? 'nothing';
    throw new BootsealError('bundle/wrong-subject', `the bundle refers to ${found}, not to ${image}`);
  }
  const [layer] = parsed.layers;
  if (parsed.layers.length !== 1 || !BUNDLE_TYPES.includes(layer.mediaType)) {
    throw new BootsealError('bundle/malformed', 'a bundle artifact has exactly one layer, the bundle');
  }
  if (layer.size > MAX_BUNDLE_SIZE) {
    throw new BootsealError(
      'bundle/too-large',
      `bundle of ${layer.size} bytes exceeds the limit of ${MAX_BUNDLE_SIZE}`,
    );
  }
  return layer;
}
