/** Archives of docker save: chosen by name or place, compressed or linked, hostile or damaged. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { digestOf } from '../../src/formats/oci/digest.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { loadImage } from '../../src/stores/load-image.ts';
import { openSource } from '../../src/stores/open.ts';
import { copyImage } from '../../src/sign/copy.ts';
import { vectorPath } from '../support/project.ts';
import { archive, entry, file } from '../support/layers.ts';
import { readImage } from '../support/test-image.ts';

const layers = [archive(file('a', 'one')), archive(file('b', 'two'))];
const config = Buffer.from(
  JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [0, 1, 0].map((at) => digestOf(layers[at])) },
  }),
);
const LIST = [
  { Config: 'c.json', RepoTags: ['a.test/x:v1', 'busybox'], Layers: ['0.tar', 'old/layer.tar', '0.tar'] },
];

let folder = '';
before(async () => (folder = await mkdtemp(join(tmpdir(), 'bootseal-docker-archive-'))));
after(() => rm(folder, { recursive: true }));

interface Parts {
  readonly list?: unknown;
  readonly first?: Uint8Array;
  readonly link?: string;
  readonly more?: readonly Uint8Array[];
}

async function save(name: string, parts: Parts = {}, gzip = false): Promise<string> {
  const bytes = archive(
    file('0.tar', parts.first ?? layers[0]),
    file('shared/layer.tar', layers[1]),
    entry('old/layer.tar', 'symlink', { linkTarget: parts.link ?? '../shared/layer.tar' }),
    file('c.json', config),
    file('manifest.json', JSON.stringify(parts.list ?? LIST)),
    ...(parts.more ?? []),
  );
  const path = join(folder, `${name}.tar`);
  await writeFile(path, gzip ? gzipSync(bytes) : bytes);
  return path;
}

async function digestFor(text: string): Promise<string> {
  const source = await openSource(parseImageName(text));
  const { digest } = await source.topManifest();
  await source.close();
  return digest;
}

describe('an archive of docker save', () => {
  it('has the manifest that skopeo makes of it', async () => {
    // skopeo 1.22.0: skopeo copy docker-archive:app.docker.tar dir:…
    const wanted = 'sha256:dcc6173fbe3fb5ddb5533263a05fb678777c8408355625447a92657acb570129';
    assert.equal(
      await digestFor(`docker-archive:${vectorPath('policy', 'images', 'app.docker.tar')}`),
      wanted,
    );
  });

  it('is read plain, compressed, and with compressed layers: the same image', async () => {
    const plain = await save('plain');
    const digest = await digestFor(`docker-archive:${plain}`);
    for (const [name, parts, gzip] of [
      ['outer', {}, true],
      ['inner', { first: gzipSync(layers[0]) }, false],
      ['both', { first: gzipSync(layers[0]) }, true],
    ] as const) {
      const path = await save(name, parts, gzip);
      assert.equal(await readImage(`docker-archive:${path}`), digest);
    }
    assert.deepEqual(
      (await readdir(tmpdir())).filter((name) => name.startsWith('bootseal-archive-')),
      [],
    );
  });

  it('gives its layers decoded, in order, to who unpacks them', async () => {
    const source = await openSource(parseImageName(`docker-archive:${await save('layers')}`));
    const loaded = await loadImage(source, { os: 'linux', architecture: 'amd64' });
    const contents = [];
    for (const layer of loaded.layers) {
      const parts = [];
      for await (const part of layer.open()) parts.push(Buffer.from(part));
      contents.push(Buffer.concat(parts));
      assert.doesNotMatch(layer.mediaType, /gzip/);
    }
    assert.deepEqual(
      contents,
      [0, 1, 0].map((at) => Buffer.from(layers[at])),
    );
    await source.close();
  });

  it('is chosen from by name, or by place', async () => {
    const two = await save('two', { list: [LIST[0], { ...LIST[0], RepoTags: ['a.test/y:v2'] }] });
    const digest = await digestFor(`docker-archive:${await save('one')}`);
    for (const choice of ['a.test/x:v1', 'busybox:latest', 'busybox', 'a.test/y:v2', '@0', '@1']) {
      assert.equal(await digestFor(`docker-archive:${two}:${choice}`), digest);
    }
    const refused: Readonly<Record<string, object>> = {
      '': {
        code: 'docker-archive/many-images',
        message: 'Unexpected tar manifest.json: expected 1 item, got 2',
      },
      ':@2': {
        code: 'docker-archive/no-such-image',
        message: 'Invalid source index @2, only 2 manifest items available',
      },
      ':@-1': { code: 'docker-archive/bad-reference' },
      ':a.test/x': { code: 'docker-archive/no-such-image', message: 'Tag "a.test/x:latest" not found' },
      [`:a.test/x@${digest}`]: { code: 'docker-archive/bad-reference' },
      ':UP': { code: 'docker-archive/bad-reference' },
    };
    for (const [choice, error] of Object.entries(refused))
      await assert.rejects(digestFor(`docker-archive:${two}${choice}`), error);
  });

  it('is copied as it is', async () => {
    const from = parseImageName(`docker-archive:${await save('copied')}`);
    const to = `dir:${join(folder, 'copied')}`;
    const { digest } = await copyImage({ from, to: parseImageName(to) });
    assert.equal(await readImage(to), digest);
  });
});

describe('refused', () => {
  const cases: Readonly<Record<string, readonly [parts: Parts, error: object]>> = {
    'a layer that is not what the configuration says': [
      { first: archive(file('a', 'ONE')) },
      { code: 'store/digest-mismatch', exit: 1 },
    ],
    'a layer that is not there': [
      { list: [{ ...LIST[0], Layers: ['x', 'y', 'z'] }] },
      { code: 'docker-archive/malformed' },
    ],
    'fewer layers than diffIDs': [
      { list: [{ ...LIST[0], Layers: ['0.tar'] }] },
      { code: 'image/layer-count', exit: 1 },
    ],
    'two files of one name': [{ more: [file('c.json', '{}')] }, { code: 'oci/bad-archive' }],
    'a link out of the archive': [
      { link: '../../../../../etc/passwd' },
      { code: 'docker-archive/malformed' },
    ],
    'a list that is none': [{ list: { Config: 'c.json' } }, { code: 'docker-archive/malformed' }],
    'a configuration path that leads out': [
      { list: [{ ...LIST[0], Config: '../../../etc/hostname' }] },
      { code: 'docker-archive/malformed' },
    ],
    'tags that are no texts': [
      { list: [{ ...LIST[0], RepoTags: [1] }] },
      { code: 'docker-archive/malformed' },
    ],
  };
  for (const [what, [parts, error]] of Object.entries(cases)) {
    it(what, async () => {
      const path = await save(what.replaceAll(' ', '-'), parts);
      await assert.rejects(readImage(`docker-archive:${path}`), error);
    });
  }

  it('gzip that goes on and on', async () => {
    const path = join(folder, 'cut.tar');
    await writeFile(path, gzipSync(archive(file('manifest.json', '[]'))).subarray(0, 60));
    await assert.rejects(readImage(`docker-archive:${path}`), { code: 'gzip/truncated' });
  });
});
