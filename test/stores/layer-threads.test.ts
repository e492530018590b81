/** The threads give what the same code gives without threads, and leave nothing behind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { digestOfTree, EPOCHS } from '../../src/composefs/epochs.ts';
import type { LayerInput } from '../../src/composefs/from-layers.ts';
import { contentOf, lookup } from '../../src/composefs/tree.ts';
import { BootsealError } from '../../src/errors.ts';
import { digestOf } from '../../src/formats/oci/digest.ts';
import { MEDIA_TYPES } from '../../src/formats/oci/media-types.ts';
import { openHashPool } from '../../src/stores/hash-pool/pool.ts';
import { openLayerPorts } from '../../src/stores/layer-ports.ts';
import { archive, directory, file, layer, SKELETON, treeOf } from '../support/layers.ts';
import { BOTH } from '../support/oci-vectors.ts';

/** Sizes at the edges of blocks, of slots, and of what is pushed at once. */
const SIZES: readonly number[] = [
  0,
  64,
  65,
  4095,
  4096,
  4097,
  131_072,
  131_073,
  1_048_575,
  1_048_576,
  1_048_577,
  3_000_001,
  262_144 * 4096 ** 0,
];

function content(size: number, salt: number): Uint8Array {
  return new Uint8Array(size).map((_, at) => (Math.imul(at + salt, 2_654_435_761) >>> 11) & 255);
}

function layers(): LayerInput[] {
  const first = SIZES.map((size, at) => file(`usr/f${at}`, content(size, at)));
  const second = Array.from({ length: 3000 }, (_, at) => file(`usr/d/${at}`, content(66 + (at % 300), at)));
  return [
    layer(archive(...SKELETON, ...first), { mediaType: MEDIA_TYPES.ociLayerGzip }),
    layer(archive(directory('usr/d'), ...second)),
    layer(archive(file('usr/f3', content(500_000, 9))), { mediaType: MEDIA_TYPES.ociLayerGzip }),
  ];
}

test('with threads and without, the digests are the same', async () => {
  const expected = await treeOf(layers());
  const ports = openLayerPorts(BOTH);
  try {
    assert.ok(ports.decoder !== undefined);
    const tree = await treeOf(layers(), { ports, capture: (path) => path === 'usr/f11' });
    for (const epoch of EPOCHS)
      assert.equal(digestOfTree(tree, epoch), digestOfTree(expected, epoch), epoch.name);
    assert.deepEqual(Buffer.from(contentOf(lookup(tree, 'usr/f11'))!), Buffer.from(content(SIZES[11], 11)));
  } finally {
    await ports.close();
  }
});

test('several hashing threads keep the order', async () => {
  const expected = await treeOf(layers());
  const hashPool = openHashPool(['sha512'], { threads: 3 });
  const ports = openLayerPorts(['sha512'], { expectedBytes: 1 });
  try {
    const options = { algorithms: ['sha512'] as const, ports: { ...ports, hashPool } };
    assert.equal(digestOfTree(await treeOf(layers(), options), EPOCHS[1]), digestOfTree(expected, EPOCHS[1]));
  } finally {
    await Promise.all([hashPool.close(), ports.close()]);
  }
});

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof BootsealError && error.code === code;
}

test('errors keep their code and place across threads', async () => {
  const plain = archive(...SKELETON);
  const gzip = { mediaType: MEDIA_TYPES.ociLayerGzip };
  const blob = Buffer.concat([gzipSync(plain), Buffer.alloc(10)]);
  const cases: readonly (readonly [string, LayerInput])[] = [
    ['gzip/trailing-data', layer(plain, { ...gzip, blob })],
    ['layer/diffid-mismatch', layer(plain, { diffId: digestOf(blob) })],
    ['tar/truncated', layer(plain.subarray(0, 700))],
    ['layer/missing-parent', layer(archive(file('none/x', content(3_000_000, 1))))],
  ];
  for (const [code, input] of cases) {
    const ports = openLayerPorts(BOTH);
    try {
      await assert.rejects(treeOf([input], { ports }), (error) => {
        assert.match((error as BootsealError).where ?? '', /^layer 1 /);
        return isCode(code)(error);
      });
    } finally {
      await ports.close();
    }
  }
});

test('an error of the store, and an abort, end the reading', async () => {
  const [good] = layers();
  async function* broken(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of good.open()) {
      yield chunk;
      throw new BootsealError('store/digest-mismatch', 'other bytes', { exit: 1 });
    }
  }
  const ports = openLayerPorts(BOTH);
  await assert.rejects(treeOf([{ ...good, open: broken }], { ports }), isCode('store/digest-mismatch'));
  await ports.close();

  const abort = new AbortController();
  const aborted = openLayerPorts(BOTH);
  const onProgress = (): void => abort.abort(new Error('stopped by the user'));
  await assert.rejects(
    treeOf(layers(), { ports: aborted, signal: abort.signal, onProgress }),
    /stopped by the user/,
  );
  await aborted.close();
});
