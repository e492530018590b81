/** Manifests, indexes, layouts and configurations. */
import { parseConfig } from '../../src/formats/oci/config.ts';
import { parseLayoutIndex, selectEntry, setEntry } from '../../src/formats/oci/layout.ts';
import { parseManifest } from '../../src/formats/oci/manifest.ts';
import type { FuzzTarget } from './harness.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;
const descriptor = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: DIGEST, size: 5 };
const platform = { os: 'linux', architecture: 'amd64' };
const annotations = { 'org.opencontainers.image.ref.name': 'x' };

const DOCUMENTS: readonly unknown[] = [
  {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { ...descriptor, mediaType: 'application/vnd.oci.image.config.v1+json' },
    layers: [descriptor],
    subject: descriptor,
    annotations: { a: 'b' },
  },
  {
    schemaVersion: 2,
    manifests: [
      { ...descriptor, mediaType: 'application/vnd.oci.image.manifest.v1+json', platform, annotations },
    ],
  },
  { ...platform, rootfs: { type: 'layers', diff_ids: [DIGEST] }, config: { Labels: { a: 'b' } } },
];

export const target: FuzzTarget = {
  name: 'oci-manifest',
  seeds: () => DOCUMENTS.map((document) => Buffer.from(JSON.stringify(document))),
  run(bytes) {
    if (Buffer.from(bytes).includes('rootfs')) {
      parseConfig(bytes);
      return;
    }
    const manifest = parseManifest(bytes);
    if (manifest.kind === 'image') return;
    const index = parseLayoutIndex(bytes);
    const entry = selectEntry(index, 'x', undefined);
    const changed = parseLayoutIndex(setEntry(bytes, entry, 'y'));
    if (selectEntry(changed, 'y', undefined).digest !== entry.digest) throw new Error('the entry was lost');
  },
};
