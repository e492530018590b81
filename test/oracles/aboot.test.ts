/** Payloads of Android boot loaders: what cfsctl 0.9.4 refuses, the next epoch refuses, case by case. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { encodeLatin1 } from '../../src/bytes/bytes.ts';
import { digestOfTree, findEpoch } from '../../src/composefs/epochs.ts';
import { isBootsealError } from '../../src/errors.ts';
import { readDirectory } from '../support/directories.ts';
import { attemptAsync } from '../support/oci-vectors.ts';
import { cfsctlPath, peer, peerOk } from '../support/peers.ts';
import { vectorFile } from '../support/uki-vectors.ts';

const folder = mkdtempSync(join(tmpdir(), 'bootseal-aboot-'));
after(() => rmSync(folder, { recursive: true }));

function android(version: number, pageSize = 4096, headerSize = 1660, size = 2048): Uint8Array {
  const image = new Uint8Array(2048);
  image.set(encodeLatin1('ANDROID!'));
  const view = new DataView(image.buffer);
  view.setUint32(36, pageSize, true);
  view.setUint32(40, version, true);
  view.setUint32(1644, headerSize, true);
  return image.subarray(0, size);
}

const uki = vectorFile('out/build/initrd-empty.efi');
const noInitrd = vectorFile('out/build/cmdline-at.efi');
const A = 'boot/aboot-6.1.img';
const V = 'boot/vbmeta-6.1.img';

/** A path that ends in `/` is a directory; a string that starts with `->` a symbolic link. */
const CASES: Readonly<Record<string, Readonly<Record<string, Uint8Array | string>>>> = {
  none: {},
  android: { [A]: android(2) },
  'android with vbmeta': { [A]: android(2), [V]: 'x' },
  'android 0': { [A]: android(0) },
  'android 1': { [A]: android(1) },
  'android 3': { [A]: android(3) },
  'page size 0': { [A]: android(2, 0) },
  'header of 1659': { [A]: android(2, 4096, 1659) },
  'header of 1661': { [A]: android(2, 4096, 1661) },
  'header of a page': { [A]: android(2, 2048, 2048) },
  'header over a page': { [A]: android(2, 2048, 2049) },
  'cut at 1659': { [A]: android(2, 4096, 1660, 1659) },
  'cut at 1660': { [A]: android(2, 4096, 1660, 1660) },
  'cut at 60': { [A]: android(2, 4096, 1660, 60) },
  uki: { [A]: uki },
  'uki with vbmeta': { [A]: uki, [V]: 'x' },
  'uki without initrd': { [A]: noInitrd },
  'not an image': { [A]: 'neither' },
  empty: { [A]: '' },
  'vbmeta alone': { [V]: 'x' },
  'vbmeta of another': { [A]: android(2), 'boot/vbmeta-6.2.img': 'x' },
  'vbmeta is a folder': { [A]: android(2), [`${V}/`]: '' },
  'vbmeta is a link': { [A]: android(2), [V]: '->x' },
  'no version': { 'boot/aboot-.img': android(2) },
  'vbmeta without version': { 'boot/vbmeta-.img': 'x' },
  unnumbered: { 'boot/aboot.img': 'x', 'boot/vbmeta.img': 'x' },
  'a folder': { [`${A}/`]: '' },
  'a link': { [A]: '->x' },
  'two payloads': { [A]: android(2), 'boot/aboot-6.2.img': android(2) },
  'beside a uki': { [A]: android(2), 'boot/EFI/Linux/a.efi': uki },
  'beside a uki further down': { [A]: android(2), 'boot/EFI/Linux/x/a.efi': uki },
  'beside an addon': { [A]: android(2), 'boot/EFI/Linux/a.addon.efi': uki },
  'beside addons of a uki': { [A]: android(2), 'boot/EFI/Linux/a.efi.extra.d/b.addon.efi': uki },
  'beside a kernel': { [A]: android(2), 'usr/lib/modules/6/vmlinuz': 'x' },
  'beside a kernel with initramfs': {
    [A]: android(2),
    'usr/lib/modules/6/vmlinuz': 'x',
    'usr/lib/modules/6/initramfs.img': 'x',
  },
  'beside modules': { [A]: android(2), 'usr/lib/modules/6/modules.dep': 'x' },
  'beside a uki of modules': { [A]: android(2), 'usr/lib/modules/6/a.efi': uki },
  'beside a loader entry': { [A]: android(2), 'boot/loader/entries/a.conf': 'title x\n' },
  'beside another file': { [A]: android(2), 'boot/loader/entries/a.txt': 'title x\n' },
  'in a folder': { 'boot/x/aboot-6.1.img': 'x' },
};

const epoch = findEpoch('next');

for (const [name, files] of Object.entries(CASES)) {
  test(`aboot: ${name}`, async () => {
    assert.ok(epoch);
    const root = mkdtempSync(join(folder, 'root-'));
    for (const path of ['usr', 'boot', 'sysroot']) mkdirSync(join(root, path));
    for (const [path, content] of Object.entries(files)) {
      const place = join(root, path);
      mkdirSync(dirname(place), { recursive: true });
      if (path.endsWith('/')) mkdirSync(place);
      else if (typeof content === 'string' && content.startsWith('->')) symlinkSync(content.slice(2), place);
      else writeFileSync(place, content);
    }
    const cfsctl = cfsctlPath('0.9.4');
    const repository = join(folder, 'repo');
    peer(cfsctl, ['--repo', repository, 'init', '--insecure', '--algorithm', 'fsverity-sha512-12']);
    const theirs = peer(cfsctl, ['--repo', repository, 'create-image', '--bootable', root]);
    const tree = await readDirectory(root);
    const ours = await attemptAsync(() => Promise.resolve(digestOfTree(tree, epoch, 'directory')));
    if (theirs.status === 0) {
      if (isBootsealError(ours)) throw ours;
      assert.ok(theirs.stdout.includes(ours), theirs.stdout);
    } else assert.ok(isBootsealError(ours), `accepted, but cfsctl says: ${theirs.stderr}`);
    rmSync(root, { recursive: true });
  });
}

test('cfsctl 0.9.4 answers', () => {
  assert.match(peerOk(cfsctlPath('0.9.4'), ['--version']).stdout, /0\.9\.4/);
});
