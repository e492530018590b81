/** Digests of images made from dump texts, against both mkcomposefs programs and upstream's own constants. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { concatBytes } from '../../src/bytes/bytes.ts';
import { encodeHex } from '../../src/bytes/hex.ts';
import { dumpBytes } from '../../src/composefs/dump.ts';
import { treeFromDump } from '../../src/composefs/from-dump.ts';
import { imageDigest, writeImage, writePackedImage, type ImageVersion } from '../../src/composefs/image.ts';
import { packDump } from '../../src/composefs/pack-dump.ts';
import { emptyTree, type Leaf, type Tree } from '../../src/composefs/tree.ts';
import { hasWhiteout } from '../../src/composefs/whiteouts.ts';
import { isBootsealError } from '../../src/errors.ts';
import { readDump } from '../../src/formats/composefs-dump/reader.ts';
import type { DumpRules } from '../../src/formats/composefs-dump/rules.ts';
import { verityDigest } from '../../src/formats/fsverity/digest.ts';
import type { VerityAlgorithm } from '../../src/formats/fsverity/format.ts';
import { readVectors } from '../support/oci-vectors.ts';
import { vectorPath } from '../support/project.ts';

function treeOf(file: string, algorithm: VerityAlgorithm): Tree {
  return treeFromDump(readDump(readFileSync(vectorPath(...file.split('/')))), algorithm);
}

const MINI: Readonly<Record<VerityAlgorithm, Partial<Record<ImageVersion, string>>>> = {
  sha256: {
    v0: '6168a184fc101db092799513bbef52b118c3ccecf8d964a3a881162ac43dc3ec',
    v1: '308bb6e12f0dd47f16e21279df680600883db6d704f897edb36df843aaf1d01e',
    v2: 'f6e822ef44a8e9cf5a4a2defc5dca17a4f6c0665520c66f9dba2931f733115d0',
  },
  sha512: {
    v1: '8bf9351d70e8f39538509b152db51bdea18ea909ef6014e7c62e8e0ae8952425e1f6be260b7f312974112b25aea3506a9e316ae9277de3f24eac7da2903b1710',
    v2: '8caa302af214690ae067e6d8072c6b18a4a4f456c34752cb3b1ed543c73b7805364607eeb0d379e21c10ed2833b958742955bb54c4449359a179fbf16d8dcca5',
  },
};

for (const algorithm of ['sha256', 'sha512'] as const) {
  test(`composefs-mini, ${algorithm}`, () => {
    const tree = treeOf(`composefs-mini-${algorithm}.dump`, algorithm);
    for (const [version, digest] of Object.entries(MINI[algorithm]) as [ImageVersion, string][]) {
      assert.equal(imageDigest(tree, { version, algorithm }), digest, version);
    }
  });
}

/** Constants of composefs-rs, crates/composefs/tests/mkfs.rs. */
const UPSTREAM: Readonly<Record<'empty' | 'simple', Readonly<Record<ImageVersion, string>>>> = {
  empty: {
    v0: '8f589e8f57ecb88823736b0d857ddca1e1068a23e264fad164b28f7038eb3682',
    v1: '14a26c957c84f6eb774b91205476adc13196c7c33b9dd97d08d43725ecb90b63',
    v2: '086b702a519b57d6ef5aea6f8b3f2be24355cd1fb835cd80fb4e3d388b24d5a5',
  },
  simple: {
    v0: '9f3f5620ee0c54708516467d0d58741e7963047c7106b245d94c298259d0fa01',
    v1: 'ad6db6427568a1e4fdc772cbab7b6063f5eb4b33cb62982a740ba9213e5962b5',
    v2: 'a8fcd41f8b313bede69f462f2af0a38d64b99a6333f5df884ea9ab4037fac722',
  },
};

function simpleTree(): Tree {
  const tree = emptyTree();
  const stat = { ...tree.root.stat, mode: 0 };
  const digests = { sha256: new Uint8Array(32).fill(0x5a) };
  const leaves: readonly [string, Leaf][] = [
    ['fifo', { kind: 'fifo', stat }],
    ['regular-inline', { kind: 'regular', stat, content: { kind: 'inline', bytes: Buffer.from('hihi') } }],
    ['regular-external', { kind: 'regular', stat, content: { kind: 'external', size: 1234, digests } }],
    ['chrdev', { kind: 'character', stat, rdev: 123 }],
    ['blkdev', { kind: 'block', stat, rdev: 123 }],
    ['socket', { kind: 'socket', stat }],
    ['symlink', { kind: 'symlink', stat, target: '/target' }],
  ];
  for (const [name, leaf] of leaves) tree.root.children.set(name, leaf);
  return tree;
}

test("upstream's constants", () => {
  for (const version of ['v0', 'v1', 'v2'] as const) {
    const format = { version, algorithm: 'sha256' } as const;
    assert.equal(imageDigest(emptyTree(), format), UPSTREAM.empty[version], `empty ${version}`);
    assert.equal(imageDigest(simpleTree(), format), UPSTREAM.simple[version], `simple ${version}`);
  }
});

test('an empty image has its stubs in version 1 and one inode in version 2', () => {
  assert.equal(writeImage(emptyTree(), { version: 'v1', algorithm: 'sha512' }).length, 16384);
  assert.equal(writeImage(emptyTree(), { version: 'v2', algorithm: 'sha512' }).length, 4096);
});

type Outcome = string | { readonly error: string };

interface DumpCase {
  readonly name: string;
  readonly shows: string;
  readonly text: string;
  readonly agree: boolean;
  readonly rust: { readonly V0: Outcome; readonly V1: Outcome };
  readonly c: { readonly V0: Outcome; readonly V1: Outcome };
}

/** The image's digest, or undefined where the text is refused. */
function digestBy(rules: DumpRules, text: Uint8Array, version: 'v0' | 'v1'): string | undefined {
  try {
    const packer = packDump('sha256', rules);
    packer.push(text);
    const tree = packer.finish();
    // The C program was called with a maximal version of 1.
    const raised = rules === 'c' && hasWhiteout(tree) ? 'v1' : version;
    return encodeHex(verityDigest(writePackedImage(tree, raised, rules), 'sha256'));
  } catch (error) {
    assert.ok(isBootsealError(error), String(error));
    return undefined;
  }
}

const cases = readVectors('dump', 'vectors.json') as DumpCase[];

for (const { name, shows, text, agree, rust, c } of cases) {
  const bytes = readFileSync(vectorPath('dump', text));
  test(`dump ${name}: ${shows}`, () => {
    for (const version of ['v0', 'v1'] as const) {
      const answers = { rust: rust[version === 'v0' ? 'V0' : 'V1'], c: c[version === 'v0' ? 'V0' : 'V1'] };
      for (const rules of ['rust', 'c'] as const) {
        const expected = typeof answers[rules] === 'string' ? answers[rules] : undefined;
        // What C puts into the image there is what lies on its stack.
        if (name === 'differs.29' && rules === 'c') continue;
        assert.equal(digestBy(rules, bytes, version), expected, `${rules}, ${version}`);
      }
      // Strictly: what both say, or nothing.
      const same = typeof answers.rust === 'string' && answers.rust === answers.c;
      const strict = digestBy('strict', bytes, version);
      if (agree && same) assert.equal(strict, answers.rust, `strict, ${version}`);
      else if (name !== 'differs.1') assert.equal(strict, undefined, `strict, ${version}`);
    }
  });
}

for (const { name, text, rust } of cases.filter((item) => item.name.startsWith('ok.'))) {
  test(`dump ${name} is written and read again as the same tree`, () => {
    const tree = treeOf(`dump/${text}`, 'sha256');
    assert.equal(imageDigest(tree, { version: 'v0', algorithm: 'sha256' }), rust.V0);
    const again = treeFromDump(readDump(concatBytes(dumpBytes(tree, 'sha256'))), 'sha256');
    assert.equal(imageDigest(again, { version: 'v1', algorithm: 'sha256' }), rust.V1);
  });
}

test('all 41 texts are here', () => assert.equal(cases.length, 41));

/** Of an empty root, mode 0755, all else zero: no upstream constants, but those of an independent model. */
test('sha512 of the empty tree, and the sizes of its images', () => {
  const digest = (version: ImageVersion): string =>
    imageDigest(emptyTree(), { version, algorithm: 'sha512' });
  assert.equal(
    digest('v1'),
    'ee192e5a91c70428c8f2ca7abf8274b695494c70a9ffb277598ffbacf46e2cebd7de172c6d44a84c20f3f13cc97e7691ccce4974937fe866c2f6c83ddccd3f72',
  );
  assert.equal(
    digest('v2'),
    '334472adb2a093bfb4d9bd138d921d76025387ac67813945a297a6391a20518d93efe5cd374cd7584a25c4df83dbfc1e3d4b5b3838ecc50e441d944ca0c11cf7',
  );
  assert.equal(writeImage(emptyTree(), { version: 'v1', algorithm: 'sha512' }).length, 16384);
  assert.equal(writeImage(emptyTree(), { version: 'v2', algorithm: 'sha512' }).length, 4096);
});
