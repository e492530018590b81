/** What every transport must do alike, each against its real files or the real registry. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isBootsealError } from '../../src/errors.ts';
import { digestOf } from '../../src/formats/oci/digest.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { withLock } from '../../src/stores/file-lock.ts';
import { pruneLayout } from '../../src/stores/oci-layout/prune.ts';
import { openDestination, openSource } from '../../src/stores/open.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import {
  json,
  makeImage,
  makeIndex,
  pieces,
  putBlobs,
  putImage,
  readBlob,
  readImage,
} from '../support/test-image.ts';

const image = makeImage([randomBytes(10), randomBytes(200_001), new Uint8Array(0)]);
const big = makeImage([randomBytes(17 * 1024 * 1024)]);
let folder = '';
let registry: TestRegistry;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bootseal-transports-'));
  registry = await startRegistry();
});
after(async () => {
  await registry.stop();
  await rm(folder, { recursive: true });
});

const transports = {
  oci: (name: string): string => `oci:${join(folder, name)}:${name}`,
  'oci-archive': (name: string): string => `oci-archive:${join(folder, `${name}.tar`)}:${name}`,
  dir: (name: string): string => `dir:${join(folder, `${name}-dir`)}`,
  docker: (name: string): string => `docker://${registry.host}/acme/${name}:1`,
};

/** A code, and a hint that helps on. */
function assertClear(error: Error, where: string): void {
  if (!isBootsealError(error)) throw error;
  assert.ok(error.hint, `${where}: ${error.code} has no hint: ${error.message}`);
}

async function temporaryFiles(): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).filter(
    (name) => name.endsWith('.tmp') || name.endsWith('.lock'),
  );
}

for (const [transport, nameFor] of Object.entries(transports)) {
  describe(transport, () => {
    it('gives back what was put, and replaces it', async () => {
      const name = nameFor('same');
      await putImage(name, image);
      assert.equal(await readImage(name), image.manifest.digest);
      const other = makeImage();
      await putImage(name, other);
      assert.equal(await readImage(name), other.manifest.digest);
    });

    it('takes a blob of more than one chunk', async () => {
      await putImage(nameFor('big'), big);
      assert.equal(await readImage(nameFor('big')), big.manifest.digest);
    });

    it('shows nothing before the commit, and nothing after an abort', async () => {
      const name = nameFor('aborted');
      const destination = await openDestination(parseImageName(name));
      await putBlobs(destination, image);
      await destination.putTopManifest(image.manifest);
      await assert.rejects(
        openSource(parseImageName(name)),
        (error: Error) => error.name === 'BootsealError',
      );
      await destination.abort();
      await assert.rejects(
        openSource(parseImageName(name)),
        (error: Error) => error.name === 'BootsealError',
      );
      if (transport !== 'docker') {
        assert.deepEqual(
          (await readdir(folder)).filter((each) => each.includes('aborted')),
          [],
        );
      }
    });

    it('keeps the image that was there when a later one fails', async () => {
      const name = nameFor('kept');
      await putImage(name, image);
      const destination = await openDestination(parseImageName(name));
      await assert.rejects(destination.putBlob(image.layers[1], pieces(randomBytes(200_001))), {
        code: 'store/digest-mismatch',
      });
      const other = makeImage();
      await destination.putBlob(other.layers[0], pieces(other.blobs.get(other.layers[0].digest) ?? json('')));
      await destination.abort();
      assert.equal(await readImage(name), image.manifest.digest);
      assert.deepEqual(await temporaryFiles(), []);
    });

    it('takes no blob of another digest or length', async () => {
      const destination = await openDestination(parseImageName(nameFor('wrong')));
      const [, layer] = image.layers;
      for (const [bytes, code] of [
        [randomBytes(200_001), 'store/digest-mismatch'],
        [randomBytes(200_000), 'store/size-mismatch'],
        [randomBytes(200_002), 'store/size-mismatch'],
      ] as const) {
        await assert.rejects(destination.putBlob(layer, pieces(bytes)), { code, exit: 1 });
        assert.equal(await destination.hasBlob(layer), false);
      }
      await destination.abort();
      assert.deepEqual(await temporaryFiles(), []);
    });

    it('holds an index with its instances', async () => {
      const other = makeImage(undefined, 'arm64');
      const index = makeIndex({ amd64: image, arm64: other });
      const name = parseImageName(nameFor('index'));
      const destination = await openDestination(name);
      for (const each of [image, other]) {
        await putBlobs(destination, each);
        await destination.putInstance(each.manifest);
      }
      await destination.putTopManifest(index);
      await destination.commit();
      await destination.abort();
      const source = await openSource(name);
      assert.deepEqual((await source.topManifest()).digest, index.digest);
      assert.deepEqual(
        Buffer.from((await source.manifest(other.manifest.digest)).bytes),
        Buffer.from(other.manifest.bytes),
      );
      assert.equal(await readBlob(source, other.layers[0]), other.layers[0].digest.slice(7));
      await assert.rejects(
        source.manifest(digestOf(json('absent'))),
        (error: Error) => error.name === 'BootsealError',
      );
      await source.close();
    });

    it('lets two write the same image at the same time', async () => {
      const name = nameFor('both');
      await Promise.all([putImage(name, image), putImage(name, image)]);
      assert.equal(await readImage(name), image.manifest.digest);
      assert.deepEqual(await temporaryFiles(), []);
    });
  });
}

describe('oci layout', () => {
  it('holds several images, each under its name', async () => {
    const path = join(folder, 'several');
    const other = makeImage();
    await putImage(`oci:${path}:a`, image);
    await putImage(`oci:${path}:b`, other);
    assert.equal(await readImage(`oci:${path}:a`), image.manifest.digest);
    assert.equal(await readImage(`oci:${path}:b`), other.manifest.digest);
    assert.equal(await readImage(`oci:${path}:@1`), other.manifest.digest);
    await assert.rejects(readImage(`oci:${path}`), { code: 'oci/many-images' });
    await assert.rejects(readImage(`oci:${path}:c`), { code: 'oci/no-such-image' });
    assert.deepEqual(await pruneLayout(path, ['b']), { images: 1, blobs: image.blobs.size + 1 });
    assert.equal(await readImage(`oci:${path}`), other.manifest.digest);
    await assert.rejects(readImage(`oci:${path}:a`), { code: 'oci/no-such-image' });
  });

  it('writes at the same time under several names', async () => {
    const path = join(folder, 'crowd');
    const images = Array.from({ length: 6 }, () => makeImage());
    await Promise.all(images.map((each, at) => putImage(`oci:${path}:n${at}`, each)));
    for (const [at, each] of images.entries())
      assert.equal(await readImage(`oci:${path}:n${at}`), each.manifest.digest);
  });

  it('mends a damaged blob when the image is written again', async () => {
    const path = join(folder, 'damaged');
    await putImage(`oci:${path}`, image);
    const file = join(path, 'blobs', 'sha256', image.layers[1].digest.slice(7));
    await writeFile(file, randomBytes(200_001));
    await assert.rejects(readImage(`oci:${path}`), { code: 'store/digest-mismatch' });
    const destination = await openDestination(parseImageName(`oci:${path}`));
    assert.equal(await destination.hasBlob(image.layers[1]), false);
    await destination.abort();
    await putImage(`oci:${path}`, image);
    assert.equal(await readImage(`oci:${path}`), image.manifest.digest);
  });

  it('keeps unknown fields of other entries', async () => {
    const path = join(folder, 'fields');
    await putImage(`oci:${path}:a`, image);
    const index = JSON.parse(await readFile(join(path, 'index.json'), 'utf8')) as {
      manifests: Record<string, unknown>[];
    };
    index.manifests[0]['x-unknown'] = { kept: true };
    await writeFile(join(path, 'index.json'), JSON.stringify({ ...index, 'x-top': 1 }));
    await putImage(`oci:${path}:b`, makeImage());
    const after = JSON.parse(await readFile(join(path, 'index.json'), 'utf8')) as typeof index & {
      'x-top': number;
    };
    assert.deepEqual(after.manifests[0]['x-unknown'], { kept: true });
    assert.equal(after['x-top'], 1);
  });

  it('reg-digest-path, reg-weak-alg: refuses digests that are paths or weak, and writes nothing', async () => {
    const path = join(folder, 'paths');
    await putImage(`oci:${path}`, image);
    const index = await readFile(join(path, 'index.json'), 'utf8');
    for (const digest of [
      'sha256:../../x',
      `md5:${'a'.repeat(32)}`,
      `sha1:${'a'.repeat(40)}`,
      `sha256:${'A'.repeat(64)}`,
      'sha256:zz',
    ]) {
      await writeFile(join(path, 'index.json'), index.replace(image.manifest.digest, digest));
      await assert.rejects(readImage(`oci:${path}`), { code: 'oci/bad-digest' });
    }
    // The same within a manifest whose own digest is right.
    const manifest = Buffer.from(
      Buffer.from(image.manifest.bytes).toString().replace(image.layers[0].digest, 'sha256:../../x'),
    );
    const evil = { ...image, manifest: { ...image.manifest, bytes: manifest, digest: digestOf(manifest) } };
    await assert.rejects(putImage(`oci:${join(folder, 'evil')}`, evil), { code: 'oci/bad-digest' });
    assert.ok(!(await readdir(folder)).includes('evil'));
  });

  it('reg-digest-panic: parses the digests of a subject and of annotations too', async () => {
    const document = JSON.parse(Buffer.from(image.manifest.bytes).toString()) as object;
    const bad = 'sha256:zz';
    const additions: readonly object[] = [
      { subject: { ...image.config, digest: bad } },
      { annotations: { 'org.opencontainers.image.base.digest': bad } },
      { config: { ...image.config, annotations: { 'vnd.docker.reference.digest': bad } } },
    ];
    for (const addition of additions) {
      const bytes = json({ ...document, ...addition });
      const evil = { ...image, manifest: { ...image.manifest, bytes, digest: digestOf(bytes) } };
      await assert.rejects(putImage(`oci:${join(folder, 'subject')}`, evil), { code: 'oci/bad-digest' });
    }
    assert.ok(!(await readdir(folder)).includes('subject'));
  });

  it('refuses what is no layout', async () => {
    const path = join(folder, 'no-layout');
    await mkdir(path);
    await writeFile(join(path, 'notes.txt'), 'mine');
    await assert.rejects(openSource(parseImageName(`oci:${path}`)), { code: 'oci/bad-layout' });
    await assert.rejects(openDestination(parseImageName(`oci:${path}`)), { code: 'oci/bad-layout', exit: 2 });
    await writeFile(join(path, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}');
    await assert.rejects(openDestination(parseImageName(`oci:${path}`)), { code: 'oci/bad-layout' });
    await assert.rejects(openSource(parseImageName(`oci:${join(folder, 'nowhere')}`)), {
      code: 'oci/bad-layout',
    });
    assert.deepEqual((await readdir(path)).toSorted(), ['notes.txt', 'oci-layout']);
  });

  it('refuses every truncated and flipped document without a crash', async () => {
    const path = join(folder, 'flipped');
    await putImage(`oci:${path}`, image);
    const files = ['oci-layout', 'index.json', `blobs/sha256/${image.manifest.digest.slice(7)}`];
    for (const file of files) {
      const good = await readFile(join(path, file));
      for (let at = 0; at < good.length; at += 7) {
        const flipped = Buffer.from(good);
        flipped[at] ^= 1 << (at % 8);
        for (const damaged of [flipped, good.subarray(0, at)]) {
          await writeFile(join(path, file), damaged);
          // Some flips change nothing that counts, such as the name of an annotation; the image is then the same.
          const outcome = await readImage(`oci:${path}`).catch((error: Error) => error);
          if (outcome instanceof Error) assertClear(outcome, `${file} at ${at}`);
          else assert.equal(outcome, image.manifest.digest);
        }
      }
      await writeFile(join(path, file), good);
    }
  });

  it('takes the lock of a dead process, and waits for a living one', async () => {
    const lock = join(folder, 'lock');
    await writeFile(lock, '999999999 dead\n');
    assert.equal(await withLock(lock, () => Promise.resolve(5)), 5);
    const order: number[] = [];
    await Promise.all(
      [1, 2, 3].map((number) =>
        withLock(lock, async () => {
          order.push(number);
          await new Promise((resolve) => setTimeout(resolve, 10));
          order.push(number);
        }),
      ),
    );
    assert.equal(order.length, 6);
    for (let at = 0; at < 6; at += 2) assert.equal(order[at], order[at + 1]);
  });
});

describe('oci-archive', () => {
  it('refuses damage', async () => {
    const path = join(folder, 'damage.tar');
    await putImage(`oci-archive:${path}`, image);
    const good = await readFile(path);
    for (const length of [0, 1, 511, 512, 700, 5000, good.length - 1024]) {
      await writeFile(path, good);
      await truncate(path, length);
      await assert.rejects(
        readImage(`oci-archive:${path}`),
        (error: Error) => error.name === 'BootsealError',
        `${length}`,
      );
    }
    await writeFile(path, Buffer.concat([good.subarray(0, -1024), good]));
    await assert.rejects(readImage(`oci-archive:${path}`), { code: 'oci/bad-archive' });
    for (let at = 0; at < good.length; at += 4999) {
      const flipped = Buffer.from(good);
      flipped[at] ^= 0x10;
      await writeFile(path, flipped);
      const outcome = await readImage(`oci-archive:${path}`).catch((error: Error) => error);
      if (outcome instanceof Error) assertClear(outcome, `at ${at}`);
      else assert.equal(outcome, image.manifest.digest);
    }
    await assert.rejects(readImage(`oci-archive:${join(folder, 'absent.tar')}`), {
      code: 'file/cannot-read',
    });
    await assert.rejects(
      readImage(`oci-archive:${folder}`),
      (error: Error) => error.name === 'BootsealError',
    );
  });
});

describe('dir', () => {
  it('keeps signatures beside the image', async () => {
    const name = parseImageName(`dir:${join(folder, 'signed')}`);
    const destination = await openDestination(name);
    await putBlobs(destination, image);
    await destination.putTopManifest(image.manifest);
    await destination.putSignatures?.(image.manifest.digest, [Buffer.from('one'), Buffer.from('two')]);
    await destination.commit();
    const source = await openSource(name);
    const stored = await source.storedSignatures?.(image.manifest.digest);
    assert.deepEqual(
      stored?.map((bytes) => Buffer.from(bytes).toString()),
      ['one', 'two'],
    );
    // A copy without signatures takes them away with the old image.
    await putImage(`dir:${join(folder, 'signed')}`, image);
    assert.deepEqual(await (await openSource(name)).storedSignatures?.(image.manifest.digest), []);
  });

  it('overwrites no folder of something else', async () => {
    const path = join(folder, 'home');
    await mkdir(path);
    await writeFile(join(path, 'manifest.json'), '{}');
    await writeFile(join(path, 'letter.txt'), 'mine');
    await assert.rejects(openDestination(parseImageName(`dir:${path}`)), { code: 'dir/bad-folder', exit: 2 });
  });
});
