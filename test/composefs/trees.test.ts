/**
 * Digests of directories against cfsctl 0.9.0, and of the same files as a layer. The directories are unpacked from
 * the archives that cfsctl's were unpacked from, owners, devices and attributes of every namespace included, which
 * only root can do.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { imageDigest, type ImageVersion } from '../../src/composefs/image.ts';
import { transformForBoot, transformForOci, type XattrFilter } from '../../src/composefs/transform.ts';
import type { Tree } from '../../src/composefs/tree.ts';
import { isBootsealError } from '../../src/errors.ts';
import type { VerityAlgorithm } from '../../src/formats/fsverity/format.ts';
import { readDirectory } from '../support/directories.ts';
import { attempt, BOTH, readVectors } from '../support/oci-vectors.ts';
import { vectorPath } from '../support/project.ts';

type Answer = Readonly<Record<'V0' | 'V1' | 'V2', string>> | { readonly error: string };
type Modes = Readonly<Record<string, Answer>>;

interface TreeCase {
  readonly name: string;
  readonly shows: string;
  readonly tar: string;
  readonly expect: Readonly<Record<VerityAlgorithm, Readonly<Record<string, Modes>>>>;
}

const FILTERS: Readonly<Record<string, XattrFilter>> = {
  'allowlist-only': 'allowlist',
  'keep-user-xattrs': 'keep-user',
};

/** What each kind of answer is made of. `oci+boot` is `compute-id DIR`, which never looks at boot entries. */
const KINDS: Readonly<Record<string, { readonly oci: boolean; readonly boot: boolean }>> = {
  oci: { oci: true, boot: false },
  raw: { oci: false, boot: false },
  'raw+boot': { oci: false, boot: true },
  'oci+boot': { oci: true, boot: true },
  'repo+boot': { oci: true, boot: true },
};

/** Where `compute-id DIR --bootable` gives a digest and `create-image --bootable DIR`, which bootc follows, refuses. */
const STRICTER = ['bad-loader', 'se-config-link'];

const cases = readVectors('oci-digest', 'trees.json') as TreeCase[];

const { trees: after396 } = readVectors('oci-digest', 'after-396.json') as {
  readonly trees: Readonly<Record<string, Readonly<Record<string, string>>>>;
};

for (const { name, shows, tar, expect } of cases) {
  test(`${name}: ${shows}`, { skip: process.geteuid?.() !== 0 && 'only root can unpack it' }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bootseal-test-'));
    try {
      unpack(vectorPath('oci-digest', tar), folder);
      const tree = await readDirectory(folder, { algorithms: BOTH });
      for (const algorithm of BOTH) {
        for (const [kind, modes] of Object.entries(expect[algorithm])) {
          if (STRICTER.includes(name) && (kind === 'oci+boot' || kind === 'raw+boot')) continue;
          for (const [mode, xattrs] of Object.entries(FILTERS)) {
            compare(tree, kind, xattrs, modes[mode] ?? modes['any'], algorithm);
          }
        }
      }
      compareAfter396(tree, name);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

/** As the vectors were made: see test/vectors/oci-digest/README.md. */
function unpack(archive: string, folder: string): void {
  const options = ['--xattrs', '--xattrs-include=*', '--same-owner', '--numeric-owner', '-xpf'];
  execFileSync('tar', [...options, archive, '-C', folder]);
  execFileSync('chmod', ['0755', folder]);
  execFileSync('chown', ['0:0', folder]);
  execFileSync('touch', ['-d', '@1600000000', folder]);
}

/** What changed with composefs-rs 0.9.4: the nanoseconds of /boot and /sysroot. */
function compareAfter396(tree: Tree, name: string): void {
  for (const [path, want] of Object.entries(after396[name] ?? {})) {
    const [from, algorithm, kind, mode, version] = path.split('/') as [
      string,
      VerityAlgorithm,
      string,
      string,
      string,
    ];
    if (from !== 'expect') continue;
    const plain = KINDS[kind].oci ? transformForOci(tree, { xattrs: FILTERS[mode] }) : tree;
    const format = { version: version.toLowerCase() as ImageVersion, algorithm };
    assert.equal(imageDigest(transformForBoot(plain, { bootNsec: 'usr' }), format), want, path);
  }
}

function compare(
  tree: Tree,
  kind: string,
  xattrs: XattrFilter,
  want: Answer,
  algorithm: VerityAlgorithm,
): void {
  const { oci, boot } = KINDS[kind];
  const result = attempt(() => {
    const plain = oci ? transformForOci(tree, { xattrs }) : tree;
    return boot ? transformForBoot(plain, { bootNsec: 'keep' }) : plain;
  });
  const what = `${kind} ${xattrs} ${algorithm}`;
  if ('error' in want) {
    assert.ok(isBootsealError(result), `${what}: accepted, but cfsctl says ${want.error}`);
    return;
  }
  if (isBootsealError(result)) throw result;
  for (const version of ['V0', 'V1', 'V2'] as const) {
    const format = { version: version.toLowerCase() as ImageVersion, algorithm };
    assert.equal(imageDigest(result, format), want[version], `${what} ${version}`);
  }
}
