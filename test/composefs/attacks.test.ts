/** What hostile layers have done to other tools. Tests are named after the attack; each must end in a refusal or in the one right tree. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { concatBytes, encodeLatin1, encodeUtf8 } from '../../src/bytes/bytes.ts';
import { digestOfTree, DEFAULT_EPOCH } from '../../src/composefs/epochs.ts';
import { contentOf, lookup, type Tree } from '../../src/composefs/tree.ts';
import { BootsealError } from '../../src/errors.ts';
import { digestOf } from '../../src/formats/oci/digest.ts';
import { MEDIA_TYPES } from '../../src/formats/oci/media-types.ts';
import { HEADER_FIELDS, TAR_BLOCK } from '../../src/formats/tar/format.ts';
import { encodePaxRecord, TAR_END, tarPadding } from '../../src/formats/tar/writer.ts';
import { checkedBlob } from '../../src/stores/checked-blob.ts';
import { loadImage } from '../../src/stores/load-image.ts';
import { openSource } from '../../src/stores/open.ts';
import { blobPath, writeImage } from '../support/layout.ts';
import { archive, directory, entry, file, layer, SKELETON, treeOf, treeOfParts } from '../support/layers.ts';

function refused(...codes: readonly string[]): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof BootsealError, String(error));
    assert.ok(codes.includes(error.code), `${error.code}: ${error.message}`);
    assert.match(error.where ?? '', /^layer \d+ \(sha256:/);
    return true;
  };
}

/** A header block changed after the fact, with its checksum set right again. */
function patched(block: Uint8Array, change: (block: Buffer) => void): Uint8Array {
  const copy = Buffer.from(block);
  const header = copy.subarray(copy.length - TAR_BLOCK);
  change(header);
  const [at, length] = HEADER_FIELDS.checksum;
  header.fill(0x20, at, at + length);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, at, 'latin1');
  return copy;
}

/** An extension record (x, L, K or g) holding this. */
function extension(type: string, body: Uint8Array): Uint8Array {
  const header = patched(entry('ext', 'file', { size: body.length }), (block) =>
    block.write(type, HEADER_FIELDS.type[0], 'latin1'),
  );
  return concatBytes([header, body, tarPadding(body.length)]);
}

function pax(key: string, value: string): Uint8Array {
  return extension('x', encodePaxRecord(key, encodeLatin1(value)));
}

function text(tree: Tree, path: string): string | undefined {
  const bytes = contentOf(lookup(tree, path));
  return bytes && Buffer.from(bytes).toString();
}

test('tar-pax-size: the PAX size wins over the header, so nothing is smuggled in as content', async () => {
  const inner = file('usr/inner', 'smuggled');
  for (const type of ['file', 'directory'] as const) {
    const outer = patched(entry('usr/outer', type), (block) => {
      block.write('00000000000\0', HEADER_FIELDS.size[0], 'latin1');
    });
    const tree = await treeOfParts(pax('size', String(inner.length)), outer, inner);
    assert.equal(lookup(tree, 'usr/inner'), undefined, type);
    assert.equal(lookup(tree, 'usr/outer')?.kind, type === 'file' ? 'regular' : 'directory');
  }
});

test('tar-pax-long: a PAX size counts for the real entry, not for the long name between', async () => {
  const name = encodeLatin1('usr/real-name\0');
  const tree = await treeOfParts(
    pax('size', '3'),
    extension('L', name),
    entry('x', 'file'),
    encodeUtf8('abc'),
    tarPadding(3),
  );
  assert.equal(text(tree, 'usr/real-name'), 'abc');
});

test('tar-views: what we read is what GNU tar and Python read', async () => {
  const parts = [
    ...SKELETON,
    file('usr/a', 'a'),
    pax('size', '5'),
    patched(entry('usr/b', 'file'), (block) => block.write('00000000000\0', HEADER_FIELDS.size[0], 'latin1')),
    concatBytes([encodeUtf8('bbbbb'), tarPadding(5)]),
    extension('L', encodeLatin1(`usr/${'l'.repeat(180)}\0`)),
    entry('short', 'file'),
    pax('path', 'usr/from-pax'),
    file('usr/from-header', 'c'),
    entry('usr/link', 'symlink', { linkTarget: 'a' }),
  ];
  const bytes = archive(...parts);
  const tree = await treeOf([layer(bytes)]);
  const ours = [...(lookup(tree, 'usr') as { children: Map<string, unknown> }).children.keys()].sort();
  const listed = (program: string, args: readonly string[]): string[] =>
    execFileSync(program, args, { input: bytes, encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.startsWith('usr/') && line !== 'usr/')
      .map((line) => line.slice(4))
      .sort();
  assert.deepEqual(listed('tar', ['-tf', '-']), ours);
  const script =
    'import sys,tarfile\nfor m in tarfile.open(fileobj=sys.stdin.buffer, mode="r|"): print(m.name)';
  assert.deepEqual(listed('python3', ['-c', script]), ours);
});

test('tar-link-abs: an absolute hardlink stays inside the image', async () => {
  await assert.rejects(
    treeOfParts(entry('usr/passwd', 'hardlink', { linkTarget: '/etc/passwd' })),
    refused('layer/bad-hardlink'),
  );
  const tree = await treeOfParts(
    file('etc/passwd', 'of the image'),
    entry('usr/p', 'hardlink', { linkTarget: '/etc/passwd' }),
  );
  assert.equal(text(tree, 'usr/p'), 'of the image');
});

test('tar-link-rel: ".." in a path or a link target is refused', async () => {
  const bait = file('etc/x', 'bait');
  await assert.rejects(treeOfParts(bait, file('usr/../etc/x', 'new')), refused('layer/bad-path'));
  await assert.rejects(treeOfParts(bait, file('../x', 'new')), refused('layer/bad-path'));
  for (const linkTarget of ['../x', 'usr/../etc/x', 'etc/..']) {
    await assert.rejects(
      treeOfParts(bait, entry('usr/l', 'hardlink', { linkTarget })),
      refused('layer/bad-path', 'layer/bad-hardlink'),
      linkTarget,
    );
  }
});

test('tar-root-link: the root can only be a directory', async () => {
  for (const path of ['.', './', '/', '..', 'usr/..']) {
    await assert.rejects(
      treeOfParts(entry(path, 'symlink', { linkTarget: '/tmp' })),
      refused('layer/root-not-directory'),
      path,
    );
  }
});

test('tar-chmod-link: a directory entry replaces a symbolic link and does not follow it', async () => {
  const tree = await treeOfParts(
    directory('usr/target', { mode: 0o700 }),
    entry('usr/d', 'symlink', { linkTarget: 'target' }),
    directory('usr/d', { mode: 0o777 }),
  );
  assert.equal(lookup(tree, 'usr/target')?.stat.mode, 0o700);
  assert.equal(lookup(tree, 'usr/d')?.kind, 'directory');
});

test('tar-dir-cache: names are bytes, and a link that took the place of a directory is not gone through', async () => {
  const [nfc, nfd] = ['usr/\u00e9', 'usr/e\u0301'].map((name) => Buffer.from(name).toString('latin1'));
  const through = file(`${nfd}/x`, 'escaped');
  await assert.rejects(
    treeOfParts(directory(nfc), entry(nfd, 'symlink', { linkTarget: '/etc' }), through),
    refused('layer/parent-not-directory'),
  );
  await assert.rejects(
    treeOfParts(directory(nfd), file(`${nfd}/y`, ''), entry(nfd, 'symlink', { linkTarget: '/etc' }), through),
    refused('layer/parent-not-directory'),
  );
});

test('tar-load: a symbolic link out of the image changes nothing outside', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bootseal-test-'));
  try {
    writeFileSync(join(folder, 'bait'), 'bait');
    await assert.rejects(
      treeOfParts(entry('usr/out', 'symlink', { linkTarget: folder }), file('usr/out/bait', 'changed')),
      refused('layer/parent-not-directory'),
    );
    assert.deepEqual(readdirSync(folder), ['bait']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('zst-claim, cfs-claimed-layer: a layer under the diffID of another is refused, and the real one is as before', async () => {
  const real = archive(...SKELETON, file('usr/login', 'good'));
  const hostile = archive(...SKELETON, file('usr/login', 'evil'));
  const before = digestOfTree(await treeOf([layer(real)]), DEFAULT_EPOCH);
  await assert.rejects(treeOf([layer(hostile, { diffId: digestOf(real) })]), (error) => {
    assert.equal((error as BootsealError).exit, 1);
    return refused('layer/diffid-mismatch')(error);
  });
  assert.equal(digestOfTree(await treeOf([layer(real)]), DEFAULT_EPOCH), before);
});

test('cfs-short-layer: a cut layer is refused, and the whole one is taken after it', async () => {
  const whole = archive(...SKELETON, file('usr/x', 'x'.repeat(5000)));
  const cut = whole.subarray(0, whole.length - 3000);
  await assert.rejects(treeOf([layer(cut, { diffId: digestOf(whole) })]), refused('layer/diffid-mismatch'));
  assert.equal(lookup(await treeOf([layer(whole)]), 'usr/x')?.kind, 'regular');
});

test('gz-tail: bytes after the last gzip member are refused, a second member is read', async () => {
  const plain = archive(...SKELETON, file('usr/x', 'x'));
  const gzip = { mediaType: MEDIA_TYPES.ociLayerGzip };
  for (const tail of [encodeUtf8('junk'), new Uint8Array(512), Uint8Array.of(0x1f)]) {
    const blob = concatBytes([gzipSync(plain), tail]);
    await assert.rejects(
      treeOf([layer(plain, { ...gzip, blob })]),
      refused('gzip/trailing-data', 'gzip/corrupt', 'gzip/truncated'),
    );
  }
  const two = concatBytes([gzipSync(plain.subarray(0, 700)), gzipSync(plain.subarray(700))]);
  assert.equal(text(await treeOf([layer(plain, { ...gzip, blob: two })]), 'usr/x'), 'x');
});

test("tar-overlay-xattr: overlayfs's own attributes in a layer have no effect", async () => {
  const marks = new Map([
    ['trusted.overlay.redirect', encodeLatin1('/../../etc/shadow')],
    ['trusted.overlay.opaque', encodeLatin1('y')],
    ['user.overlay.metacopy', new Uint8Array(0)],
  ]);
  const digest = async (xattrs?: Map<string, Uint8Array>): Promise<string> => {
    const tree = await treeOfParts(
      directory('usr/d', xattrs && { xattrs }),
      file('usr/d/x', 'x', xattrs && { xattrs }),
    );
    return digestOfTree(tree, DEFAULT_EPOCH);
  };
  assert.equal(await digest(marks), await digest());
});

test('tar-sparse: sparse files are refused in both formats, however large their map', async () => {
  const old = patched(entry('usr/s', 'file'), (block) => block.write('S', HEADER_FIELDS.type[0], 'latin1'));
  await assert.rejects(treeOfParts(old), refused('tar/sparse'));
  const three: readonly (readonly (readonly [string, string])[])[] = [
    [
      ['GNU.sparse.offset', '0'],
      ['GNU.sparse.numbytes', '5'],
    ],
    [['GNU.sparse.map', '0,5']],
    [
      ['GNU.sparse.major', '1'],
      ['GNU.sparse.minor', '0'],
    ],
  ];
  for (const records of three) {
    const body = concatBytes(records.map(([key, value]) => encodePaxRecord(key, encodeLatin1(value))));
    await assert.rejects(treeOfParts(extension('x', body), entry('usr/s', 'file')), refused('tar/sparse'));
  }
  const map = pax('GNU.sparse.map', '0,1,'.repeat(300_000));
  const memory = process.memoryUsage().rss;
  await assert.rejects(treeOfParts(map, entry('usr/s', 'file')), refused('tar/extension-too-large'));
  assert.ok(process.memoryUsage().rss - memory < 64 * 2 ** 20);
});

test('tar-bomb: more decoded bytes than the compressed ones could honestly hold are refused early', async () => {
  const zeros = new Uint8Array(1024 * 1024);
  const size = 64 * zeros.length;
  const bomb = gzipSync(
    concatBytes([entry('usr/zeros', 'file', { size }), ...Array.from({ length: 64 }, () => zeros), TAR_END]),
  );
  const blob = concatBytes([gzipSync(concatBytes(SKELETON)), bomb]);
  const input = layer(new Uint8Array(0), { mediaType: MEDIA_TYPES.ociLayerGzip, blob });
  await assert.rejects(treeOf([input], { limits: { ratioGrace: 2 ** 20 } }), refused('layer/bomb'));
  await assert.rejects(treeOf([input], { limits: { plainBytes: 2 ** 22 } }), refused('layer/too-large'));
});

test('tar-bomb: entries, names and attributes have limits', async () => {
  const many = Array.from({ length: 200 }, (_, at) => file(`usr/${at}`, ''));
  const tree = [layer(archive(...SKELETON, ...many))];
  await assert.rejects(treeOf(tree, { limits: { entries: 100 } }), refused('layer/too-many-entries'));
  await assert.rejects(treeOf(tree, { limits: { metadataBytes: 500 } }), refused('layer/too-much-metadata'));
  const big = [layer(archive(...SKELETON, file('usr/big', 'x'.repeat(5000))))];
  const options = { capture: () => true, limits: { capturedBytes: 1000 } };
  await assert.rejects(treeOf(big, options), refused('layer/too-much-captured'));
});

test('tar-negative: negative and impossible sizes are refused', async () => {
  const sizes: readonly (readonly number[])[] = [
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0x00],
    [0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    [0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  ];
  for (const bytes of sizes) {
    const header = patched(entry('usr/n', 'file'), (block) => block.set(bytes, HEADER_FIELDS.size[0]));
    await assert.rejects(treeOfParts(header), refused('tar/bad-size'));
  }
  await assert.rejects(
    treeOfParts(pax('size', '18446744073709551104'), entry('usr/n', 'file')),
    refused('tar/bad-size'),
  );
  await assert.rejects(treeOfParts(pax('size', '-512'), entry('usr/n', 'file')), refused('tar/bad-number'));
});

test('tar-nul: a NUL in a name, a link or an attribute name is refused', async () => {
  await assert.rejects(treeOfParts(pax('path', 'usr/a\0b'), entry('x', 'file')), refused('layer/bad-path'));
  await assert.rejects(
    treeOfParts(pax('linkpath', 'a\0b'), entry('usr/l', 'symlink', { linkTarget: 'x' })),
    refused('layer/bad-symlink'),
  );
  await assert.rejects(
    treeOfParts(pax('SCHILY.xattr.user.a\0b', 'v'), entry('usr/x', 'file')),
    refused('layer/bad-xattr'),
  );
});

test('tar-opaque: a hundred thousand whiteouts take no time', async () => {
  const opaque = entry('usr/d/.wh..wh..opq', 'file');
  const parts: Uint8Array[] = [...SKELETON, directory('usr/d')];
  for (let at = 0; at < 500; at++) parts.push(file(`usr/d/${at}`, ''));
  for (let at = 0; at < 100_000; at++) parts.push(opaque);
  const start = performance.now();
  const tree = await treeOf([layer(archive(...parts))]);
  assert.ok(performance.now() - start < 2000);
  assert.equal((lookup(tree, 'usr/d') as { children: Map<string, unknown> }).children.size, 0);
});

test('tar-hang: random bytes are refused every time, and no descriptor stays open', async () => {
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  const before = descriptors();
  let state = 1;
  const types = [MEDIA_TYPES.ociLayer, MEDIA_TYPES.ociLayerGzip, MEDIA_TYPES.ociLayerZstd];
  for (let round = 0; round < 1000; round++) {
    const blob = new Uint8Array(700).map(
      () => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 24,
    );
    const input = layer(blob, { mediaType: types[round % types.length], blob });
    await assert.rejects(treeOf([input]), (error) => error instanceof BootsealError);
  }
  assert.ok(descriptors() <= before + 2);
});

test('a damaged blob is called damaged, whatever the parsers make of it', async () => {
  const plain = archive(...SKELETON, file('usr/x', 'x'.repeat(3000)));
  const good = layer(plain, { mediaType: MEDIA_TYPES.ociLayerGzip });
  for (const at of [0, 11, 40]) {
    const blob = Uint8Array.from(gzipSync(plain));
    blob[at] ^= 0x40;
    const open = (): AsyncIterable<Uint8Array> => checked(blob, good);
    await assert.rejects(treeOf([{ ...good, open }]), refused('store/digest-mismatch'), `byte ${at}`);
  }
});

async function* checked(
  blob: Uint8Array,
  expected: { readonly digest: Parameters<typeof checkedBlob>[0]['digest']; readonly size: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* checkedBlob(expected, [blob]);
}

test('zst-two-tocs: a layer with two tables of contents is refused', async () => {
  const tables = {
    'io.github.containers.zstd-chunked.manifest-checksum': digestOf(encodeUtf8('one')),
    'containerd.io/snapshot/stargz/toc.digest': digestOf(encodeUtf8('other')),
  };
  const folder = mkdtempSync(join(tmpdir(), 'bootseal-test-'));
  try {
    for (const keys of [[0], [1], [0, 1]]) {
      const annotations = Object.fromEntries(keys.map((at) => Object.entries(tables)[at]));
      const name = keys.join('');
      const plain = archive(...SKELETON);
      const descriptor = { mediaType: MEDIA_TYPES.ociLayer, digest: '', size: 0, annotations };
      writeImage(join(folder, name), 'x', {
        manifest: {
          schemaVersion: 2,
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: '', size: 0 },
          layers: [descriptor],
        },
        config: { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } },
        layers: [plain],
      });
      // Writing makes descriptors anew, so the annotations go in afterwards.
      annotate(join(folder, name), annotations);
      const source = await openSource({ transport: 'oci', path: join(folder, name), image: 'x' });
      try {
        const loading = loadImage(source, { os: 'linux', architecture: 'amd64' });
        if (keys.length === 2) await assert.rejects(loading, { code: 'image/two-tables', exit: 1 });
        else assert.equal((await loading).layers.length, 1);
      } finally {
        await source.close();
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Annotates the first layer, and makes the index agree with the manifest. */
function annotate(layout: string, annotations: Readonly<Record<string, string>>): void {
  const indexPath = join(layout, 'index.json');
  const index = JSON.parse(readFileSync(indexPath, 'utf8')) as {
    manifests: { digest: string; size: number }[];
  };
  const [entryOfIndex] = index.manifests;
  const manifest = JSON.parse(readFileSync(blobPath(layout, entryOfIndex.digest), 'utf8')) as {
    layers: { annotations?: object }[];
  };
  manifest.layers[0].annotations = annotations;
  const bytes = encodeUtf8(JSON.stringify(manifest));
  const digest = digestOf(bytes);
  writeFileSync(blobPath(layout, digest), bytes);
  index.manifests[0] = { ...entryOfIndex, digest, size: bytes.length };
  writeFileSync(indexPath, JSON.stringify(index));
}
