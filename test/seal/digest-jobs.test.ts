/** `digest`, its diff, its lint and its search for the rules of a UKI, on small images and directories. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { concatBytes } from '../../src/bytes/bytes.ts';
import { gatherParts } from '../../src/bytes/rope.ts';
import { DEFAULT_EPOCH, EPOCHS, findEpoch } from '../../src/composefs/epochs.ts';
import { treeFromDump } from '../../src/composefs/from-dump.ts';
import { writeImage } from '../../src/composefs/image.ts';
import { isBootsealError } from '../../src/errors.ts';
import { readDump } from '../../src/formats/composefs-dump/reader.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { buildUki } from '../../src/seal/build-uki.ts';
import { diffDigests, type DigestDiff } from '../../src/seal/digest-diff.ts';
import { matchUki } from '../../src/seal/digest-from-uki.ts';
import { lintDigest } from '../../src/seal/digest-lint.ts';
import { digestDirectory, digestImage } from '../../src/seal/digest.ts';
import type { TreeInput } from '../../src/seal/tree-input.ts';
import { openLayerPorts } from '../../src/stores/layer-ports.ts';
import { openSource } from '../../src/stores/open.ts';
import { bootableImage, type Files } from '../support/bootable.ts';
import { archive, directory, entry, file } from '../support/layers.ts';
import { makeImage, putImage, type TestImage } from '../support/test-image.ts';

const folder = mkdtempSync(join(tmpdir(), 'bootseal-digest-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const ports = { openLayerPorts };
const platform = { os: 'linux', architecture: 'amd64' };
let images = 0;

async function withInput<T>(
  image: TestImage,
  work: (input: Extract<TreeInput, { kind: 'image' }>) => Promise<T>,
): Promise<T> {
  const name = `oci:${join(folder, `image-${++images}`)}:1`;
  await putImage(name, image);
  const source = await openSource(parseImageName(name), {});
  try {
    return await work({ kind: 'image', source, platform });
  } finally {
    await source.close();
  }
}

async function dumpOf(image: TestImage, epoch = DEFAULT_EPOCH): Promise<Uint8Array> {
  return withInput(image, async ({ source }) => {
    const { dump } = await digestImage({ epochs: [epoch], platform, dump: true }, { ...ports, source });
    return concatBytes([...(dump ?? [])]);
  });
}

function makeDirectory(files: Readonly<Record<string, string>>): string {
  const root = join(folder, `root-${++images}`);
  for (const name of ['usr', 'boot', 'sysroot']) mkdirSync(join(root, name), { recursive: true });
  for (const [path, content] of Object.entries(files)) writeFileSync(join(root, path), content);
  return root;
}

/** With one more layer on top. */
function withLayer(image: TestImage, ...parts: readonly Uint8Array[]): TestImage {
  const below = image.layers.map(({ digest }) => image.blobs.get(digest)!);
  return makeImage([...below, archive(...parts)]);
}

function link(path: string, linkTarget: string): Uint8Array {
  return entry(path, 'symlink', { linkTarget });
}

const diff = (left: TestImage, right: TestImage, options = {}): Promise<DigestDiff> =>
  withInput(left, (a) =>
    withInput(right, (b) => diffDigests({ left: a, right: b, epoch: DEFAULT_EPOCH, ...options }, ports)),
  );

describe('digest', () => {
  it('gives every epoch from one reading, and refusals beside digests', async () => {
    await withInput(bootableImage(), async ({ source }) => {
      const { digests } = await digestImage({ epochs: EPOCHS, platform }, { ...ports, source });
      for (const { epoch, digest } of digests) {
        const alone = await digestImage({ epochs: [epoch], platform }, { ...ports, source });
        assert.equal(alone.digests[0].digest, digest, epoch.name);
      }
    });
    const aboot = bootableImage({ 'boot/vbmeta-1.img': 'x' });
    await withInput(aboot, async ({ source }) => {
      const { digests } = await digestImage({ epochs: EPOCHS, platform }, { ...ports, source });
      assert.deepEqual(
        digests.filter(({ error }) => error !== undefined).map(({ epoch }) => epoch.name),
        ['next'],
      );
    });
  });

  it('of a directory is by the rules for directories', async () => {
    const root = makeDirectory({ 'usr/x': 'x'.repeat(5000) });
    const { digests, image } = await digestDirectory({ directory: root, epochs: EPOCHS });
    assert.equal(image, undefined);
    assert.equal(digests.filter(({ digest }) => digest !== undefined).length, EPOCHS.length);
    await assert.rejects(
      digestDirectory({ directory: folder, epochs: [DEFAULT_EPOCH] }),
      (error) => isBootsealError(error) && error.code === 'composefs/bad-layout',
    );
  });
});

describe('digest diff', () => {
  it('finds nothing where there is nothing', async () => {
    const { differingPaths, ignoredPaths, differences, epochs } = await diff(
      bootableImage(),
      bootableImage(),
    );
    assert.deepEqual([differingPaths, ignoredPaths, differences.length], [0, 0, 0]);
    assert.ok(epochs.every((verdict) => verdict.differences === 0));
  });

  it('says which epochs mind', async () => {
    const plain = bootableImage();
    const layer = file('usr/bin/tool', 'x', { xattrs: new Map([['user.a', Uint8Array.of(1)]]) });
    const bare = file('usr/bin/tool', 'x');
    const found = await diff(withLayer(plain, layer), withLayer(plain, bare));
    assert.deepEqual(
      found.differences.map(({ path, attribute, matters }) => [path, attribute, matters]),
      [['usr/bin/tool', 'xattr user.a', ['before-1.16.4', 'before-1.16', 'before-1.13']]],
    );
    const names = found.epochs.filter(({ differences }) => differences === 0).map(({ epoch }) => epoch.name);
    assert.deepEqual(names, ['next', 'current']);
  });

  it('leaves out what no digest holds, and counts it', async () => {
    const image = bootableImage({ 'boot/other': 'x' });
    const found = await diff(bootableImage(), image);
    assert.deepEqual([found.differingPaths, found.ignoredPaths, found.differences.length], [1, 1, 0]);
    const all = await diff(bootableImage(), image, { ignored: true });
    assert.deepEqual(
      all.differences.map(({ path }) => path),
      ['boot/other'],
    );
  });

  it('gives as many paths as asked for, and counts all', async () => {
    const files: Files = Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`usr/file-${at}`, 'x']));
    const found = await diff(bootableImage(), bootableImage(files), { limit: 3 });
    assert.equal(found.differences.length, 3);
    assert.equal(found.differingPaths, 50);
  });

  it('takes a dump of either hash for the tree after the transform', async () => {
    const image = bootableImage({ 'boot/other': 'x' });
    for (const algorithm of ['sha256', 'sha512'] as const) {
      const bytes = await dumpOf(image, { ...DEFAULT_EPOCH, algorithm });
      const left: TreeInput = { kind: 'file', path: 'x.dump', bytes };
      const compare = (other: TestImage): Promise<DigestDiff> =>
        withInput(other, (right) => diffDigests({ left, right, epoch: DEFAULT_EPOCH }, ports));
      assert.equal((await compare(image)).differingPaths, 0);
      const changed = await compare(
        bootableImage({
          'usr/bin/tool': 'another tool, longer than what is kept inline: so it has a digest too',
        }),
      );
      assert.deepEqual(
        changed.differences.map(({ path, attribute }) => [path, attribute]),
        [['usr/bin/tool', 'size']],
      );
    }
  });

  it('takes an EROFS image of every version', async () => {
    const parts = [directory('usr', { mtime: { seconds: 5n, nanos: 77 } }), file('usr/x', 'x'.repeat(100))];
    const image = withLayer(bootableImage(), ...parts);
    for (const version of ['v0', 'v1', 'v2'] as const) {
      const epoch = { ...DEFAULT_EPOCH, version };
      const tree = treeFromDump(readDump(await dumpOf(image, epoch)), 'sha512');
      const bytes = writeImage(tree, { version, algorithm: 'sha512' });
      const left: TreeInput = { kind: 'file', path: 'x.cfs', bytes };
      const same = await withInput(image, (right) => diffDigests({ left, right, epoch }, ports));
      assert.deepEqual(same.differences, [], version);
    }
  });

  it('takes a UKI with the dump of its own tree, and with no other', async () => {
    const image = bootableImage();
    const { uki } = await withInput(image, ({ source }) => buildUki({ source, platform }, ports));
    const bytes = gatherParts(uki);
    const read = (dump?: Uint8Array): Promise<DigestDiff> => {
      const left: TreeInput = { kind: 'file', path: 'x.efi', bytes, ...(dump && { dump }) };
      return withInput(image, (right) => diffDigests({ left, right, epoch: DEFAULT_EPOCH }, ports));
    };
    await assert.rejects(read(), (error) => isBootsealError(error) && error.code === 'digest/no-dump');
    await assert.rejects(
      read(await dumpOf(bootableImage({ 'usr/x': 'x' }))),
      (error) => isBootsealError(error) && error.code === 'digest/other-dump' && error.exit === 1,
    );
  });

  it('takes no other file', async () => {
    const left: TreeInput = { kind: 'file', path: 'x', bytes: Uint8Array.of(1, 2, 3) };
    await assert.rejects(
      diffDigests({ left, right: left, epoch: DEFAULT_EPOCH }, ports),
      (error) => isBootsealError(error) && error.code === 'digest/unknown-file',
    );
  });
});

describe('digest --from-uki', () => {
  it('names the rules that the digest was computed by', async () => {
    // A tool with attributes: only then do the rules for layers and for directories differ.
    const base = withLayer(
      bootableImage(),
      file('usr/bin/tool', 'x', { xattrs: new Map([['user.a', Uint8Array.of(1)]]) }),
    );
    for (const name of ['next', 'current', 'before-1.16.4', 'before-1.13']) {
      const epoch = findEpoch(name);
      assert.ok(epoch);
      const { uki } = await withInput(base, ({ source }) => buildUki({ source, platform, epoch }, ports));
      const final = withLayer(
        base,
        file('usr/lib/modules/6.12.0-test/.wh.vmlinuz', ''),
        file('usr/lib/modules/6.12.0-test/.wh.initramfs.img', ''),
      );
      const result = await withInput(final, (input) =>
        matchUki({ input, uki: { path: 'x.efi', bytes: gatherParts(uki) } }, ports),
      );
      const matches = result.ukis[0].matches.map((match) => match.epoch.name);
      assert.ok(matches.includes(name), `${name}: ${matches.join()}`);
      const changed = await withInput(withLayer(final, file('usr/new', 'x')), (input) =>
        matchUki({ input, uki: { path: 'x.efi', bytes: gatherParts(uki) } }, ports),
      );
      assert.deepEqual(changed.ukis[0].matches, []);
    }
  });

  it('looks into the image, and says when there is nothing', async () => {
    const { uki } = await withInput(bootableImage(), ({ source }) => buildUki({ source, platform }, ports));
    const sealed = bootableImage({
      'usr/lib/modules/6.12.0-test/vmlinuz': undefined,
      'usr/lib/modules/6.12.0-test/initramfs.img': undefined,
      'boot/EFI/Linux/a.efi': gatherParts(uki),
    });
    const { ukis } = await withInput(sealed, (input) => matchUki({ input }, ports));
    assert.equal(ukis[0].uki, 'boot/EFI/Linux/a.efi');
    await assert.rejects(
      withInput(bootableImage(), (input) => matchUki({ input }, ports)),
      (error) => isBootsealError(error) && error.code === 'digest/no-uki' && error.exit === 1,
    );
  });
});

describe('digest --lint', () => {
  const lint = async (image: TestImage): Promise<string[]> => {
    const { findings } = await withInput(image, (input) => lintDigest(input, ports));
    return findings.map(({ severity, code }) => `${severity} ${code.slice('digest-lint/'.length)}`);
  };

  it('has nothing to say about a good image', async () => {
    assert.deepEqual(await lint(bootableImage()), []);
  });

  const time = (seconds: bigint, nanos = 0) => ({ mtime: { seconds, nanos } });
  const xattrs = new Map([
    ['user.a', Uint8Array.of(1)],
    ['trusted.b', Uint8Array.of(1)],
  ]);
  const cases: readonly (readonly [finding: string, ...parts: Uint8Array[]])[] = [
    ['error missing-directory', file('.wh.sysroot', '')],
    ['error boot-nanoseconds', directory('boot', time(5n, 7))],
    ['error policy-symlink', directory('etc'), link('etc/selinux', '../usr/selinux')],
    [
      'error refused',
      directory('usr/lib/modules/x'),
      directory('boot/EFI'),
      directory('boot/EFI/Linux'),
      link('boot/EFI/Linux/a.efi', 'x'),
    ],
    ['error implicit-parent', file('usr/none/x', 'x')],
    ['error refused', file(`usr/${'n'.repeat(256)}`, 'x')],
    ['warning user-xattrs', file('usr/x', 'x', { xattrs })],
    ['warning other-xattrs', file('usr/x', 'x', { xattrs })],
    ['warning negative-time', file('usr/x', 'x', time(-5n))],
    ['warning fractional-time', file('usr/x', 'x', time(5n, 5))],
    ['warning long-symlink', link('usr/l', 'x'.repeat(1025))],
  ];
  for (const [finding, ...parts] of cases) {
    it(`finds: ${finding}`, async () => {
      const found = await lint(withLayer(bootableImage(), ...parts));
      assert.ok(found.includes(finding), found.join(', '));
    });
  }

  it('knows what only directories have', async () => {
    const root = makeDirectory({ 'usr/x': 'x', 'usr/.wh.y': '' });
    symlinkSync('x', join(root, 'usr/z'));
    const { findings } = await lintDigest({ kind: 'directory', path: root }, ports);
    const codes = findings.map(({ code }) => code);
    assert.ok(codes.includes('digest-lint/whiteout-name'));
    assert.ok(codes.includes('digest-lint/fractional-time'));
    assert.deepEqual(findings.find(({ code }) => code === 'digest-lint/whiteout-name')?.paths, [
      '/usr/.wh.y',
    ]);
  });

  it('throws what is no finding', async () => {
    await assert.rejects(
      lintDigest({ kind: 'directory', path: join(folder, 'none') }, ports),
      isBootsealError,
    );
  });
});
