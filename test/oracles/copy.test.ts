/** skopeo and ours read what the other wrote, in every transport, with the same digest. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { digestOf } from '../../src/formats/oci/digest.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { openDestination, openSource } from '../../src/stores/open.ts';
import { peer } from '../support/peers.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { makeImage, makeIndex, putBlobs, putImage, readImage } from '../support/test-image.ts';

const image = makeImage([randomBytes(5000), randomBytes(300_000)]);
let folder = '';
let registry: TestRegistry;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bootseal-copy-oracle-'));
  registry = await startRegistry();
});
after(async () => {
  await registry.stop();
  await rm(folder, { recursive: true });
});

const transports = {
  oci: (name: string): string => `oci:${join(folder, name)}:v1`,
  'oci-archive': (name: string): string => `oci-archive:${join(folder, `${name}.tar`)}:v1`,
  dir: (name: string): string => `dir:${join(folder, `${name}-dir`)}`,
  docker: (name: string): string => `docker://${registry.host}/acme/${name}:1`,
};

function skopeo(...args: string[]): string {
  const result = peer('skopeo', ['--insecure-policy', ...args]);
  assert.equal(result.status, 0, result.stderr);
  return result.stdout;
}

function skopeoCopy(from: string, to: string, ...args: string[]): void {
  skopeo(
    'copy',
    '--preserve-digests',
    '--src-tls-verify=false',
    '--dest-tls-verify=false',
    ...args,
    from,
    to,
  );
}

for (const [transport, nameFor] of Object.entries(transports)) {
  describe(transport, () => {
    it('skopeo reads ours', async () => {
      await putImage(nameFor('ours'), image);
      const raw = skopeo('inspect', '--raw', '--tls-verify=false', nameFor('ours'));
      assert.equal(digestOf(Buffer.from(raw)), image.manifest.digest);
      const to = `dir:${join(folder, `out-of-${transport}`)}`;
      skopeoCopy(nameFor('ours'), to);
      assert.equal(await readImage(to), image.manifest.digest);
    });

    it('ours reads what skopeo wrote', async () => {
      await putImage(transports.oci('origin'), image);
      skopeoCopy(transports.oci('origin'), nameFor('theirs'));
      assert.equal(await readImage(nameFor('theirs')), image.manifest.digest);
    });
  });
}

it('an index goes there and back', async () => {
  const arm = makeImage(undefined, 'arm64');
  const index = makeIndex({ amd64: image, arm64: arm });
  const ours = transports.oci('index');
  const destination = await openDestination(parseImageName(ours));
  for (const each of [image, arm]) {
    await putBlobs(destination, each);
    await destination.putInstance(each.manifest);
  }
  await destination.putTopManifest(index);
  await destination.commit();
  skopeoCopy(ours, transports.docker('index'), '--all');
  skopeoCopy(transports.docker('index'), transports.dir('index'), '--all');
  for (const name of [transports.docker('index'), transports.dir('index')]) {
    const source = await openSource(parseImageName(name));
    assert.equal((await source.topManifest()).digest, index.digest);
    assert.equal((await source.manifest(arm.manifest.digest)).digest, arm.manifest.digest);
    await source.close();
  }
});
