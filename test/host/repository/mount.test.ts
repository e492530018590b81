import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { encodeHex } from '../../../src/bytes/hex.ts';
import { planMount } from '../../../src/composefs/mount-plan.ts';
import { treeFromDump } from '../../../src/composefs/from-dump.ts';
import { readDump } from '../../../src/formats/composefs-dump/reader.ts';
import { writeImage } from '../../../src/composefs/image.ts';
import { objectFile } from '../../../src/formats/composefs-repo/names.ts';
import { verityDigest } from '../../../src/formats/fsverity/digest.ts';
import { mountImage, type MountImageResult } from '../../../src/host/repository/mount.ts';
import { createRepo, type ComposefsRepo } from '../../../src/stores/composefs-repo/repository.ts';
import { openStaging } from '../../../src/stores/composefs-repo/staging.ts';

let folder: string;
let repo: ComposefsRepo;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bootseal-mount-'));
  repo = await createRepo(join(folder, 'repo'), { algorithm: 'sha256', imageVersion: 1, insecure: true });
});
after(() => rm(folder, { recursive: true, force: true }));

/** As whoever may write into the repository would: under the right name, whatever it is. */
async function keep(bytes: Uint8Array): Promise<string> {
  const digest = encodeHex(verityDigest(bytes, 'sha256'));
  const staging = await openStaging(repo);
  await staging.commit(new Map([[staging.add(bytes), digest]]));
  await staging.link(`images/${digest}`, objectFile(digest));
  await staging.close();
  return digest;
}

function dryRun(image: string, insecure = true): Promise<MountImageResult> {
  return mountImage({ repo, image, target: folder, insecure, dryRun: true, backing: 'loop' });
}

const DUMP = `/ 0 40755 2 0 0 0 0.0 - - -
/big 4000 100644 1 0 0 0 0.0 ab/${'cd'.repeat(31)} - ab${'cd'.repeat(31)}
`;

function image(dump: string): Uint8Array {
  return writeImage(treeFromDump(readDump(Buffer.from(dump)), 'sha256'), {
    version: 'v1',
    algorithm: 'sha256',
  });
}

test('a good image is planned', async () => {
  const digest = await keep(image(DUMP));
  const { commands, mounted, steps } = await dryRun(digest);
  assert.equal(mounted, false);
  assert.deepEqual(
    commands.map(({ program }) => program),
    ['mount', 'mount', 'umount'],
  );
  assert.match(steps[0].summary, /1 objects$/);
});

test('no fs-verity, no checked mount', async () => {
  const digest = await keep(image(DUMP));
  await assert.rejects(dryRun(digest, false), { code: 'mount/no-verity' });
});

test('cfs-optional: an image with one file without a digest is not mounted', async () => {
  const digest = await keep(image(`${DUMP}/free 4000 100644 1 0 0 0 0.0 - - -\n`));
  await assert.rejects(dryRun(digest), { code: 'repo/unverified-file', where: '/free' });
});

test('cfs-crafted: an odd file system is refused before the kernel sees it', async () => {
  const good = image(DUMP);
  const damages: [what: string, change: (view: DataView) => void][] = [
    ['compression', (view) => view.setUint32(1024 + 80, 1, true)],
    ['more blocks than there are', (view) => view.setUint32(1024 + 36, 9999, true)],
    ['a negative size', (view) => view.setUint32(1152 + 8, 0xffffffff, true)],
    ['a root behind the end', (view) => view.setUint16(1024 + 14, 0xffff, true)],
  ];
  for (const [what, change] of damages) {
    const bytes = Uint8Array.from(good);
    change(new DataView(bytes.buffer));
    const digest = await keep(bytes);
    const error = await dryRun(digest).then(
      () => undefined,
      (reason: unknown) => reason as { code: string },
    );
    assert.match(error?.code ?? 'taken', /^(erofs|composefs)\//, what);
  }
});

test('an image of another repository, and names that are no digests', async () => {
  await assert.rejects(dryRun('ab'.repeat(32)), { code: 'mount/no-image' });
  await assert.rejects(dryRun('../meta.json'), { code: 'mount/no-image' });
});

test('paths that mount would read otherwise are refused', () => {
  for (const path of ['relative', '/a,upperdir=/etc', '/a:b', '/a\\b', '/a b', '/a\n', '/a"b', '/a\0']) {
    const request = {
      image: '/i',
      objects: '/o',
      target: path,
      lower: '/l',
      name: 'x',
      verity: true,
    } as const;
    assert.throws(() => planMount({ ...request, backing: 'file' }), { code: 'mount/bad-path' });
  }
});
