/** Random trees become the same images, byte for byte, as C mkcomposefs makes of them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { encodeHex } from '../../src/bytes/hex.ts';
import { dumpImage } from '../../src/composefs/image-dump.ts';
import { listImage, objectsOf } from '../../src/composefs/image-list.ts';
import { writePackedImage } from '../../src/composefs/image.ts';
import type { ImageRules } from '../../src/composefs/image-rules.ts';
import { packDump } from '../../src/composefs/pack-dump.ts';
import { hasWhiteout } from '../../src/composefs/whiteouts.ts';
import { isBootsealError } from '../../src/errors.ts';
import { readErofs } from '../../src/formats/erofs/reader.ts';
import { verityDigest } from '../../src/formats/fsverity/digest.ts';
import { imageFromTree } from '../../src/seal/composefs-image.ts';
import { treeOfDirectory } from '../../src/seal/composefs-directory.ts';
import { cfsctlPath, peer, peerOk } from '../support/peers.ts';
import { chooseSeed } from '../support/random.ts';
import { randomDump } from '../support/random-dump.ts';

const TREES = 1000;

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'bootseal-mkcomposefs-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** By file name and version, what `mkcomposefs` prints. All in one run: starting the tree of peers takes longer. */
function theirDigests(): Map<string, string> {
  const script = `cd "$0"; for version in 0 1; do for file in *.dump; do
    printf '%s %s ' "$file" "$version"
    timeout 20 mkcomposefs --from-file --print-digest-only --min-version=$version --max-version=1 "$file" || echo failed
  done; done`;
  const { stdout } = peerOk('sh', ['-c', script, folder], { timeout: 500_000 });
  return new Map(
    stdout
      .trim()
      .split('\n')
      .map((line) => {
        const [file, version, digest] = line.split(' ');
        return [`${file} ${version}`, digest];
      }),
  );
}

function write(text: Uint8Array, version: 'v0' | 'v1', rules: ImageRules): Uint8Array {
  const packer = packDump('sha256', rules);
  packer.push(text);
  return writePackedImage(packer.finish(), version, rules);
}

function ourDigest(text: Uint8Array, version: 'v0' | 'v1', rules: ImageRules): string {
  const packer = packDump('sha256', rules);
  packer.push(text);
  const tree = packer.finish();
  const raised = hasWhiteout(tree) ? 'v1' : version;
  return encodeHex(verityDigest(writePackedImage(tree, raised, rules), 'sha256'));
}

function orRefused(make: () => string): string | undefined {
  try {
    return make();
  } catch (error) {
    if (isBootsealError(error)) return undefined;
    throw error;
  }
}

test(`${TREES} random trees, versions 0 and 1`, (context) => {
  const seed = chooseSeed();
  context.diagnostic(`seed ${seed}: repeat with BOOTSEAL_SEED=${seed}`);
  for (let at = 0; at < TREES; at++) {
    // Every second one is also taken by composefs-rs.
    const text = randomDump(seed + at, { onlyC: at % 2 === 1, whiteouts: at % 4 < 2 });
    writeFileSync(join(folder, `${String(at).padStart(4, '0')}.dump`), text);
  }
  const theirs = theirDigests();
  assert.equal(theirs.size, 2 * TREES);
  let made = 0;
  let strictly = 0;
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.dump'))) {
    const text = readFileSync(join(folder, file));
    for (const version of ['v0', 'v1'] as const) {
      const expected = theirs.get(`${file} ${version.slice(1)}`);
      const where = `${file} of seed ${seed}, ${version}`;
      if (expected === 'failed') {
        assert.throws(() => ourDigest(text, version, 'c'), `${where}: mkcomposefs refuses it`);
        continue;
      }
      made += 1;
      assert.equal(ourDigest(text, version, 'c'), expected, where);
      // By strict rules the same, or nothing.
      const strict = orRefused(() => ourDigest(text, version, 'strict'));
      if (strict === undefined) continue;
      strictly += 1;
      assert.equal(strict, expected, `${where}, strict`);
    }
  }
  context.diagnostic(`${made} images, ${strictly} of them by strict rules too`);
  assert.ok(made > TREES && strictly > TREES / 4);
});

test('composefs-info prints of our images what we print, and we read those of mkcomposefs', () => {
  const seed = chooseSeed();
  const place = join(folder, 'info');
  mkdirSync(place);
  for (let at = 0; at < 100; at++) {
    const text = Buffer.from(randomDump(seed + at, { onlyC: at % 2 === 1, whiteouts: at % 4 < 2 }), 'latin1');
    writeFileSync(join(place, `${at}.dump`), text);
    writeFileSync(join(place, `${at}.ours`), write(text, 'v1', 'c'));
  }
  const script = `cd "$0"; for file in *.dump; do name=\${file%.dump}
    mkcomposefs --from-file --min-version=1 --max-version=1 $file $name.theirs
    for verb in dump ls objects; do composefs-info $verb $name.ours > $name.$verb || exit 1; done; done`;
  peerOk('sh', ['-c', script, place], { timeout: 300_000 });
  for (let at = 0; at < 100; at++) {
    const read = (kind: string): Buffer => readFileSync(join(place, `${at}.${kind}`));
    const where = `tree ${at} of seed ${seed}`;
    assert.ok(read('ours').equals(read('theirs')), where);
    const image = readErofs(read('theirs'));
    assert.equal([...dumpImage(image, 'c')].join(''), read('dump').toString('latin1'), where);
    assert.equal([...listImage(image)].join(''), read('ls').toString('latin1'), where);
    assert.equal(
      objectsOf([image])
        .map((path) => `${path}\n`)
        .join(''),
      read('objects').toString('latin1'),
      where,
    );
  }
});

test('fsck.erofs and dump.erofs accept our images', () => {
  for (let seed = 0; seed < 6; seed++) {
    const image = join(folder, `erofs-${seed}`);
    const text = Buffer.from(randomDump(seed, { whiteouts: true }), 'latin1');
    writeFileSync(image, write(text, seed % 2 === 0 ? 'v0' : 'v1', 'rust'));
    const { status, stdout, stderr } = peer('fsck.erofs', [image]);
    assert.equal(status, 0, `seed ${seed}: ${stdout}${stderr}`);
    assert.match(peerOk('dump.erofs', [image]).stdout, /inode count: +\d+/);
  }
});

test('composefs-rs makes the same images by its rules, and refuses what we refuse', (context) => {
  const seed = chooseSeed();
  context.diagnostic(`seed ${seed}`);
  let made = 0;
  for (let at = 0; at < 60; at++) {
    const text = Buffer.from(randomDump(seed + at, { whiteouts: at % 2 === 0 }), 'latin1');
    for (const version of ['0', '1'] as const) {
      const args = [
        'mkcomposefs',
        '--from-file',
        '--print-digest-only',
        `--min-version=${version}`,
        '--max-version=1',
        '-',
      ];
      const { status, stdout, stderr } = spawnSync(cfsctlPath(), args, { input: text, timeout: 60_000 });
      const ours = (rules: ImageRules): string =>
        encodeHex(verityDigest(write(text, `v${version}`, rules), 'sha256'));
      if (status !== 0) {
        assert.throws(() => ours('rust'), Error, `seed ${seed + at}: ${stderr.toString()}`);
        continue;
      }
      made += 1;
      assert.equal(ours('rust'), stdout.toString().trim(), `seed ${seed + at}, version ${version}`);
      // What strict rules take is what both make.
      const strict = orRefused(() => ours('strict'));
      if (strict !== undefined) assert.equal(strict, stdout.toString().trim(), `strict, seed ${seed + at}`);
    }
  }
  context.diagnostic(`${made} images`);
  assert.ok(made > 60);
});

test('a directory becomes the same image', async () => {
  const root = join(folder, 'root');
  mkdirSync(join(root, 'a', 'b'), { recursive: true });
  writeFileSync(join(root, 'a', 'small'), 'small');
  writeFileSync(join(root, 'a', 'big'), Buffer.alloc(100_000, 7));
  writeFileSync(join(root, 'a', 'limit'), Buffer.alloc(64, 7));
  writeFileSync(join(root, 'a', 'above'), Buffer.alloc(65, 7));
  writeFileSync(join(root, 'empty'), '');
  symlinkSync('a/small', join(root, 'link'));
  linkSync(join(root, 'a', 'big'), join(root, 'a', 'b', 'other-name'));
  chmodSync(join(root, 'a', 'small'), 0o4755);
  utimesSync(join(root, 'a', 'b'), 1_600_000_000.25, 1_600_000_000.25);
  const options = { minVersion: 0, maxVersion: 1, algorithm: 'sha256', rules: 'c' } as const;
  for (const useEpoch of [false, true]) {
    const tree = await treeOfDirectory(root, { ...options, hardlinks: false, useEpoch });
    const args = ['--print-digest-only', ...(useEpoch ? ['--use-epoch'] : []), root];
    assert.equal(imageFromTree(tree, options).digest, peerOk('mkcomposefs', args).stdout.trim());
  }
});
