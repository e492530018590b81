/** Writes an image as an OCI layout (image-spec, image-layout.md): whole, or not at all. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { MEDIA_TYPES } from '../../../dist/formats/oci/media-types.js';
import { filter } from './files.mjs';

/**
 * @param {string} folder replaced when it is an OCI layout already, refused when it is anything else
 * @param {string} tag
 * @param {import('./image.mjs').Sample} sample
 * @returns {string} digest of the manifest
 */
export function writeLayout(folder, tag, sample) {
  const target = resolve(folder);
  if (existsSync(target) && !existsSync(join(target, 'oci-layout'))) {
    throw new Error(`${folder} is there and is no OCI layout`);
  }
  mkdirSync(dirname(target), { recursive: true });
  const made = `${target}.${process.pid}.new`;
  try {
    mkdirSync(join(made, 'blobs', 'sha256'), { recursive: true });
    /**
     * @param {string} mediaType
     * @param {Uint8Array} bytes
     */
    const put = (mediaType, bytes) => {
      const hex = createHash('sha256').update(bytes).digest('hex');
      writeFileSync(join(made, 'blobs', 'sha256', hex), bytes);
      return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
    };
    /** @param {unknown} value */
    const json = (value) => Buffer.from(JSON.stringify(value));
    // gzip the program, not node:zlib: its output has not changed in many years, that of zlib forks does.
    const layers = sample.layers.map(({ tar, compressed }) =>
      compressed
        ? put(MEDIA_TYPES.ociLayerGzip, filter('gzip', ['-n', '-6'], tar))
        : put(MEDIA_TYPES.ociLayer, tar),
    );
    const diffIds = sample.layers.map(
      ({ tar }) => `sha256:${createHash('sha256').update(tar).digest('hex')}`,
    );
    const config = put(
      MEDIA_TYPES.ociConfig,
      json({
        created: sample.created,
        architecture: 'amd64',
        os: 'linux',
        config: { Labels: sample.labels, Cmd: ['/sbin/init'] },
        rootfs: { type: 'layers', diff_ids: diffIds },
        history: sample.layers.map(({ comment }) => ({ created: sample.created, created_by: comment })),
      }),
    );
    const manifest = put(
      MEDIA_TYPES.ociManifest,
      json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers }),
    );
    const named = { ...manifest, annotations: { 'org.opencontainers.image.ref.name': tag } };
    writeFileSync(
      join(made, 'index.json'),
      json({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [named] }),
    );
    writeFileSync(join(made, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
    // The same image again changes nothing.
    if (existsSync(join(target, 'index.json'))) {
      const same = readFileSync(join(target, 'index.json')).equals(readFileSync(join(made, 'index.json')));
      const whole = [manifest, config, ...layers].every(({ digest }) =>
        existsSync(join(target, 'blobs', digest.replace(':', '/'))),
      );
      if (same && whole) return manifest.digest;
    }
    rmSync(target, { recursive: true, force: true });
    renameSync(made, target);
    return manifest.digest;
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}
