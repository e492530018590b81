import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeUtf8 } from '../../src/bytes/bytes.ts';
import { BootsealError } from '../../src/errors.ts';
import type { Descriptor } from '../../src/formats/oci/descriptor.ts';
import { digestOf, type Digest } from '../../src/formats/oci/digest.ts';
import { MEDIA_TYPES } from '../../src/formats/oci/media-types.ts';
import { checkedBlob } from '../../src/stores/checked-blob.ts';
import type { ImageSource, ManifestBlob } from '../../src/stores/image.ts';
import { loadImage } from '../../src/stores/load-image.ts';

const AMD64 = { os: 'linux', architecture: 'amd64' };

/** A store in memory: manifests and blobs by their digests. */
function storeOf(
  top: ManifestBlob,
  others: readonly ManifestBlob[],
  blobs: readonly Uint8Array[],
): ImageSource {
  const manifests = new Map(others.map((manifest) => [manifest.digest, manifest]));
  const contents = new Map(blobs.map((blob) => [digestOf(blob), blob]));
  return {
    name: { transport: 'oci', path: 'memory' },
    topManifest: () => Promise.resolve(top),
    manifest: (digest) => Promise.resolve(manifests.get(digest)!),
    blob: (descriptor) => checkedBlob(descriptor, [contents.get(descriptor.digest)!]),
    close: () => Promise.resolve(),
  };
}

function manifestBlob(value: unknown, mediaType: string): ManifestBlob {
  const bytes = encodeUtf8(JSON.stringify(value));
  return { bytes, digest: digestOf(bytes), mediaType };
}

function describe(bytes: Uint8Array, mediaType: string): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

function imageOf(
  architecture: string,
  diffIds: readonly Digest[],
  layers: readonly Descriptor[],
  configType: string = MEDIA_TYPES.ociConfig,
): { manifest: ManifestBlob; config: Uint8Array } {
  const config = encodeUtf8(
    JSON.stringify({ architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: diffIds } }),
  );
  const manifest = manifestBlob(
    { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config: describe(config, configType), layers },
    MEDIA_TYPES.ociManifest,
  );
  return { manifest, config };
}

const LAYER = encodeUtf8('layer');
const DESCRIPTOR = describe(LAYER, MEDIA_TYPES.ociLayer);

function indexOf(entries: readonly unknown[]): ManifestBlob {
  return manifestBlob(
    { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: entries },
    MEDIA_TYPES.ociIndex,
  );
}

function isCode(code: string, exit: number): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof BootsealError, String(error));
    assert.equal(error.code, code);
    assert.equal(error.exit, exit);
    return true;
  };
}

test('layers come with their diffIDs, and their bytes on demand', async () => {
  const { manifest, config } = imageOf('amd64', [digestOf(LAYER)], [DESCRIPTOR]);
  const image = await loadImage(storeOf(manifest, [], [config, LAYER]), AMD64);
  assert.equal(image.top, image.instance);
  assert.deepEqual(Buffer.from(image.configBytes), Buffer.from(config));
  const [layer] = image.layers;
  assert.equal(layer.diffId, digestOf(LAYER));
  const parts: Uint8Array[] = [];
  for await (const part of layer.open()) parts.push(part);
  assert.deepEqual(Buffer.concat(parts).toString(), 'layer');
});

test('zst-views: annotations come with the blob that they describe, and not with the plain layer instead of it', async () => {
  const annotations = { 'io.github.containers.zstd-chunked.manifest-checksum': digestOf(LAYER) };
  const { manifest, config } = imageOf('amd64', [digestOf(LAYER)], [{ ...DESCRIPTOR, annotations }]);
  const store = storeOf(manifest, [], [config, LAYER]);
  const image = await loadImage(store, AMD64);
  assert.deepEqual({ ...image.layers[0].annotations }, annotations);
  const plain = { size: LAYER.length, open: () => checkedBlob(DESCRIPTOR, [LAYER]) };
  const kept = await loadImage({ ...store, plainLayer: () => Promise.resolve(plain) }, AMD64);
  assert.equal(kept.layers[0].annotations, undefined);
});

test('an index gives the instance of the platform asked for', async () => {
  const images = ['amd64', 'arm64'].map((architecture) =>
    imageOf(architecture, [digestOf(LAYER)], [DESCRIPTOR]),
  );
  const entries = images.map(({ manifest }, at) => ({
    ...describe(manifest.bytes, manifest.mediaType),
    platform: { os: 'linux', architecture: ['amd64', 'arm64'][at] },
  }));
  const store = storeOf(
    indexOf(entries),
    images.map(({ manifest }) => manifest),
    [...images.map(({ config }) => config), LAYER],
  );
  const image = await loadImage(store, { os: 'linux', architecture: 'arm64' });
  assert.equal(image.instance.digest, images[1].manifest.digest);
  assert.equal(image.config.architecture, 'arm64');
  assert.notEqual(image.top.digest, image.instance.digest);
  await assert.rejects(loadImage(store, { os: 'linux', architecture: 's390x' }), /s390x/);
});

test('what does not fit together is refused', async () => {
  const none = imageOf('amd64', [], [DESCRIPTOR]);
  await assert.rejects(
    loadImage(storeOf(none.manifest, [], [none.config]), AMD64),
    isCode('image/layer-count', 1),
  );
  const artifact = imageOf('amd64', [], [], 'application/vnd.example');
  await assert.rejects(
    loadImage(storeOf(artifact.manifest, [], [artifact.config]), AMD64),
    isCode('image/not-an-image', 3),
  );
  const nested = indexOf([]);
  const outer = indexOf([{ ...describe(nested.bytes, nested.mediaType), platform: AMD64 }]);
  await assert.rejects(loadImage(storeOf(outer, [nested], []), AMD64), isCode('image/not-an-image', 3));
  const { manifest, config } = imageOf('amd64', [digestOf(LAYER)], [DESCRIPTOR]);
  const wrongSize = indexOf([
    { ...describe(manifest.bytes, manifest.mediaType), size: manifest.bytes.length + 1, platform: AMD64 },
  ]);
  await assert.rejects(
    loadImage(storeOf(wrongSize, [manifest], [config]), AMD64),
    isCode('store/size-mismatch', 1),
  );
});
