/** Layers: tar framing, PAX records, and applying entries to a tree, then the image of what came out. */
import { concatBytes, encodeLatin1 } from '../../src/bytes/bytes.ts';
import { createLayerApplier, noUsage } from '../../src/composefs/apply-layer.ts';
import { createContentHasher } from '../../src/composefs/content-hasher.ts';
import { DEFAULT_EPOCH, digestOfTree, EPOCHS } from '../../src/composefs/epochs.ts';
import { DEFAULT_LIMITS } from '../../src/composefs/limits.ts';
import { emptyTree } from '../../src/composefs/tree.ts';
import { inlineHashPool } from '../../src/formats/fsverity/inline-hash-pool.ts';
import { archive, directory, entry, file, SKELETON } from '../support/layers.ts';
import type { FuzzTarget } from './harness.ts';

const POLICY = 'selinux/t/contexts/files';

const xattrs = new Map([
  ['security.capability', encodeLatin1('\x01\x00\x00\x02')],
  ['user.long', new Uint8Array(300)],
]);

export const target: FuzzTarget = {
  name: 'tar-layer',
  seeds: () => [
    archive(...SKELETON, file('usr/a', 'a')),
    archive(
      ...SKELETON,
      file('usr/a', 'x'.repeat(5000), { xattrs, mtime: { seconds: 5n, nanos: 120_000_000 } }),
      entry('usr/hard', 'hardlink', { linkTarget: 'usr/a' }),
      entry(`usr/${'l'.repeat(180)}`, 'symlink', { linkTarget: 't'.repeat(300) }),
      entry('usr/c', 'character', { device: { major: 0, minor: 0 } }),
      entry('usr/old', 'fifo', { mtime: { seconds: -5n, nanos: 0 } }),
      directory('usr/d'),
      file('usr/d/.wh.x', ''),
      file('usr/.wh..wh..opq', ''),
    ),
    archive(
      ...SKELETON,
      directory('boot/loader'),
      directory('boot/loader/entries'),
      file('boot/loader/entries/a.conf', 'linux /usr/k\n'),
    ),
    concatBytes([...SKELETON]),
    archive(
      ...SKELETON,
      ...['selinux', 'selinux/t', 'selinux/t/contexts', POLICY].map((path) => directory(`etc/${path}`)),
      file('etc/selinux/config', 'SELINUXTYPE=t\n'),
      file(`etc/${POLICY}/file_contexts`, '/.* a\n/usr/(?!b).* -- b\n'),
      file(`etc/${POLICY}/file_contexts.subs`, '/usr /etc\n'),
    ),
  ],
  run(bytes) {
    const tree = emptyTree();
    const applier = createLayerApplier(tree, {
      hasher: createContentHasher(inlineHashPool(['sha512'])),
      limits: DEFAULT_LIMITS,
      usage: noUsage(),
      capture: () => true,
      label: 'layer',
    });
    // In two pieces, so that every state is entered from a cut as well.
    const cut = bytes.length >> 1;
    applier.push(bytes.subarray(0, cut));
    applier.push(bytes.subarray(cut));
    applier.end();
    for (const epoch of EPOCHS) digestOfTree(tree, { ...epoch, boot: false });
    digestOfTree(tree, DEFAULT_EPOCH);
  },
};
