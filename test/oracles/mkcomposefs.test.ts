/** Random trees become the same images, byte for byte, as C mkcomposefs makes of them. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { encodeHex } from '../../src/bytes/hex.ts';
import { writePackedImage } from '../../src/composefs/image.ts';
import type { ImageRules } from '../../src/composefs/image-rules.ts';
import { packDump } from '../../src/composefs/pack-dump.ts';
import { hasWhiteout } from '../../src/composefs/whiteouts.ts';
import { verityDigest } from '../../src/formats/fsverity/digest.ts';
import { peerOk } from '../support/peers.ts';
import { chooseSeed } from '../support/seeded.ts';
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

function ourDigest(text: Uint8Array, version: 'v0' | 'v1', rules: ImageRules): string {
  const packer = packDump('sha256', rules);
  packer.push(text);
  const tree = packer.finish();
  const raised = hasWhiteout(tree) ? 'v1' : version;
  return encodeHex(verityDigest(writePackedImage(tree, raised, rules), 'sha256'));
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
  for (const file of readdirSync(folder)) {
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
    }
  }
  context.diagnostic(`${made} images`);
  assert.ok(made > TREES);
});
