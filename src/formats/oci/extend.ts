/**
 * An image with further layers on top: new configuration and manifest, everything else kept as it was.
 * Pure: bytes in, bytes out, the same for the same input.
 */
import { encodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import type { ImageConfig } from './config.ts';
import type { Descriptor } from './descriptor.ts';
import { digestOf, type Digest } from './digest.ts';
import type { ImageManifest } from './manifest.ts';
import { MEDIA_TYPES } from './media-types.ts';

export interface AddedLayer {
  /** Of the stored blob. */
  readonly digest: Digest;
  readonly size: number;
  /** Digest of the uncompressed tar. */
  readonly diffId: Digest;
  /** What `history` says made it. */
  readonly createdBy: string;
}

export interface ExtendedImage {
  readonly manifest: { readonly bytes: Uint8Array; readonly digest: Digest; readonly mediaType: string };
  readonly config: { readonly descriptor: Descriptor; readonly bytes: Uint8Array };
}

export interface ExtendRequest {
  readonly manifest: ImageManifest;
  /** Manifest digest of the image that is extended, for the `base.digest` annotation. */
  readonly baseDigest: Digest;
  readonly config: ImageConfig;
  /** Gzip layers, bottom first. */
  readonly added: readonly AddedLayer[];
  /** RFC 3339; when absent, the base image's own time stays. */
  readonly created?: string;
}

const BASE_DIGEST = 'org.opencontainers.image.base.digest';

export function extendImage(request: ExtendRequest): ExtendedImage {
  const { manifest, config, added } = request;
  const docker = manifest.mediaType === MEDIA_TYPES.dockerManifest;
  const created = request.created ?? config.created;
  const configBytes = encodeUtf8(JSON.stringify(extendConfig(config, added, created)));
  const configDescriptor: Descriptor = {
    mediaType: manifest.config.mediaType,
    digest: digestOf(configBytes),
    size: configBytes.length,
  };
  const layers = [
    ...manifest.layers,
    ...added.map((layer) => ({
      mediaType: docker ? MEDIA_TYPES.dockerLayerGzip : MEDIA_TYPES.ociLayerGzip,
      digest: layer.digest,
      size: layer.size,
    })),
  ];
  // Docker's schema 2 has no annotations; an OCI manifest says what it was made from.
  const annotations = docker ? undefined : { ...manifest.annotations, [BASE_DIGEST]: request.baseDigest };
  const manifestBytes = encodeUtf8(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifest.mediaType,
      ...(manifest.artifactType !== undefined && { artifactType: manifest.artifactType }),
      config: configDescriptor,
      layers,
      ...(annotations && { annotations }),
    }),
  );
  return {
    manifest: { bytes: manifestBytes, digest: digestOf(manifestBytes), mediaType: manifest.mediaType },
    config: { descriptor: configDescriptor, bytes: configBytes },
  };
}

function extendConfig(
  config: ImageConfig,
  added: readonly AddedLayer[],
  created: string | undefined,
): unknown {
  const { document } = config;
  const history = document['history'];
  if (history !== undefined && history !== null && !Array.isArray(history)) {
    throw new BootsealError('oci/bad-config', 'config.history is not a list');
  }
  const entries = added.map((layer) => ({
    ...(created !== undefined && { created }),
    created_by: layer.createdBy,
  }));
  return {
    ...document,
    ...(created !== undefined && { created }),
    rootfs: { type: 'layers', diff_ids: [...config.diffIds, ...added.map((layer) => layer.diffId)] },
    // An image without history stays without: one that speaks of some layers only would be wrong.
    ...(Array.isArray(history) && { history: [...(history as unknown[]), ...entries] }),
  };
}
