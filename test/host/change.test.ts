/** A host follows a name: what the policy refuses changes nothing. Against the real registry. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { isBootsealError } from '../../src/errors.ts';
import { hostStatus, switchHost, upgradeHost, type ChangePorts } from '../../src/host/change.ts';
import { encodeState, parseState } from '../../src/host/state.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { signImage } from '../../src/sign/sign.ts';
import { startHostileRegistry } from '../support/hostile-registry.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { dockerName, makeWorkshop, type TestKey, type Workshop } from '../support/signing.ts';
import { makeImage, putImage, readImage, type TestImage } from '../support/test-image.ts';

let shop: Workshop;
let registry: TestRegistry;
let key: TestKey;
let roots = 0;

before(async () => {
  shop = makeWorkshop();
  registry = await startRegistry();
  key = await shop.makeKey('acme');
});
after(async () => {
  await registry.stop();
  shop.remove();
});

const docker = (name: string): string => `docker://${registry.host}/${name}`;

async function push(name: string, signed: boolean): Promise<TestImage> {
  const image = makeImage([randomBytes(2000)]);
  await putImage(docker(name), image);
  if (signed) await signImage({ image: dockerName(docker(name)) }, { key: key.key });
  return image;
}

/** Signatures for `strict/…`, anything for `lax/…`. */
function host(): { root: string; policyFile: string; registriesDirectory: string } {
  const signed = {
    type: 'sigstoreSigned',
    keyPath: key.publicFile,
    signedIdentity: { type: 'matchRepository' },
  };
  const policyFile = shop.policy({
    [`${registry.host}/strict`]: [signed],
    [`${registry.host}/lax`]: [{ type: 'insecureAcceptAnything' }],
  });
  return {
    root: shop.path(`host-${++roots}`),
    policyFile,
    registriesDirectory: shop.registries(registry.host),
  };
}

/** Every file with its content: what "nothing changed" means. */
async function snapshot(root: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const name of (await readdir(root, { recursive: true })).toSorted()) {
    files[name] = await readFile(join(root, name), 'latin1').catch(() => 'folder');
  }
  return files;
}

describe('host', () => {
  it('upgrades to what is signed and refuses what is not, unchanged', async () => {
    const at = host();
    const first = await push('strict/os:1', true);
    const image = parseImageName(docker('strict/os:1'));
    const deployed = await switchHost({ ...at, image });
    assert.equal(deployed.change, 'changed');
    assert.equal(deployed.state?.current.digest, first.manifest.digest);
    assert.equal((await upgradeHost(at)).change, 'unchanged');

    await push('strict/os:1', false);
    const before = await snapshot(at.root);
    const refused = await upgradeHost(at);
    assert.equal(refused.change, 'refused');
    assert.match(
      refused.message ?? '',
      /^Upgrading: Pulling: .*A signature was required, but no signature exists/,
    );
    assert.deepEqual(await snapshot(at.root), before);

    const third = await push('strict/os:1', true);
    assert.equal((await upgradeHost({ ...at, check: true })).change, 'available');
    assert.deepEqual(await snapshot(at.root), before);
    const upgraded = await upgradeHost(at);
    assert.equal(upgraded.change, 'changed');
    assert.equal(upgraded.state?.previous?.digest, first.manifest.digest);
    const layout = join(at.root, 'images');
    assert.equal(
      await readImage(`oci:${layout}:${third.manifest.digest.replace(':', '-')}`),
      third.manifest.digest,
    );
    // The next one pushes the first one out.
    await push('strict/os:1', true);
    await upgradeHost(at);
    await assert.rejects(readImage(`oci:${layout}:${first.manifest.digest.replace(':', '-')}`), {
      code: 'oci/no-such-image',
    });
    assert.deepEqual(
      Object.keys(await snapshot(at.root)).filter((name) => /\.(?:tmp|lock)$/.test(name)),
      [],
    );
  });

  it('pol-switch: a switch from a signed image is still enforced', async () => {
    const at = host();
    await push('strict/os:2', true);
    await push('lax/os:2', false);
    await switchHost({ ...at, image: parseImageName(docker('strict/os:2')) });
    const before = await snapshot(at.root);
    const refused = await switchHost({ ...at, image: parseImageName(docker('lax/os:2')) });
    assert.equal(refused.change, 'refused');
    assert.deepEqual(await snapshot(at.root), before);
  });

  it('pol-label: an image that anything would pass is not called signed', async () => {
    const at = host();
    await push('lax/os:3', true);
    const result = await switchHost({ ...at, image: parseImageName(docker('lax/os:3')) });
    assert.equal(result.change, 'changed');
    assert.equal(result.verified, false);
    assert.equal((await hostStatus(at.root)).current.verified, false);
    const enforcing = host();
    const refused = await switchHost({
      ...enforcing,
      image: parseImageName(docker('lax/os:3')),
      enforce: true,
    });
    assert.equal(refused.change, 'refused');
    await assert.rejects(hostStatus(enforcing.root), { code: 'host/nothing-deployed', exit: 2 });
  });

  it('pol-upgrade: a policy that was tightened holds for the next upgrade', async () => {
    const at = host();
    await push('lax/os:4', false);
    await switchHost({ ...at, image: parseImageName(docker('lax/os:4')) });
    await push('lax/os:4', false);
    const before = await snapshot(at.root);
    const tightened = { ...at, policyFile: shop.policy({}) };
    assert.equal((await upgradeHost(tightened)).change, 'refused');
    assert.deepEqual(await snapshot(at.root), before);
    assert.equal((await upgradeHost(at)).change, 'changed');
  });

  it('host-half: a pull that dies halfway keeps the old image', async () => {
    const at = host();
    const image = makeImage([randomBytes(5000)]);
    let dying = false;
    const target = await startHostileRegistry({
      misbehave({ kind, request }) {
        if (kind !== 'get-blob' || !dying) return false;
        request.socket.destroy();
        return true;
      },
    });
    const policyFile = shop.policy({ [target.host]: [{ type: 'insecureAcceptAnything' }] });
    const ports: ChangePorts = { transport: { retry: { attempts: 2, firstDelay: 1 } } };
    target.hold('1', image);
    const request = { ...at, policyFile };
    await switchHost({ ...request, image: parseImageName(`docker://${target.host}/os:1`) }, ports);
    const before = await snapshot(at.root);
    target.hold('1', makeImage([randomBytes(5000)]));
    dying = true;
    await assert.rejects(upgradeHost(request, ports), { code: 'registry/connection-lost' });
    assert.deepEqual(await snapshot(at.root), before);
    await target.stop();
  });
});

describe('host state', () => {
  const digest = `sha256:${'ab'.repeat(32)}` as const;

  it('reads back what it wrote', () => {
    const deployment = fc.record({
      image: fc.constantFrom(parseImageName('quay.io/acme/os:10'), parseImageName('oci:a:b')),
      digest: fc.constant(digest),
      verified: fc.boolean(),
    });
    const state = fc.record(
      { enforced: fc.boolean(), current: deployment, previous: deployment },
      { requiredKeys: ['enforced', 'current'] },
    );
    fc.assert(
      fc.property(state, (value) =>
        assert.deepEqual(JSON.stringify(parseState(encodeState(value))), JSON.stringify(value)),
      ),
    );
  });

  it('refuses anything else', () => {
    const current = { image: 'quay.io/a/b:1', digest, verified: true };
    for (const value of [
      null,
      {},
      { version: 2, enforced: true, current },
      { version: 1, current },
      { version: 1, enforced: true },
      { version: 1, enforced: true, current: { ...current, digest: 'sha256:../x' } },
      { version: 1, enforced: true, current: { ...current, image: '' } },
      { version: 1, enforced: true, current: { ...current, verified: 'yes' } },
      { version: 1, enforced: true, current, previous: 5 },
    ]) {
      assert.throws(
        () => parseState(Buffer.from(JSON.stringify(value))),
        (error: unknown) => isBootsealError(error),
        JSON.stringify(value),
      );
    }
  });
});
