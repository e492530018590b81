/** `copy`, `inspect` and `host …` as people and scripts see them: exit status, first lines, JSON. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { encodeTarHeader, TAR_END } from '../../src/formats/tar/writer.ts';
import { signImage } from '../../src/sign/sign.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { bootseal, bootsealOk } from '../support/run-cli.ts';
import { dockerName, makeWorkshop, type TestKey, type Workshop } from '../support/signing.ts';
import { makeImage, makeIndex, putImage, readImage, type TestImage } from '../support/test-image.ts';

let shop: Workshop;
let registry: TestRegistry;
let key: TestKey;
let judging: string[];
const image = makeImage([randomBytes(5000)]);

before(async () => {
  shop = makeWorkshop();
  registry = await startRegistry();
  key = await shop.makeKey('acme');
  await push('os:1', image, true);
  const rule = {
    type: 'sigstoreSigned',
    keyPath: key.publicFile,
    signedIdentity: { type: 'matchRepository' },
  };
  const policy = shop.policy({ [registry.host]: [rule] });
  judging = ['--policy', policy, '--registries.d', shop.registries(registry.host)];
});
after(async () => {
  await registry.stop();
  shop.remove();
});

async function push(name: string, pushed: TestImage, signed: boolean): Promise<void> {
  await putImage(`docker://${registry.host}/${name}`, pushed);
  if (signed) await signImage({ image: dockerName(`${registry.host}/${name}`) }, { key: key.key });
}

describe('copy', () => {
  it('prints what it did, and the digest', async () => {
    const from = `${registry.host}/os:1`;
    const { stdout } = await bootsealOk(['copy', ...judging, from, `dir:${shop.path('d')}`]);
    assert.match(stdout, new RegExp(`^copied {2}dir:.*/d {2}${image.manifest.digest}$`, 'm'));
    assert.match(stdout, /signed by sigstore key SHA256:/);
    const digestfile = shop.path('digest');
    const json = await bootsealOk([
      'copy',
      '--json',
      '--insecure-policy',
      '--remove-signatures',
      '--digestfile',
      digestfile,
      from,
      `oci:${shop.path('l')}:x`,
    ]);
    const result = JSON.parse(json.stdout) as { ok: boolean; digest: string; steps: { id: string }[] };
    assert.equal(result.ok, true);
    assert.equal(result.digest, image.manifest.digest);
    assert.deepEqual(
      result.steps.map(({ id }) => id),
      ['policy', 'blobs', 'signatures', 'manifest'],
    );
    assert.equal(readFileSync(digestfile, 'utf8'), `${image.manifest.digest}\n`);
  });

  it('signs on the way, and accepts the options of skopeo scripts', async () => {
    const layout = `oci:${shop.path('to-sign')}`;
    await putImage(layout, image);
    const signing = [
      '--sign-by-sigstore-private-key',
      key.privateFile,
      '--sign-passphrase-file',
      key.passphraseFile,
    ];
    const plain = ['--preserve-digests', '--all', '--dest-tls-verify=false', '--quiet', '--insecure-policy'];
    await bootsealOk(['copy', ...signing, ...plain, layout, `${registry.host}/signed-here:2`]);
    await bootsealOk(['verify', ...judging, `${registry.host}/signed-here:2`]);
  });

  it('refuses an unsigned image with exit 1', async () => {
    await push('plain:1', makeImage(), false);
    const { status, stderr, stdout } = await bootseal([
      'copy',
      ...judging,
      `${registry.host}/plain:1`,
      `dir:${shop.path('no')}`,
    ]);
    assert.equal(status, 1);
    assert.match(
      stderr.split('\n')[0],
      /Source image rejected: A signature was required, but no signature exists/,
    );
    assert.equal(stdout, '');
  });

  it('tells usage from failure', async () => {
    const status = async (...args: string[]): Promise<number> => (await bootseal(['copy', ...args])).status;
    const target = `dir:${shop.path('usage')}`;
    assert.equal(await status('--insecure-policy', 'oci:a'), 2);
    assert.equal(await status('--insecure-policy', `a:1@sha256:${'ab'.repeat(32)}`, target), 2);
    assert.equal(
      await status('--insecure-policy', '--sign-identity', 'a/b:1', `${registry.host}/os:1`, target),
      2,
    );
    assert.equal(
      await status('--insecure-policy', '--src-creds', 'nocolon', `${registry.host}/os:1`, target),
      2,
    );
    assert.equal(await status('--insecure-policy', `${registry.host}/absent:1`, target), 3);
    assert.equal(await status('--insecure-policy', `${registry.host}/os:1`, 'docker-archive:x.tar'), 2);
    const lost = await bootseal(['copy', ...judging, `${registry.host}/os:1`, `oci:${shop.path('lost')}`]);
    assert.equal(lost.status, 2);
    assert.match(
      lost.stderr,
      /Can not copy signatures to oci:.*: Pushing signatures for OCI images is not supported/,
    );
    assert.match(lost.stderr, /--remove-signatures/);
  });
});

describe('digest', () => {
  it('reg-all-digests: refuses a layer that is not the one of its diffID, though every other digest fits', async () => {
    const time = { seconds: 0n, nanos: 0 };
    const folders = ['boot', 'sysroot', 'usr'].map((path) =>
      encodeTarHeader({ path, type: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: time }),
    );
    const tar = Buffer.concat([...folders, TAR_END]);
    const honest = makeImage([tar]);
    const lying = makeImage([tar], 'amd64', [`sha256:${'0'.repeat(64)}`]);
    for (const [name, pushed] of Object.entries({ honest, lying })) await push(`${name}:1`, pushed, false);
    await bootsealOk(['digest', `${registry.host}/honest:1`]);
    const { status, stderr, stdout } = await bootseal(['digest', `${registry.host}/lying:1`]);
    assert.equal(status, 1);
    assert.match(stderr, /layer\/diffid-mismatch/);
    assert.equal(stdout, '');
  });
});

describe('inspect', () => {
  it('shows image and index', async () => {
    const { stdout } = await bootsealOk(['inspect', `${registry.host}/os:1`]);
    assert.match(stdout, new RegExp(image.manifest.digest));
    assert.match(stdout, /linux\/amd64/);
    const raw = await bootsealOk(['inspect', '--raw', `${registry.host}/os:1`]);
    assert.equal(raw.stdout.trimEnd(), Buffer.from(image.manifest.bytes).toString());
    const tags = await bootsealOk(['inspect', '--tags', `${registry.host}/os`]);
    assert.deepEqual(tags.stdout.trimEnd().split('\n').toSorted(), [
      '1',
      `${image.manifest.digest.replace(':', '-')}.sig`,
    ]);
    assert.equal((await bootseal(['inspect', '--tags', 'dir:x'])).status, 2);
    const arm = makeImage(undefined, 'arm64');
    const index = makeIndex({ arm64: arm });
    await putImage(`docker://${registry.host}/arm:1`, arm);
    await putImage(`docker://${registry.host}/arm:1`, { ...arm, manifest: index }).catch(() => undefined);
    const json = await bootsealOk([
      'inspect',
      '--json',
      '--override-arch',
      'arm64',
      `${registry.host}/arm:1`,
    ]);
    const found = JSON.parse(json.stdout) as { architecture: string; instance: string };
    assert.equal(found.architecture, 'arm64');
    assert.equal(found.instance, arm.manifest.digest);
  });
});

describe('host', () => {
  it('upgrades to the signed image only', async () => {
    const root = ['--root', shop.path('host')];
    await push('host:1', makeImage(), true);
    assert.equal((await bootseal(['host', 'status', ...root])).status, 2);
    await bootsealOk(['host', 'switch', ...root, ...judging, `${registry.host}/host:1`]);
    const before = await bootsealOk(['host', 'status', ...root]);
    assert.match(before.stdout, /^signed {2}docker:\/\//);
    await push('host:1', makeImage(), false);
    const refused = await bootseal(['host', 'upgrade', ...root, ...judging]);
    assert.equal(refused.status, 1);
    assert.match(
      refused.stderr.split('\n')[0],
      /^Upgrading: Pulling: .*A signature was required, but no signature exists/,
    );
    assert.equal((await bootsealOk(['host', 'status', ...root])).stdout, before.stdout);
    const last = makeImage();
    await push('host:1', last, true);
    assert.match(
      (await bootsealOk(['host', 'upgrade', '--check', ...root, ...judging])).stdout,
      /^upgrade available/,
    );
    assert.match((await bootsealOk(['host', 'upgrade', ...root, ...judging])).stdout, /^deployed/);
    const json = await bootsealOk(['host', 'status', '--json', ...root]);
    const status = JSON.parse(json.stdout) as {
      current: { digest: string; verified: boolean };
      enforced: boolean;
    };
    assert.deepEqual(
      [status.current.digest, status.current.verified, status.enforced],
      [last.manifest.digest, true, true],
    );
    const layout = `oci:${shop.path('host')}/images:${last.manifest.digest.replace(':', '-')}`;
    assert.equal(await readImage(layout), last.manifest.digest);
  });
});
