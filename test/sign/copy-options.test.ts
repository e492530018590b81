/** What `copy` can be asked: rehearse, copy an index alone, refuse to convert; and go on where a killed run stopped. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { openDestination, openSource } from '../../src/stores/open.ts';
import { copyImage, type CopyRequest, type CopyResult } from '../../src/sign/copy.ts';
import { startHostileRegistry, type HostileRegistry } from '../support/hostile-registry.ts';
import { makeImage, makeIndex, putBlobs, putImage, readImage } from '../support/test-image.ts';

const big = randomBytes(6 * 1024 * 1024);
const image = makeImage([randomBytes(2000), big]);
const arm = makeImage([randomBytes(500)], 'arm64');
const index = makeIndex({ amd64: image, arm64: arm });
let folder = '';
let registry: HostileRegistry;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bootseal-copy-options-'));
  registry = await startHostileRegistry();
  registry.hold('v1', image);
});
after(async () => {
  await registry.stop();
  await rm(folder, { recursive: true });
});

const oci = (name: string): string => `oci:${join(folder, name)}:v1`;
const fromRegistry = (): string => `docker://${registry.host}/app:v1`;

function copy(from: string, to: string, more: Partial<CopyRequest> = {}): Promise<CopyResult> {
  return copyImage({ from: parseImageName(from), to: parseImageName(to), ...more });
}

async function putIndex(name: string): Promise<void> {
  const destination = await openDestination(parseImageName(name));
  for (const each of [image, arm]) {
    await putBlobs(destination, each);
    await destination.putInstance(each.manifest);
  }
  await destination.putTopManifest(index);
  await destination.commit();
}

describe('a dry run', () => {
  it('says what would be copied, and writes nothing', async () => {
    const before_ = await readdir(folder);
    const result = await copy(fromRegistry(), oci('dry'), { dryRun: true });
    assert.equal(result.digest, image.manifest.digest);
    assert.deepEqual({ ...result.blobs, bytes: 0 }, { copied: 3, mounted: 0, present: 0, bytes: 0 });
    assert.ok(result.blobs.bytes > big.length);
    for (const to of [`dir:${join(folder, 'dry-dir')}`, `oci-archive:${join(folder, 'dry.tar')}`]) {
      assert.equal((await copy(fromRegistry(), to, { dryRun: true })).blobs.copied, 3);
    }
    assert.deepEqual(await readdir(folder), before_);
  });

  it('knows what is there already', async () => {
    await putImage(oci('partly'), makeImage([big]));
    const { blobs } = await copy(fromRegistry(), oci('partly'), { dryRun: true });
    assert.deepEqual([blobs.copied, blobs.present], [2, 1]);
  });
});

describe('an index', () => {
  it('alone is copied with --multi-arch index-only, and judged itself', async () => {
    await putIndex(oci('index'));
    const judged: string[] = [];
    const result = await copyImage(
      { from: parseImageName(oci('index')), to: parseImageName(oci('only')), indexOnly: true },
      {
        admit: (_source, { digest }) => {
          judged.push(digest);
          return Promise.reject(new Error('refused'));
        },
      },
    ).catch((error: unknown) => error);
    assert.equal((result as Error).message, 'refused');
    assert.deepEqual(judged, [index.digest]);
    const { digest, blobs } = await copy(oci('index'), oci('only'), { indexOnly: true });
    assert.equal(digest, index.digest);
    assert.deepEqual(blobs, { copied: 0, mounted: 0, present: 0, bytes: 0 });
    const source = await openSource(parseImageName(oci('only')));
    assert.equal((await source.topManifest()).digest, index.digest);
    await assert.rejects(source.manifest(arm.manifest.digest), { code: 'store/blob-missing' });
    await source.close();
  });
});

describe('--format', () => {
  it('of the source changes nothing; another is refused before anything is written', async () => {
    await copy(fromRegistry(), oci('same-format'), { format: 'oci' });
    await assert.rejects(copy(fromRegistry(), oci('other-format'), { format: 'v2s2' }), {
      code: 'copy/would-convert',
      exit: 2,
    });
    assert.ok(!(await readdir(folder)).includes('other-format'));
  });
});

describe('after a kill', () => {
  const hex = image.layers[1].digest.slice('sha256:'.length);
  /** What a process that is no more had written, a minute ago. */
  async function leave(name: string, bytes: Uint8Array): Promise<string> {
    const blobs = join(folder, name, 'blobs/sha256');
    await mkdir(blobs, { recursive: true });
    await writeFile(join(folder, name, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    const path = join(blobs, `.${hex.slice(0, 60)}.4194304-0123456789abcdef.tmp`);
    await writeFile(path, bytes);
    const then = Date.now() / 1000 - 60;
    await utimes(path, then, then);
    return blobs;
  }
  const ranges = (): unknown[] =>
    registry.seen
      .filter(({ kind, url }) => kind === 'get-blob' && url.includes(hex))
      .map(({ headers }) => headers.range);

  it('only the rest of a blob is asked for', async () => {
    const blobs = await leave('resumed', big.subarray(0, 4_000_000));
    registry.seen.length = 0;
    await copy(fromRegistry(), oci('resumed'));
    assert.deepEqual(ranges(), ['bytes=4000000-']);
    assert.equal(await readImage(oci('resumed')), image.manifest.digest);
    assert.deepEqual(
      (await readdir(blobs)).filter((name) => name.endsWith('.tmp')),
      [],
    );
  });

  it('finished blobs are not asked for again', async () => {
    await copy(fromRegistry(), oci('twice'));
    registry.seen.length = 0;
    const { blobs } = await copy(fromRegistry(), oci('twice'));
    assert.deepEqual(blobs, { copied: 0, mounted: 0, present: 3, bytes: 0 });
    assert.equal(registry.seen.filter(({ kind }) => kind === 'get-blob').length, 0);
  });

  it('what is there and wrong is thrown away, and the blob comes whole', async () => {
    const blobs = await leave('damaged', randomBytes(4_000_000));
    registry.seen.length = 0;
    await copy(fromRegistry(), oci('damaged'));
    assert.deepEqual(ranges(), ['bytes=4000000-', undefined]);
    assert.equal(await readImage(oci('damaged')), image.manifest.digest);
    assert.deepEqual(
      (await readdir(blobs)).filter((name) => name.endsWith('.tmp')),
      [],
    );
  });

  it('what somebody writes to just now is left alone', async () => {
    const blobs = await leave('busy', big.subarray(0, 4_000_000));
    const [name] = (await readdir(blobs)).filter((each) => each.endsWith('.tmp'));
    await utimes(join(blobs, name), new Date(), new Date());
    registry.seen.length = 0;
    await copy(fromRegistry(), oci('busy'));
    assert.deepEqual(ranges(), [undefined]);
    assert.ok((await readdir(blobs)).includes(name));
  });
});
