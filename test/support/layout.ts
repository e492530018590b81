/**
 * An OCI layout in memory that a test can change: one image, its manifest, config and layers. Whatever is changed,
 * `write` makes the documents above it agree again, as an attacker with write access to the registry would.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';

interface StoredDescriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
}

interface StoredManifest {
  schemaVersion: 2;
  mediaType: string;
  config: StoredDescriptor;
  layers: StoredDescriptor[];
  annotations?: Record<string, string>;
}

interface StoredConfig {
  rootfs: { type: 'layers'; diff_ids: string[] };
  [key: string]: unknown;
}

export interface EditableImage {
  manifest: StoredManifest;
  config: StoredConfig;
  /** Uncompressed tars, bottom first. */
  layers: Uint8Array[];
}

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export function blobPath(layout: string, digest: string): string {
  const [algorithm, hex] = digest.split(':') as [string, string];
  return join(layout, 'blobs', algorithm, hex);
}

export function readImage(layout: string, tag: string): EditableImage {
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
    manifests: StoredDescriptor[];
  };
  const entry = index.manifests.find(
    ({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === tag,
  );
  if (entry === undefined) throw new Error(`no ${tag} in ${layout}`);
  const manifest = JSON.parse(readFileSync(blobPath(layout, entry.digest), 'utf8')) as StoredManifest;
  const config = JSON.parse(readFileSync(blobPath(layout, manifest.config.digest), 'utf8')) as StoredConfig;
  const layers = manifest.layers.map((layer) => {
    const blob = readFileSync(blobPath(layout, layer.digest));
    return layer.mediaType.endsWith('gzip') ? gunzipSync(blob) : blob;
  });
  return { manifest, config, layers };
}

/** Writes a fresh layout with the one image, every digest made anew, and returns the manifest digest. */
export function writeImage(layout: string, tag: string, image: EditableImage): string {
  mkdirSync(join(layout, 'blobs', 'sha256'), { recursive: true });
  const put = (bytes: Uint8Array): { digest: string; size: number } => {
    const digest = sha256(bytes);
    writeFileSync(blobPath(layout, digest), bytes);
    return { digest, size: bytes.length };
  };
  const layers = image.layers.map((tar, at) => {
    const mediaType = image.manifest.layers[at]?.mediaType ?? 'application/vnd.oci.image.layer.v1.tar+gzip';
    return { mediaType, ...put(mediaType.endsWith('gzip') ? gzipSync(tar, { level: 1 }) : tar) };
  });
  const config = { ...image.config, rootfs: { type: 'layers', diff_ids: image.layers.map(sha256) } };
  const configBlob = put(Buffer.from(JSON.stringify(config)));
  const manifest = {
    ...image.manifest,
    config: { mediaType: image.manifest.config.mediaType, ...configBlob },
    layers,
  };
  const manifestBlob = put(Buffer.from(JSON.stringify(manifest)));
  const annotations = { 'org.opencontainers.image.ref.name': tag };
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [{ mediaType: image.manifest.mediaType, ...manifestBlob, annotations }],
  };
  writeFileSync(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  writeFileSync(join(layout, 'index.json'), JSON.stringify(index));
  return manifestBlob.digest;
}

/** Where a file's content lies in a tar that has plain ustar headers and PAX records before them. */
export function findInTar(tar: Uint8Array, path: string): { start: number; size: number } {
  for (let at = 0; at + 512 <= tar.length;) {
    const header = Buffer.from(tar.buffer, tar.byteOffset + at, 512);
    const name = header.toString('latin1', 0, 100).replace(/\0.*$/s, '');
    const prefix = header.toString('latin1', 345, 500).replace(/\0.*$/s, '');
    const size = Number.parseInt(header.toString('latin1', 124, 136).trim() || '0', 8) || 0;
    const full = (prefix === '' ? name : `${prefix}/${name}`).replace(/^\.?\//, '');
    if (full === path && header[156] !== 0x78) return { start: at + 512, size };
    at += 512 + Math.ceil(size / 512) * 512;
  }
  throw new Error(`${path} is not in the layer`);
}
