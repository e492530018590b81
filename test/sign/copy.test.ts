/** Copying: bytes, signatures and the policy go along; what fails leaves no trace. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { isBootsealError } from '../../src/errors.ts';
import { digestOf } from '../../src/formats/oci/digest.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { copyImage, type CopyPorts, type CopyRequest, type CopyResult } from '../../src/sign/copy.ts';
import { copySigner } from '../../src/sign/copy-signer.ts';
import { signImage } from '../../src/sign/sign.ts';
import { openDestination, openSource } from '../../src/stores/open.ts';
import { loadRegistriesConfig } from '../../src/stores/trust-files/registries-d.ts';
import { prepareAdmit } from '../../src/verify/admit.ts';
import { verifyImage } from '../../src/verify/verify.ts';
import { startHostileRegistry } from '../support/hostile-registry.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { dockerName, makeWorkshop, type TestKey, type Workshop } from '../support/signing.ts';
import {
  makeImage,
  makeIndex,
  putBlobs,
  putImage,
  readImage,
  type TestImage,
} from '../support/test-image.ts';

let shop: Workshop;
let registry: TestRegistry;
let key: TestKey;
const image = makeImage([randomBytes(100_000), randomBytes(10)]);

before(async () => {
  shop = makeWorkshop();
  registry = await startRegistry();
  key = await shop.makeKey('acme');
  await putImage(docker('signed:1'), image);
  await signImage({ image: dockerName(docker('signed:1')) }, { key: key.key });
  await putImage(docker('unsigned:1'), makeImage());
});
after(async () => {
  await registry.stop();
  shop.remove();
});

function docker(name: string): string {
  return `docker://${registry.host}/${name}`;
}

function policy(): string {
  const rule = {
    type: 'sigstoreSigned',
    keyPath: key.publicFile,
    signedIdentity: { type: 'matchRepository' },
  };
  return shop.policy({ [registry.host]: [rule] });
}

async function copy(
  from: string,
  to: string,
  request: Partial<CopyRequest> = {},
  ports: CopyPorts = {},
): Promise<CopyResult> {
  const registries = await loadRegistriesConfig({ directory: shop.registries(registry.host) });
  const names = { from: parseImageName(from), to: parseImageName(to) };
  return copyImage({ ...names, ...request }, { registries, ...ports });
}

/** As the command line prepares it. */
async function underPolicy(from: string, file = policy()): Promise<CopyPorts> {
  const registriesDirectory = shop.registries(registry.host);
  return {
    admit: await prepareAdmit({ image: parseImageName(from), policyFile: file, registriesDirectory }),
  };
}

async function absent(name: string): Promise<void> {
  await assert.rejects(
    openSource(parseImageName(name)),
    (error: unknown) => isBootsealError(error),
    `${name} is there`,
  );
}

describe('copy', () => {
  it('goes round all transports unchanged', async () => {
    const stops = [
      docker('signed:1'),
      `dir:${shop.path('round-dir')}`,
      `oci:${shop.path('round')}:a`,
      `oci-archive:${shop.path('round.tar')}:b`,
      docker('round:1'),
    ];
    for (const [at, to] of stops.entries()) {
      if (at === 0) continue;
      const result = await copy(stops[at - 1], to, { removeSignatures: true });
      assert.equal(result.digest, image.manifest.digest);
      assert.equal(await readImage(to), image.manifest.digest);
    }
  });

  it('copies nothing that is there, and mounts what the registry has elsewhere', async () => {
    const first = await copy(docker('signed:1'), docker('mounted:1'));
    assert.deepEqual([first.blobs.mounted, first.blobs.copied, first.blobs.bytes], [3, 0, 0]);
    const second = await copy(docker('signed:1'), docker('mounted:2'));
    assert.deepEqual([second.blobs.present, second.blobs.copied], [3, 0]);
    const layout = `oci:${shop.path('twice')}`;
    assert.equal((await copy(docker('unsigned:1'), layout)).blobs.copied, 2);
    assert.equal((await copy(docker('unsigned:1'), layout)).blobs.present, 2);
  });

  it('takes signatures along where both ends hold them', async () => {
    const result = await copy(docker('signed:1'), docker('signed-copy:1'));
    assert.deepEqual(result.signatures, { copied: 1, made: 0 });
    const verdict = await verifyImage({
      image: parseImageName(docker('signed-copy:1')),
      policyFile: shop.policy({
        [registry.host]: [
          {
            type: 'sigstoreSigned',
            keyPath: key.publicFile,
            signedIdentity: { type: 'exactReference', dockerReference: `${registry.host}/signed:1` },
          },
        ],
      }),
      registriesDirectory: shop.registries(registry.host),
    });
    assert.ok(verdict.allowed, verdict.message);
    // Through dir: and back.
    await copy(docker('signed:1'), `dir:${shop.path('signed-dir')}`);
    const back = await copy(`dir:${shop.path('signed-dir')}`, docker('from-dir:1'));
    assert.equal(back.signatures.copied, 1);
    // Again: nothing is there twice.
    await copy(`dir:${shop.path('signed-dir')}`, docker('from-dir:1'));
    const source = await openSource(parseImageName(docker('from-dir:1')));
    const attachment = JSON.parse(
      Buffer.from((await source.attachment?.(image.manifest.digest))?.bytes ?? '').toString(),
    ) as {
      layers: unknown[];
    };
    assert.equal(attachment.layers.length, 1);
    await source.close();
  });

  for (const transport of ['oci', 'oci-archive']) {
    it(`refuses to lose signatures in ${transport}:, before writing`, async () => {
      const to = `${transport}:${shop.path(`lost-${transport}`)}`;
      await assert.rejects(copy(docker('signed:1'), to), {
        code: 'copy/loses-signatures',
        message: `Can not copy signatures to ${to}: Pushing signatures for OCI images is not supported`,
        exit: 2,
      });
      assert.ok(!(await readdir(shop.folder)).includes(`lost-${transport}`));
      assert.deepEqual((await copy(docker('signed:1'), to, { removeSignatures: true })).signatures.copied, 0);
    });
  }

  it('signs before the tag appears', async () => {
    const to = docker('made:1');
    const signer = await copySigner(
      parseImageName(to),
      { keyFile: key.privateFile, passphraseFile: key.passphraseFile },
      undefined,
      () => Promise.reject(new Error('asked')),
    );
    const layout = `oci:${shop.path('to-sign')}`;
    await putImage(layout, image);
    const result = await copy(layout, to, {}, { signers: [signer] });
    assert.deepEqual(result.signatures, { copied: 0, made: 1 });
    // Again: it is said there already.
    assert.deepEqual((await copy(layout, to, {}, { signers: [signer] })).signatures, { copied: 0, made: 0 });
    const ports = await underPolicy(to);
    const source = await openSource(parseImageName(to));
    assert.equal((await ports.admit?.(source, await source.topManifest()))?.verified, true);
    await source.close();
    await assert.rejects(
      copySigner(parseImageName('dir:o1'), { keyFile: key.privateFile }, undefined, () =>
        Promise.resolve(''),
      ),
      { code: 'sign/no-name', message: 'Cannot determine canonical Docker reference for destination dir:o1' },
    );
  });
});

describe('copy under a policy', () => {
  it('accepts the signed image', async () => {
    const result = await copy(
      docker('signed:1'),
      docker('admitted:1'),
      {},
      await underPolicy(docker('signed:1')),
    );
    assert.deepEqual(
      result.verdicts.map(({ verified }) => verified),
      [true],
    );
    assert.equal(result.steps[0].state, 'passed');
  });

  it('refuses the unsigned one in the words of skopeo, and writes nothing', async () => {
    const to = `dir:${shop.path('refused-dir')}`;
    for (const target of [to, docker('refused:1')]) {
      await assert.rejects(copy(docker('unsigned:1'), target, {}, await underPolicy(docker('unsigned:1'))), {
        message: 'Source image rejected: A signature was required, but no signature exists',
        exit: 1,
      });
      await absent(target);
    }
    assert.ok(
      !(await readdir(`${registry.folder}/data/docker/registry/v2/repositories`)).includes('refused'),
    );
  });

  it('judges every instance of an index with --all, and the chosen one without', async () => {
    const arm = makeImage(undefined, 'arm64');
    const index = makeIndex({ amd64: image, arm64: arm });
    const name = dockerName(docker('list:1'));
    const destination = await openDestination(name);
    for (const each of [image, arm]) {
      await putBlobs(destination, each);
      await destination.putInstance(each.manifest);
    }
    await destination.putTopManifest(index);
    await destination.commit();
    await destination.abort();
    const ports = await underPolicy(docker('list:1'));
    const arm64 = { platform: { os: 'linux', architecture: 'arm64' } };
    const refusal = { exit: 1, message: /^copying system image from manifest list: Source image rejected: / };
    await assert.rejects(copy(docker('list:1'), docker('list-arm:1'), arm64, ports), refusal);
    await signImage({ image: name, all: true }, { key: key.key });
    const all = await copy(docker('list:1'), docker('list-all:1'), { all: true }, ports);
    assert.equal(all.digest, index.digest);
    assert.equal(all.verdicts.length, 2);
    assert.equal(all.signatures.copied, 3);
    const one = await copy(docker('list:1'), docker('list-arm:1'), arm64, ports);
    assert.equal(one.digest, arm.manifest.digest);
    await assert.rejects(
      copy(docker('list:1'), docker('x:1'), { platform: { os: 'linux', architecture: 'vax' } }),
      {
        code: 'verify/no-instance',
      },
    );
  });

  it('copies the bytes that were judged, not what the tag means later', async () => {
    await putImage(docker('moving:1'), image);
    const result = await copy(
      docker('moving:1'),
      docker('moved:1'),
      {},
      {
        admit: async (_source, judged) => {
          assert.equal(judged.digest, image.manifest.digest);
          await putImage(docker('moving:1'), makeImage());
          return { allowed: true, verified: true } as never;
        },
      },
    );
    assert.equal(result.digest, image.manifest.digest);
    assert.equal(await readImage(docker('moved:1')), image.manifest.digest);
  });
});

describe('a copy that fails', () => {
  it('reg-sig-late: finds a read-only registry before the first blob', async () => {
    const readOnly = await startRegistry({ readOnly: true });
    try {
      const error: unknown = await copy(docker('signed:1'), `docker://${readOnly.host}/acme/os:1`).then(
        () => assert.fail('was accepted'),
        (reason: unknown) => reason,
      );
      assert.ok(isBootsealError(error) && error.hint, String(error));
      assert.ok(!(await readdir(`${readOnly.folder}/data`)).includes('docker'));
    } finally {
      await readOnly.stop();
    }
  });

  it('at any request of the destination leaves no tag there', async () => {
    const layout = `oci:${shop.path('fragile')}`;
    await putImage(layout, image);
    for (const fail of ['start-upload', 'finish-upload', 'put-manifest', 'head-blob'] as const) {
      const target = await startHostileRegistry({
        misbehave({ kind, response }) {
          if (kind !== fail) return false;
          response.writeHead(403).end();
          return true;
        },
      });
      const error: unknown = await copy(layout, `docker://${target.host}/acme/os:1`).catch(
        (reason: unknown) => reason,
      );
      assert.ok(isBootsealError(error) && error.code === 'registry/denied', `${fail}: ${String(error)}`);
      assert.match(error.where ?? '', /./);
      assert.equal(target.manifests.size, 0);
      await target.stop();
    }
  });

  it('reg-all-digests: a layer altered in the source leaves the destination as it was', async () => {
    const evil: TestImage = { ...image, blobs: new Map(image.blobs) };
    const source = await startHostileRegistry();
    source.hold('1', evil);
    source.blobs.set(image.layers[0].digest, randomBytes(100_000));
    const to = `oci:${shop.path('stays')}:x`;
    const old = makeImage();
    await putImage(to, old);
    const files = async (): Promise<string[]> =>
      (await readdir(shop.path('stays'), { recursive: true })).toSorted();
    const [before, index] = [await files(), await readFile(`${shop.path('stays')}/index.json`)];
    await assert.rejects(copy(`docker://${source.host}/acme/os:1`, to), {
      code: 'store/digest-mismatch',
      exit: 1,
    });
    assert.deepEqual(await files(), before);
    assert.deepEqual(await readFile(`${shop.path('stays')}/index.json`), index);
    assert.equal(await readImage(to), old.manifest.digest);
    await source.stop();
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    const source = await startHostileRegistry({
      misbehave({ kind, request, response }) {
        if (kind !== 'get-blob') return false;
        const size = source.blobs.get(request.url?.split('/').at(-1) ?? '')?.length;
        response.writeHead(200, { 'content-length': String(size) }).write(Buffer.alloc(5));
        setTimeout(() => stop.abort(), 20);
        return true;
      },
    });
    source.hold('1', image);
    const options = { signal: stop.signal, sourceTransport: { signal: stop.signal } };
    await assert.rejects(
      copy(`docker://${source.host}/acme/os:1`, `oci:${shop.path('stopped')}`, {}, options),
      {
        name: 'AbortError',
      },
    );
    assert.ok(!(await readdir(shop.folder)).includes('stopped'));
    await source.stop();
  });

  it('refuses an index within an index', async () => {
    const inner = makeIndex({ amd64: image });
    const outer = makeIndex({ amd64: { ...image, manifest: inner } });
    const layout = shop.path('nested');
    const destination = await openDestination(parseImageName(`oci:${layout}`));
    await putBlobs(destination, image);
    for (const each of [image.manifest, inner]) await destination.putInstance(each);
    await destination.putTopManifest(outer);
    await destination.commit();
    await assert.rejects(copy(`oci:${layout}`, docker('nested:1'), { all: true }), {
      code: 'copy/nested-index',
    });
    assert.notEqual(digestOf(inner.bytes), digestOf(outer.bytes));
  });
});
