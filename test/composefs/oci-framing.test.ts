/** Compressed streams and media types of layers: what a careful reader answers, after two releases of cfsctl. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imageDigest } from '../../src/composefs/image.ts';
import { transformForBoot, transformForOci } from '../../src/composefs/transform.ts';
import { isBootsealError } from '../../src/errors.ts';
import { attemptAsync, BOTH, readVectors, readVectorTree } from '../support/oci-vectors.ts';

interface FramingCase {
  readonly name: string;
  readonly shows: string;
  readonly want?:
    | 'refused'
    | 'either'
    | Readonly<Record<'sha256' | 'sha512', { plain: string; bootable: string }>>;
}

for (const { name, shows, want } of readVectors('oci-framing', 'vectors.json') as FramingCase[]) {
  // Android boot images have no answer that fits every release; the default epoch does not look at them.
  if (want === undefined || want === null) continue;
  test(`${name}: ${shows}`, async () => {
    const tree = await attemptAsync(() => readVectorTree('oci-framing', name));
    if (want === 'refused' || want === 'either') {
      assert.ok(isBootsealError(tree), 'accepted');
      assert.match(tree.code, /^(gzip|zstd|layer|tar)\//);
      return;
    }
    if (isBootsealError(tree)) throw tree;
    const plain = transformForOci(tree, { xattrs: 'allowlist' });
    const bootable = transformForBoot(plain, { bootNsec: 'keep' });
    for (const algorithm of BOTH) {
      assert.equal(imageDigest(plain, { version: 'v1', algorithm }), want[algorithm].plain);
      assert.equal(imageDigest(bootable, { version: 'v1', algorithm }), want[algorithm].bootable);
    }
  });
}
