/**
 * Digests of OCI images against cfsctl 0.9.0: plain and bootable, both filters of extended attributes, all three
 * versions, both hashes, with and without an SELinux policy. Where it refuses, so do we.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { dumpBytes } from '../../src/composefs/dump.ts';
import { imageDigest, type ImageVersion } from '../../src/composefs/image.ts';
import { transformForBoot, transformForOci, type XattrFilter } from '../../src/composefs/transform.ts';
import type { Tree } from '../../src/composefs/tree.ts';
import { isBootsealError, type BootsealError } from '../../src/errors.ts';
import { concatBytes } from '../../src/bytes/bytes.ts';
import { attempt, attemptAsync, BOTH, readVectors, readVectorTree } from '../support/oci-vectors.ts';
import { vectorPath } from '../support/project.ts';

type Answer = string | { readonly error: string };
type Versions = Readonly<Record<'V0' | 'V1' | 'V2', Answer>> | { readonly error: string };
type Modes = Readonly<Record<string, Versions>>;
type Expected =
  | { readonly pull: { readonly error: string } }
  | { readonly plain: Modes; readonly bootable: Modes };

interface VectorCase {
  readonly name: string;
  readonly shows: string;
  readonly expect: Readonly<Record<'sha256' | 'sha512', Expected>>;
  readonly dumps?: Readonly<Record<string, string>>;
}

const FILTERS = { 'allowlist-only': 'allowlist', 'keep-user-xattrs': 'keep-user' } as const satisfies Record<
  string,
  XattrFilter
>;

/** cfsctl gives a digest for these; nobody should take the image, and the vectors say so. */
const REFUSED_BY_US: Readonly<Record<string, string>> = {
  'name-nul.1': 'layer/bad-path',
  'xattr.13': 'layer/bad-xattr',
  'shape.7': 'layer/bad-symlink',
  'layers.5': 'layer/diffid-mismatch',
};

/** cfsctl's dump repeats stray type bits of the tar field, and so tells of files that are not in the image. */
const DUMP_WITH_STRAY_BITS: readonly string[] = ['mode.3', 'mode.5'];

const cases = readVectors('oci-digest', 'vectors.json') as VectorCase[];

function transformed(tree: Tree, kind: string, mode: keyof typeof FILTERS): Tree {
  const plain = transformForOci(tree, { xattrs: FILTERS[mode] });
  return kind === 'bootable' ? transformForBoot(plain, { bootNsec: 'keep' }) : plain;
}

for (const { name, shows, expect, dumps = {} } of cases) {
  test(`${name}: ${shows}`, async () => {
    const tree = await attemptAsync(() => readVectorTree('oci-digest', name));
    if (name in REFUSED_BY_US) {
      assert.equal((tree as BootsealError).code, REFUSED_BY_US[name]);
      return;
    }
    for (const algorithm of BOTH) {
      const expected = expect[algorithm];
      if ('pull' in expected) {
        const outcome = isBootsealError(tree)
          ? tree
          : attempt(() => transformed(tree, 'plain', 'allowlist-only'));
        assert.ok(isBootsealError(outcome), `accepted, but cfsctl says: ${expected.pull.error}`);
        continue;
      }
      if (isBootsealError(tree)) throw tree;
      for (const kind of ['plain', 'bootable'] as const) {
        for (const mode of Object.keys(FILTERS) as (keyof typeof FILTERS)[]) {
          compare(tree, kind, mode, expected[kind][mode] ?? expected[kind]['any'], algorithm);
        }
      }
    }
    for (const [key, file] of Object.entries(dumps)) {
      if (isBootsealError(tree) || DUMP_WITH_STRAY_BITS.includes(name)) continue;
      const [kind, mode] = key.split('/') as [string, keyof typeof FILTERS];
      const result = attempt(() => transformed(tree, kind, mode));
      if (isBootsealError(result)) throw result;
      assert.equal(Buffer.from(concatBytes(dumpBytes(result, 'sha256'))).toString('latin1'), readDump(file));
    }
  });
}

function compare(
  tree: Tree,
  kind: 'plain' | 'bootable',
  mode: keyof typeof FILTERS,
  expected: Versions,
  algorithm: 'sha256' | 'sha512',
): void {
  const result = attempt(() => transformed(tree, kind, mode));
  for (const version of ['V0', 'V1', 'V2'] as const) {
    const what = `${kind} ${mode} ${version} ${algorithm}`;
    const want = 'error' in expected ? expected : expected[version];
    const got = isBootsealError(result)
      ? result
      : attempt(() => imageDigest(result, { version: version.toLowerCase() as ImageVersion, algorithm }));
    if (typeof want === 'object') assert.ok(isBootsealError(got), `${what} accepted; cfsctl: ${want.error}`);
    else if (isBootsealError(got)) throw got;
    else assert.equal(got, want, what);
  }
}

function readDump(file: string): string {
  const bytes = readFileSync(vectorPath('oci-digest', file));
  return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('latin1');
}

interface After396 {
  readonly images: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

test('with bootNsec "usr" the digests are those of cfsctl 0.9.4', async () => {
  const { images } = readVectors('oci-digest', 'after-396.json') as After396;
  let compared = 0;
  for (const [name, changes] of Object.entries(images)) {
    const tree = await readVectorTree('oci-digest', name);
    for (const [path, want] of Object.entries(changes)) {
      const [algorithm, , mode, version] = path.split('/') as ['sha256' | 'sha512', string, string, string];
      const filters =
        mode === 'any' ? (['allowlist', 'keep-user'] as const) : [FILTERS[mode as keyof typeof FILTERS]];
      for (const xattrs of filters) {
        const result = attempt(() =>
          transformForBoot(transformForOci(tree, { xattrs }), { bootNsec: 'usr' }),
        );
        if (isBootsealError(result)) throw result;
        const format = { version: version.toLowerCase() as ImageVersion, algorithm };
        assert.equal(imageDigest(result, format), want, `${name} ${path}`);
        compared += 1;
      }
    }
  }
  assert.ok(compared > 20, `only ${compared} digests compared`);
});
