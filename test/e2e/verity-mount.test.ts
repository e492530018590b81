/**
 * An image of our repository, mounted by a real kernel with verity=require: every file reads and is what the layers
 * hold, and whatever was changed since gives an I/O error and not one byte.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { planMount } from '../../src/composefs/mount-plan.ts';
import { treeFromLayers } from '../../src/composefs/from-layers.ts';
import { contentOf, contentSize, walkTree } from '../../src/composefs/tree.ts';
import { encodeHex } from '../../src/bytes/hex.ts';
import { objectFile } from '../../src/formats/composefs-repo/names.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { openLayerPorts } from '../../src/stores/layer-ports.ts';
import { loadImage } from '../../src/stores/load-image.ts';
import { openSource } from '../../src/stores/open.ts';
import { blockOffset, makeVerityDisk, runGuest } from '../support/guest.ts';
import { bootsealOk } from '../support/run-cli.ts';
import { SAMPLE_TAG, imageFile, kernelVersion, sampleLayout, sampleName } from '../support/sample.ts';

let folder: string;
/** Digest of the composefs image. */
let image: string;
/** `sha256sum` lines of every file of the tree. */
let sums: string;
let files: number;
/** Files with an object, and that object, to be damaged. */
const victims: { path: string; object: string }[] = [];
let output: string;
let disk: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bootseal-verity-'));
  const repo = join(folder, 'repo');
  // This machine's kernel need not know fs-verity: the guest enables it.
  await bootsealOk(['composefs', 'repo', 'init', '--insecure', repo]);
  const args = ['--insecure-policy', '--tag', 'sample', '--json'];
  const imported = await bootsealOk(['composefs', 'repo', 'import', ...args, repo, sampleName()]);
  image = (JSON.parse(imported.stdout) as { image: string }).image;
  await readSample();
  disk = join(folder, 'disk.img');
  makeVerityDisk(disk, repo, 192);
  await bootAndLook();
});
after(() => rm(folder, { recursive: true, force: true }));

async function readSample(): Promise<void> {
  const source = await openSource(parseImageName(sampleName()));
  const { layers } = await loadImage(source);
  const ports = openLayerPorts(['sha512']);
  const limits = { capturedBytes: 2 ** 30 };
  const tree = await treeFromLayers(layers, { algorithms: ['sha512'], ports, capture: () => true, limits });
  await ports.close();
  await source.close();
  const lines: string[] = [];
  walkTree(tree, (path, node) => {
    if (node.kind !== 'regular') return;
    lines.push(`${createHash('sha256').update(contentOf(node)!).digest('hex')}  /mnt/${path}\n`);
    const digest = node.content.kind === 'external' ? node.content.digests.sha512 : undefined;
    if (digest === undefined || contentSize(node) <= 8192) return;
    const object = objectFile(encodeHex(digest));
    if (victims.every((other) => other.object !== object)) victims.push({ path, object });
  });
  sums = lines.join('');
  files = lines.length;
}

function guest(script: string): Promise<string> {
  const version = kernelVersion(sampleLayout(), SAMPLE_TAG);
  const modules = `usr/lib/modules/${version}`;
  const mounts = planMount({
    image: `/repo/${objectFile(image)}`,
    objects: '/repo/objects',
    target: '/mnt',
    lower: '/lower',
    name: image,
    verity: true,
    backing: 'file',
  });
  const shell = mounts.map(
    ({ program, args }) => `peer ${[program, ...args].join(' ')} || echo 'guest: mount failed'`,
  );
  return runGuest({
    kernel: imageFile(sampleLayout(), SAMPLE_TAG, `${modules}/vmlinuz`),
    initramfs: imageFile(sampleLayout(), SAMPLE_TAG, `${modules}/initramfs.img`),
    files: { '/sums': sums },
    peers: ['mount', 'umount', 'fsverity'],
    disks: [disk],
    timeout: 240_000,
    script: `mkdir /repo /lower; mount -t ext4 /dev/vda /repo
seal() { for object in /repo/objects/*/*; do peer fsverity enable --hash-alg=sha512 "$object" || return; done; echo 'guest: sealed'; }
show() { ${shell.join('; ')}; echo 'guest: mounted'; }
look() { echo "guest: $1: $(cat "/mnt/$2" 2>/tmp/why | wc -c) bytes, $(cat /tmp/why)"; }
${script}`,
  });
}

async function bootAndLook(): Promise<void> {
  const [changed, replaced, unsealed] = victims;
  // One boot for all: emulated, it takes most of a minute.
  output = await guest(`cp /repo/${unsealed.object} /tmp/unsealed; seal
peer fsverity measure /repo/${objectFile(image)}
show; echo "guest: $(sha256sum -c /sums | grep -c ': OK$') files are right"
echo x 2>/dev/null >"/mnt/${changed.path}" || echo 'guest: read-only'
umount /mnt

printf '\\377' | dd of=/dev/vda bs=1 seek=${blockOffset(disk, `/${changed.object}`)} conv=notrunc 2>/dev/null
rm /repo/${replaced.object}; printf other >/repo/${replaced.object}; peer fsverity enable --hash-alg=sha512 /repo/${replaced.object}
rm /repo/${unsealed.object}; cp /tmp/unsealed /repo/${unsealed.object}
sync; echo 3 >/proc/sys/vm/drop_caches
show; look changed "${changed.path}"; look replaced "${replaced.path}"; look unsealed "${unsealed.path}"`);
}

test('every file of the tree reads, and is what the layers hold', () => {
  assert.match(output, new RegExp(`sha512:${image} `), output);
  assert.match(output, new RegExp(`guest: ${files} files are right`), output);
  assert.match(output, /guest: read-only/);
  assert.doesNotMatch(output, /mount failed/);
});

for (const [name, what] of [
  ['changed', 'one byte of the disk changed'],
  ['replaced', 'another content under the name of an object'],
  ['unsealed', 'an object that the kernel does not check'],
] as const) {
  test(`${what}: an I/O error, and nothing is read`, () => {
    assert.match(output, new RegExp(`guest: ${name}: 0 bytes, cat: .*Input/output error`), output);
  });
}
