/** podman's store, made here file by file: what is found, what is put together again, and what a hostile one tries. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { bigDataFile } from '../../src/formats/containers-storage/reader.ts';
import { digestOf } from '../../src/formats/oci/digest.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { encodeTarSplit } from '../../src/formats/tarsplit/writer.ts';
import { loadImage } from '../../src/stores/load-image.ts';
import { openSource } from '../../src/stores/open.ts';
import { locateStorageName } from '../../src/stores/containers-storage/source.ts';
import { resolveWithin } from '../../src/stores/containers-storage/store.ts';
import { archive, entry, file } from '../support/layers.ts';
import { json, makeImage, readBlob, readImage } from '../support/test-image.ts';

const contents = 'contents of a file\n'.repeat(1000);
const layer = archive(entry('etc', 'directory'), file('etc/motd', contents), file('etc/empty', ''));
const image = makeImage([layer]);
const compressed = makeImage([gzipSync(layer)], 'amd64', [digestOf(layer)]);
const ID = '1'.repeat(64);
const LAYER = '2'.repeat(64);

const folders: string[] = [];
let root = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'bootseal-store-'));
  folders.push(root);
});
after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true });
});

async function put(path: string, bytes: Uint8Array | string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), bytes);
}

/** The tar, with the contents of etc/motd taken out. */
function split(bytes: Uint8Array, name = 'etc/motd'): Uint8Array {
  const at = Buffer.from(bytes).indexOf(contents);
  return encodeTarSplit([
    { kind: 'segment', bytes: bytes.subarray(0, at) },
    { kind: 'file', name, size: contents.length },
    { kind: 'segment', bytes: bytes.subarray(at + contents.length) },
  ]);
}

interface StoreOptions {
  readonly of?: typeof image;
  readonly driver?: 'vfs' | 'overlay';
  readonly splitName?: string;
  readonly image?: Readonly<Record<string, unknown>>;
  readonly bigData?: Readonly<Record<string, Uint8Array>>;
}

async function makeStore(options: StoreOptions = {}): Promise<string> {
  const { driver = 'vfs', of = image } = options;
  const bigData: Record<string, Uint8Array> = {
    manifest: of.manifest.bytes,
    [`manifest-${of.manifest.digest}`]: of.manifest.bytes,
    [of.config.digest]: of.blobs.get(of.config.digest) ?? assert.fail(),
    ...options.bigData,
  };
  for (const [key, bytes] of Object.entries(bigData))
    await put(`${driver}-images/${ID}/${bigDataFile(key)}`, bytes);
  await put(
    `${driver}-images/images.json`,
    json([
      {
        id: ID,
        digest: of.manifest.digest,
        names: ['a.test/x:v1', 'docker.io/library/busybox:latest'],
        layer: LAYER,
        metadata: '{}',
        'big-data-names': Object.keys(bigData),
        ...options.image,
      },
    ]),
  );
  await put(
    `${driver}-layers/layers.json`,
    json([{ id: LAYER, 'diff-digest': digestOf(layer), 'diff-size': layer.length }]),
  );
  await put(`${driver}-layers/${LAYER}.tar-split.gz`, gzipSync(split(layer, options.splitName)));
  await put(driver === 'vfs' ? `vfs/dir/${LAYER}/etc/motd` : `overlay/${LAYER}/diff/etc/motd`, contents);
  return `containers-storage:[${driver}@${root}]`;
}

describe('an image of a store', () => {
  for (const driver of ['vfs', 'overlay'] as const) {
    it(`of ${driver} is read whole, layers put together byte for byte`, async () => {
      const store = await makeStore({ driver });
      assert.equal(await readImage(`${store}a.test/x:v1`), image.manifest.digest);
    });
  }

  it('is found by name, digest, ID, the beginning of an ID; without a driver too', async () => {
    const store = await makeStore();
    const names = [
      'busybox',
      'a.test/x:v1',
      `a.test/x@${image.manifest.digest}`,
      `@${ID}`,
      `a.test/x:v1@${ID}`,
      ID,
      ID.slice(0, 12),
      `@${ID.slice(0, 5)}`,
    ];
    for (const name of names) assert.equal(await readImage(store + name), image.manifest.digest, name);
    assert.equal(await readImage(`containers-storage:[${root}]busybox`), image.manifest.digest);
    for (const name of ['a.test/x:v2', '@abc', `a.test/x@sha256:${'0'.repeat(64)}`, 'a.test/y']) {
      await assert.rejects(openSource(parseImageName(store + name)), {
        code: 'containers-storage/no-such-image',
        exit: 2,
      });
    }
    for (const name of ['', '@', 'a.test/x@nothex', 'UPPER', '[vfs@/x]y']) {
      await assert.rejects(async () => openSource(parseImageName(store + name)), { exit: 2 });
    }
  });

  it('has the scopes of policies without being opened, and without being there', async () => {
    const store = await makeStore();
    const locate = async (name: string): Promise<readonly string[]> => {
      const parsed = parseImageName(store + name);
      assert(parsed.transport === 'containers-storage');
      return (await locateStorageName(parsed)).scopes!;
    };
    for (const name of [
      'busybox',
      'a.test/x:v1',
      `a.test/x@${image.manifest.digest}`,
      `a.test/x:v1@${ID}`,
      ID,
    ]) {
      const opened = await openSource(parseImageName(store + name));
      assert(opened.name.transport === 'containers-storage');
      assert.deepEqual(await locate(name), opened.name.scopes, name);
      await opened.close();
    }
    const place = `[vfs@${root}]`;
    const names = ['a.test/x:v2', 'a.test/x', 'a.test'].map((scope) => place + scope);
    assert.deepEqual(await locate('a.test/x:v2'), [...names, place, `[${root}]`]);
    for (const name of ['@abc', `a.test/x:v1@${'0'.repeat(64)}`])
      await assert.rejects(locate(name), { code: 'containers-storage/no-such-image' });
    await rm(join(root, 'vfs-images'), { recursive: true });
    await assert.rejects(locate('busybox'), { code: 'containers-storage/no-store' });
  });

  it('that came compressed gives its layers decoded; its own blobs are gone, and it says so', async () => {
    const store = await makeStore({ of: compressed });
    const source = await openSource(parseImageName(`${store}a.test/x:v1`));
    const loaded = await loadImage(source, { os: 'linux', architecture: 'amd64' });
    const parts = [];
    for await (const part of loaded.layers[0].open()) parts.push(Buffer.from(part));
    assert.deepEqual(Buffer.concat(parts), Buffer.from(layer));
    await assert.rejects(readBlob(source, compressed.layers[0]), { code: 'containers-storage/only-decoded' });
  });

  it('has the signatures of each manifest', async () => {
    const instance = `sha256:${'5'.repeat(64)}` as const;
    const store = await makeStore({
      bigData: { signatures: Buffer.from('onetwo2'), [`signature-${'5'.repeat(64)}`]: Buffer.from('three') },
      image: {
        metadata: JSON.stringify({ 'signature-sizes': [3, 4], 'signatures-sizes': { [instance]: [5] } }),
      },
    });
    const source = await openSource(parseImageName(`${store}a.test/x:v1`));
    const read = async (digest: typeof instance): Promise<string[]> =>
      (await source.storedSignatures?.(digest))?.map((bytes) => Buffer.from(bytes).toString()) ?? [];
    assert.deepEqual(await read(image.manifest.digest as typeof instance), ['one', 'two2']);
    assert.deepEqual(await read(instance), ['three']);
    assert.deepEqual(await read(`sha256:${'6'.repeat(64)}`), []);
  });

  for (const [what, sizes] of [
    ['too few bytes', [3, 9]],
    ['too many', [3]],
  ] as const) {
    it(`signatures with ${what} are refused`, async () => {
      const store = await makeStore({
        bigData: { signatures: Buffer.from('onetwo2') },
        image: { metadata: JSON.stringify({ 'signature-sizes': sizes }) },
      });
      const source = await openSource(parseImageName(`${store}a.test/x:v1`));
      await assert.rejects(async () => source.storedSignatures?.(image.manifest.digest), {
        code: 'containers-storage/malformed',
      });
    });
  }
});

describe('a store that was changed', () => {
  it('contents: the digest tells', async () => {
    const store = await makeStore();
    await put(`vfs/dir/${LAYER}/etc/motd`, contents.replace('file', 'FILE'));
    await assert.rejects(readImage(`${store}busybox`), { code: 'store/digest-mismatch', exit: 1 });
    await put(`vfs/dir/${LAYER}/etc/motd`, contents.slice(1));
    await assert.rejects(readImage(`${store}busybox`), { code: 'store/size-mismatch', exit: 1 });
  });

  it('configuration and manifest: the same', async () => {
    const store = await makeStore({
      bigData: { [image.config.digest]: Buffer.alloc(image.config.size, 0x20) },
    });
    await assert.rejects(readImage(`${store}busybox`), { code: 'store/digest-mismatch', exit: 1 });
    const other = makeImage([layer], 'arm64');
    const swapped = await makeStore({
      bigData: { [`manifest-${image.manifest.digest}`]: other.manifest.bytes },
    });
    await assert.rejects(readImage(`${swapped}a.test/x@${image.manifest.digest}`), {
      code: 'store/digest-mismatch',
    });
  });

  it('cfs-config: an id that is a path is refused before any file is touched', async () => {
    for (const id of ['../../etc', 'a/b', '']) {
      const store = await makeStore({ image: { id } });
      await assert.rejects(readImage(`${store}busybox`), { code: 'containers-storage/malformed' });
    }
  });

  it('tar-link-abs: names in tar-split stay within the layer, links and all', async () => {
    const secret = join(root, 'secret');
    await writeFile(secret, contents);
    for (const splitName of ['../../../secret', `../../..${secret}`, 'abs/secret', 'up/secret']) {
      const store = await makeStore({ splitName });
      const inside = join(root, 'vfs/dir', LAYER);
      await symlink(root, join(inside, 'abs')).catch(() => undefined);
      await symlink('../../..', join(inside, 'up')).catch(() => undefined);
      await assert.rejects(readImage(`${store}busybox`), { code: 'file/cannot-read' });
    }
    assert.equal(await resolveWithin('/nowhere', '../../a/./b/../c'), '/nowhere/a/c');
  });

  it('a circle of links ends, and a pipe is not waited for', async () => {
    const store = await makeStore({ splitName: 'round/motd' });
    await symlink('round', join(root, 'vfs/dir', LAYER, 'round'));
    await assert.rejects(readImage(`${store}busybox`), { code: 'containers-storage/malformed' });
  });
});
