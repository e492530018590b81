/** Layers as skopeo compresses them: with their tables of contents they give what they give without. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { dumpTree } from '../../src/composefs/dump.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { loadImage } from '../../src/stores/load-image.ts';
import { openSource } from '../../src/stores/open.ts';
import { archive, directory, entry, file, SKELETON, treeOf } from '../support/layers.ts';
import { peerOk } from '../support/peers.ts';
import { makeRandom } from '../support/random.ts';
import { makeImage, putImage } from '../support/test-image.ts';
import { KEYS } from '../support/zstd-chunked.ts';

const noise = makeRandom(7);
/** Cut into chunks where its bytes say so, and with a hole of its own. */
const large = new Uint8Array(3_000_000).map((_, at) =>
  at > 2_000_000 && at < 2_400_000 ? 0 : noise.int(256),
);

const bytesOf = (text: string): string => Buffer.from(text).toString('latin1');

const LAYERS: Readonly<Record<string, Uint8Array>> = {
  everything: archive(
    ...SKELETON,
    file('usr/large', large),
    file('usr/zeros', new Uint8Array(500_000)),
    file('usr/empty', ''),
    file('usr/byte', 'x', { mode: 0o6755, uid: 4_000_000_000, gid: 70_000 }),
    file('usr/old', 'old', { mtime: { seconds: -86_400n, nanos: 0 } }),
    file('usr/epoch', 'none', { mtime: { seconds: 0n, nanos: 0 } }),
    file('usr/late', 'late', { mtime: { seconds: 9_000_000_000n, nanos: 123_456_789 } }),
    file('usr/attributes', 'x', {
      xattrs: new Map([
        ['security.capability', Uint8Array.of(1, 0, 0, 2, 0, 32)],
        ['user.line', Uint8Array.of(10, 61, 10)],
      ]),
    }),
    file(bytesOf('usr/ümläut \\ " \u{1f600}'), 'x'),
    file(`usr/${'n'.repeat(250)}`, 'x'),
    directory(`usr/${'d'.repeat(120)}`),
    directory(`usr/${'d'.repeat(120)}/${'e'.repeat(200)}`),
    entry('usr/link', 'symlink', { linkTarget: bytesOf(`${'t'.repeat(300)}ß`) }),
    entry('usr/hard', 'hardlink', { linkTarget: 'usr/byte' }),
    entry('usr/character', 'character', { device: { major: 1, minor: 3 } }),
    entry('usr/block', 'block', { device: { major: 259, minor: 1_048_575 } }),
    entry('usr/fifo', 'fifo'),
    file('usr/.wh.gone', ''),
    file('usr/.wh..wh..opq', ''),
  ),
  nothing: archive(),
};

for (const [name, plain] of Object.entries(LAYERS)) {
  test(`zstd:chunked of skopeo: ${name}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bootseal-chunked-oracle-'));
    try {
      const [from, to] = ['from', 'to'].map((part) => `oci:${join(folder, part)}:v1`);
      await putImage(from, makeImage([plain]));
      const options = ['--dest-compress-format', 'zstd:chunked', '--dest-force-compress-format'];
      peerOk('skopeo', ['--insecure-policy', 'copy', ...options, from, to]);
      const source = await openSource(parseImageName(to));
      try {
        const { layers } = await loadImage(source, { os: 'linux', architecture: 'amd64' });
        const [layer] = layers;
        assert.ok(layer.annotations?.[KEYS.tarSplit] !== undefined, 'skopeo wrote no table');
        const tree = dumpTree(await treeOf([layer]), 'sha512');
        assert.deepEqual(tree, dumpTree(await treeOf([{ ...layer, annotations: {} }]), 'sha512'));
        const annotations = { ...layer.annotations, [KEYS.checksum]: layer.digest };
        await assert.rejects(treeOf([{ ...layer, annotations }]), { code: 'layer/toc-digest', exit: 1 });
      } finally {
        await source.close();
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}
