/** bootseal itself in a machine whose kernel knows fs-verity: a repository that the kernel checks, and its mount. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeToolsDisk, TOOL_PEERS, TOOLS_SCRIPT } from '../support/guest-tools.ts';
import { makeVerityDisk, runGuest } from '../support/guest.ts';
import { vectorPath } from '../support/project.ts';
import { bootsealOk } from '../support/run-cli.ts';
import { SAMPLE_TAG, imageFile, kernelVersion, sampleLayout } from '../support/sample.ts';

const TAG = 'random.1';
const ARGS = '--insecure-policy --tag one /repo/r oci:/tools/images:' + TAG;
let folder: string;
let digest: string;
let output: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bootseal-guest-repo-'));
  const layout = vectorPath('oci-digest', 'oci');
  digest = (await bootsealOk(['digest', '--plain', `oci:${layout}:${TAG}`])).stdout.trim();
  const tools = join(folder, 'tools.img');
  const disk = join(folder, 'repo.img');
  makeToolsDisk(tools, folder, { images: layout });
  mkdirSync(join(folder, 'empty'));
  makeVerityDisk(disk, join(folder, 'empty'), 64);
  const modules = `usr/lib/modules/${kernelVersion(sampleLayout(), SAMPLE_TAG)}`;
  output = await runGuest({
    kernel: imageFile(sampleLayout(), SAMPLE_TAG, `${modules}/vmlinuz`),
    initramfs: imageFile(sampleLayout(), SAMPLE_TAG, `${modules}/initramfs.img`),
    peers: TOOL_PEERS,
    disks: [disk, tools],
    timeout: 300_000,
    script: `mkdir /repo /tools; mount -t ext4 /dev/vda /repo; mount -t ext4 /dev/vdb /tools
${TOOLS_SCRIPT}
mark() { echo "== $1"; }
mark init; bootseal composefs repo init /repo/r; mount -t tmpfs none /tmp; bootseal composefs repo init /tmp/r
mark import; bootseal composefs repo import ${ARGS}
mark fsck; bootseal composefs repo fsck /repo/r
mark write; echo x >>"$(ls /repo/r/objects/*/* | head -n 1)" || echo 'not writable'
mark dry; bootseal composefs mount --dry-run /repo/r ${digest} /mnt
mark mount; bootseal composefs mount /repo/r ${digest} /mnt; grep ' /mnt ' /proc/mounts
find /mnt -type f -exec cat {} + >/dev/null && echo 'all of it reads'; grep -c ' erofs ' /proc/mounts
umount /mnt
mark unsealed; bootseal composefs repo init --insecure /repo/i; bootseal composefs repo import ${ARGS.replace('/repo/r', '/repo/i')} >/dev/null
bootseal composefs mount /repo/i ${digest} /mnt
mark meddled
printf '#!/bin/busybox sh\\nfor last; do :; done\\n[ "$1" = enable ] && echo x >>"$last"\\nexec /peers/ld.so --library-path /peers/lib /peers/bin/fsverity "$@"\\n' >/wrap/fsverity
bootseal composefs repo import ${ARGS.replace('--tag one', '--tag two').replace(TAG, 'random.2')}
bootseal composefs repo list /repo/r`,
  });
});
after(() => rm(folder, { recursive: true, force: true }));

/** What was printed after a mark. */
function part(name: string): string {
  const parts = output.split(/^== /m);
  return parts.find((text) => text.startsWith(`${name}\n`)) ?? assert.fail(`no ${name} in ${output}`);
}

test('init: fs-verity is required where the file system has it, and missed where it has not', () => {
  assert.match(part('init'), /verity +required/);
  assert.match(part('init'), /repo\/no-verity/);
});

test('import: every object is sealed by the kernel, and nobody writes to one any more', () => {
  assert.match(part('import'), new RegExp(`image +${digest}`));
  assert.match(part('fsck'), /^sound/m);
  assert.match(part('write'), /Operation not permitted[^]*not writable/);
});

test('mount: checked by the kernel; nothing but the tree stays mounted', () => {
  assert.match(part('mount'), / \/mnt overlay ro,.*verity=require/);
  assert.match(part('mount'), /all of it reads\n0\n/);
});

test('cfs-directio: the mount options are these and no others', () => {
  const lines = part('dry')
    .replaceAll(/[0-9a-f]{126,128}/g, 'HEX')
    .replaceAll(/objects\/[0-9a-f]{2}\//g, 'objects/xx/');
  assert.match(
    lines,
    /^mount -t erofs -o ro,nodev,nosuid,X-mount\.noloop -- \/repo\/r\/objects\/xx\/HEX \/run\/bootseal\/lower$/m,
  );
  assert.match(
    lines,
    /^mount -t overlay -o ro,metacopy=on,redirect_dir=on,verity=require,lowerdir\+=\/run\/bootseal\/lower,datadir\+=\/repo\/r\/objects -- composefs:HEX \/mnt$/m,
  );
  assert.match(lines, /^umount -l -- \/run\/bootseal\/lower$/m);
});

test('a repository without fs-verity is not mounted as if it were checked', () => {
  assert.match(part('unsealed'), /mount\/no-verity/);
});

test('cfs-enable: bytes that were changed before fs-verity was enabled are not blessed by it', () => {
  assert.match(part('meddled'), /repo\/changed-while-writing/);
  assert.doesNotMatch(part('meddled'), /^two/m);
});
