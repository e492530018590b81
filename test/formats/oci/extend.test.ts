import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeUtf8 } from '../../../src/bytes/bytes.ts';
import { parseConfig } from '../../../src/formats/oci/config.ts';
import { digestOf } from '../../../src/formats/oci/digest.ts';
import { extendImage } from '../../../src/formats/oci/extend.ts';
import { parseManifest } from '../../../src/formats/oci/manifest.ts';
import { MEDIA_TYPES } from '../../../src/formats/oci/media-types.ts';

const base = digestOf(encodeUtf8('base'));
const layer = digestOf(encodeUtf8('layer'));
const added = {
  digest: digestOf(encodeUtf8('blob')),
  size: 4,
  diffId: digestOf(encodeUtf8('tar')),
  createdBy: 'test',
};

function image(mediaType: string, history?: unknown): Parameters<typeof extendImage>[0] {
  const docker = mediaType === MEDIA_TYPES.dockerManifest;
  const config = parseConfig(
    encodeUtf8(
      JSON.stringify({
        architecture: 'amd64',
        os: 'linux',
        created: '2026-01-01T00:00:00Z',
        unknown: { kept: true },
        rootfs: { type: 'layers', diff_ids: [layer] },
        ...(history !== undefined && { history }),
      }),
    ),
  );
  const manifest = parseManifest(
    encodeUtf8(
      JSON.stringify({
        schemaVersion: 2,
        mediaType,
        config: {
          mediaType: docker ? MEDIA_TYPES.dockerConfig : MEDIA_TYPES.ociConfig,
          digest: base,
          size: 4,
        },
        layers: [
          { mediaType: docker ? MEDIA_TYPES.dockerLayer : MEDIA_TYPES.ociLayer, digest: layer, size: 5 },
        ],
      }),
    ),
  );
  assert.equal(manifest.kind, 'image');
  return { manifest, baseDigest: base, config, added: [added] };
}

test('the new documents parse, name each other and keep what they do not know', () => {
  const result = extendImage(image(MEDIA_TYPES.ociManifest, [{ created_by: 'first' }]));
  const manifest = parseManifest(result.manifest.bytes, MEDIA_TYPES.ociManifest);
  assert.ok(manifest.kind === 'image');
  assert.deepEqual(manifest.config.digest, digestOf(result.config.bytes));
  assert.deepEqual(
    manifest.layers.map((item) => item.digest),
    [layer, added.digest],
  );
  assert.equal(manifest.annotations?.['org.opencontainers.image.base.digest'], base);
  const config = parseConfig(result.config.bytes);
  assert.deepEqual(config.diffIds, [layer, added.diffId]);
  assert.deepEqual(config.document['unknown'], { kept: true });
  assert.equal((config.document['history'] as unknown[]).length, 2);
  assert.equal(config.created, '2026-01-01T00:00:00Z');
});

test("Docker's schema 2 gets Docker's layer type and no annotations", () => {
  const manifest = parseManifest(extendImage(image(MEDIA_TYPES.dockerManifest)).manifest.bytes);
  assert.ok(manifest.kind === 'image');
  assert.equal(manifest.layers[1]?.mediaType, MEDIA_TYPES.dockerLayerGzip);
  assert.equal(manifest.annotations, undefined);
});

test('the same request gives the same bytes, and an image without history stays without', () => {
  const first = extendImage(image(MEDIA_TYPES.ociManifest));
  const second = extendImage(image(MEDIA_TYPES.ociManifest));
  assert.equal(first.manifest.digest, second.manifest.digest);
  assert.equal('history' in parseConfig(first.config.bytes).document, false);
});

test('a history that is no list is refused', () => {
  assert.throws(() => extendImage(image(MEDIA_TYPES.ociManifest, 'x')), { code: 'oci/bad-config' });
});
