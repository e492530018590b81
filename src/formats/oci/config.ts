/** Image configuration, OCI image-spec config.md. */
import { BootsealError } from '../../errors.ts';
import { expectObject, optionalStrings } from './descriptor.ts';
import { parseDigest, type Digest } from './digest.ts';
import { parseJson } from './manifest.ts';

/** 4 MiB, as containers/image bounds it. */
export const MAX_CONFIG_SIZE: number = 4 * 1024 * 1024;

export interface ImageConfig {
  readonly architecture: string;
  readonly os: string;
  /** RFC 3339, when the image says so. */
  readonly created?: string;
  /** Digests of the uncompressed layers, bottom first. */
  readonly diffIds: readonly Digest[];
  readonly labels: Readonly<Record<string, string>>;
  /** The whole document, for a writer that keeps what it does not know. */
  readonly document: Readonly<Record<string, unknown>>;
}

/** Throws `oci/bad-config`, `oci/bad-digest`. */
export function parseConfig(bytes: Uint8Array): ImageConfig {
  if (bytes.length > MAX_CONFIG_SIZE) throw bad(`config of ${bytes.length} bytes exceeds ${MAX_CONFIG_SIZE}`);
  const document = expectObject(parseJson(bytes, 'config'), 'config');
  const { architecture, os, created } = document;
  if (typeof architecture !== 'string' || typeof os !== 'string')
    throw bad('config lacks architecture or os');
  const rootfs = expectObject(document['rootfs'], 'config.rootfs');
  if (rootfs['type'] !== 'layers') throw bad('config.rootfs.type is not "layers"');
  const diffIds = rootfs['diff_ids'];
  if (!Array.isArray(diffIds)) throw bad('config.rootfs.diff_ids is not a list');
  const runtime = document['config'];
  const labels =
    runtime == null ? undefined : optionalStrings(expectObject(runtime, 'config.config')['Labels'], 'Labels');
  return {
    architecture,
    os,
    ...(typeof created === 'string' && { created }),
    diffIds: diffIds.map((id, at) => parseDigest(id, `diff_ids[${at}]`)),
    labels: labels ?? {},
    document,
  };
}

function bad(message: string): BootsealError {
  return new BootsealError('oci/bad-config', message, {
    hint: 'the image is damaged or not an OCI image; copy or build it again',
  });
}
