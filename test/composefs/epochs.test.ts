import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeLatin1 } from '../../src/bytes/bytes.ts';
import {
  digestOfTree,
  EPOCHS,
  findEpoch,
  transformForEpoch,
  type Epoch,
} from '../../src/composefs/epochs.ts';
import { lookup, type Tree } from '../../src/composefs/tree.ts';
import { BootsealError } from '../../src/errors.ts';
import { directory, file, SKELETON, treeOfParts } from '../support/layers.ts';
import { vectorFile } from '../support/uki-vectors.ts';

function epoch(name: string): Epoch {
  const found = findEpoch(name);
  assert.ok(found, name);
  return found;
}

test('a release of bootc finds its epoch', () => {
  const expected: readonly (readonly [release: string, name: string | undefined])[] = [
    ['1.16.9', 'current'],
    ['1.17', undefined],
    ['2.0.0', undefined],
    ['1.16.4', 'current'],
    ['1.16.3', 'before-1.16.4'],
    ['1.16.0', 'before-1.16.4'],
    ['1.16', 'before-1.16.4'],
    ['1.15.2', 'before-1.16'],
    ['1.13', 'before-1.16'],
    ['1.12.5', 'before-1.13'],
    ['1.11', undefined],
    ['1', undefined],
    ['current', 'current'],
    ['next', 'next'],
    ['', undefined],
  ];
  for (const [release, name] of expected) assert.equal(findEpoch(release)?.name, name, release);
});

const XATTRS = new Map(
  ['user.a', 'security.capability', 'trusted.b', 'security.selinux'].map((name) => [
    name,
    encodeLatin1(name),
  ]),
);

function names(tree: Tree, path: string): string[] {
  return [...lookup(tree, path)!.stat.xattrs.keys()].sort();
}

test('attributes: layers were not filtered before 1.16.4, directories since 1.13', async () => {
  const tree = await treeOfParts(...SKELETON, file('usr/x', 'x', { xattrs: XATTRS }));
  const kept = ['security.capability', 'trusted.b', 'user.a'];
  const filtered = ['security.capability'];
  const expected: readonly (readonly [name: string, layers: string[], directories: string[]])[] = [
    ['next', filtered, filtered],
    ['current', filtered, filtered],
    ['before-1.16.4', kept, filtered],
    ['before-1.16', kept, filtered],
    ['before-1.13', kept, kept],
  ];
  assert.equal(expected.length, EPOCHS.length);
  for (const [name, layers, directories] of expected) {
    assert.deepEqual(names(transformForEpoch(tree, epoch(name), 'layers'), 'usr/x'), layers, name);
    assert.deepEqual(names(transformForEpoch(tree, epoch(name), 'directory'), 'usr/x'), directories, name);
  }
});

test('before 1.13 the root was as old as the newest file, and /run stayed', async () => {
  const at = (seconds: number) => ({ mtime: { seconds: BigInt(seconds), nanos: 0 } });
  const parts = [
    directory('usr', at(5)),
    directory('boot', at(6)),
    directory('sysroot', at(7)),
    directory('run', at(8)),
    file('run/newest', 'x', at(1_800_000_000)),
  ];
  const old = transformForEpoch(await treeOfParts(...parts), epoch('1.12'));
  assert.deepEqual(old.root.stat.mtime, { seconds: 1_800_000_000n, nanos: 0 });
  assert.equal(old.root.stat.mode, 0o555);
  assert.equal(lookup(old, 'run/newest')?.kind, 'regular');
  assert.equal(lookup(old, 'boot')?.stat.mtime.seconds, 0n);

  const withRoot = transformForEpoch(
    await treeOfParts(directory('./', { mode: 0o700, ...at(3) }), ...parts),
    epoch('1.12'),
  );
  assert.deepEqual([withRoot.root.stat.mode, withRoot.root.stat.mtime.seconds], [0o700, 3n]);

  const now = transformForEpoch(await treeOfParts(...parts), epoch('current'));
  assert.equal(now.root.stat.mtime.seconds, 5n);
  assert.equal(lookup(now, 'run/newest'), undefined);
  assert.equal(lookup(now, 'boot')?.stat.mtime.seconds, 5n);
});

test('nanoseconds of /boot: kept today, those of /usr next, none in the old format', async () => {
  const nanos = (value: number) => ({ mtime: { seconds: 5n, nanos: value } });
  const tree = (boot: number): Promise<Tree> =>
    treeOfParts(directory('usr', nanos(0)), directory('sysroot', nanos(0)), directory('boot', nanos(boot)));
  const digest = async (name: string, boot: number): Promise<string> =>
    digestOfTree(await tree(boot), epoch(name));
  assert.notEqual(await digest('current', 7), await digest('current', 0));
  assert.equal(await digest('next', 7), await digest('next', 0));
  assert.equal(await digest('next', 0), await digest('current', 0));
  assert.equal(await digest('before-1.16.4', 7), await digest('before-1.16.4', 0));
});

/** Header of an Android boot image. */
function android(version: number, pageSize = 4096, headerSize = 1660): Uint8Array {
  const image = new Uint8Array(2048);
  image.set(encodeLatin1('ANDROID!'));
  const view = new DataView(image.buffer);
  view.setUint32(36, pageSize, true);
  view.setUint32(40, version, true);
  view.setUint32(1644, headerSize, true);
  return image;
}

test('aboot payloads: what composefs-rs 0.9.4 refuses, the next epoch does, and no other', async () => {
  const uki = vectorFile('out/build/initrd-empty.efi');
  const taken: readonly (readonly Uint8Array[])[] = [
    [file('boot/aboot-6.1.img', android(2))],
    [file('boot/aboot-6.1.img', android(2)), file('boot/vbmeta-6.1.img', 'x')],
    [file('boot/aboot-6.1.img', uki)],
    [file('boot/aboot.img', 'x'), file('boot/vbmeta.img', 'x')],
    [file('boot/aboot-6.1.img', android(2, 2048, 2048))],
  ];
  const refused: readonly (readonly Uint8Array[])[] = [
    [file('boot/aboot-6.1.img', android(1))],
    [file('boot/aboot-6.1.img', android(2, 0))],
    [file('boot/aboot-6.1.img', android(2, 4096, 1659))],
    [file('boot/aboot-6.1.img', android(2, 1659, 1660))],
    [file('boot/aboot-6.1.img', android(2).subarray(0, 1000))],
    [file('boot/aboot-6.1.img', vectorFile('out/build/cmdline-at.efi'))],
    [file('boot/aboot-6.1.img', 'neither')],
    [file('boot/aboot-6.1.img', '')],
    [file('boot/aboot-6.1.img', uki), file('boot/vbmeta-6.1.img', 'x')],
    [file('boot/vbmeta-6.1.img', 'x')],
    [file('boot/aboot-.img', android(2))],
    [file('boot/aboot-\xff.img', android(2))],
    [directory('boot/aboot-6.1.img')],
    [file('boot/aboot-6.1.img', android(2)), file('boot/aboot-6.2.img', android(2))],
    [
      file('boot/aboot-6.1.img', android(2)),
      directory('boot/EFI'),
      directory('boot/EFI/Linux'),
      file('boot/EFI/Linux/a.efi', uki),
    ],
    [
      file('boot/aboot-6.1.img', android(2)),
      directory('usr/lib'),
      directory('usr/lib/modules'),
      directory('usr/lib/modules/6'),
      file('usr/lib/modules/6/vmlinuz', 'x'),
    ],
  ];
  const digest = async (parts: readonly Uint8Array[], name: string): Promise<string> =>
    digestOfTree(await treeOfParts(...SKELETON, ...parts), epoch(name));
  const bare = await digest([], 'next');
  for (const [index, parts] of taken.entries())
    assert.equal(await digest(parts, 'next'), bare, `taken ${index}`);
  for (const [index, parts] of refused.entries()) {
    await assert.rejects(
      digest(parts, 'next'),
      (error) => error instanceof BootsealError && error.code === 'composefs/bad-boot-entry',
      `refused ${index}`,
    );
    assert.match(await digest(parts, 'current'), /^[0-9a-f]{128}$/);
  }
});
