/** What verify asks for, and what it leaves behind: no more than the verdict needs, and nothing. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { pathToFileURL } from 'node:url';
import { after, before, test } from 'node:test';
import { digestOf } from '../../src/formats/oci/digest.ts';
import { parseManifest } from '../../src/formats/oci/manifest.ts';
import { MEDIA_TYPES } from '../../src/formats/oci/media-types.ts';
import { signImage } from '../../src/sign/sign.ts';
import { appendBundle } from '../../src/sign/sign-bundle.ts';
import { openDestination } from '../../src/stores/open.ts';
import { verifyImage } from '../../src/verify/verify.ts';
import { ISSUER, makeFakeSigstore, WORKFLOW } from '../support/fake-sigstore.ts';
import { startHostileRegistry, type HostileRegistry } from '../support/hostile-registry.ts';
import { bootseal } from '../support/run-cli.ts';
import { dockerName, makeWorkshop, type TestKey } from '../support/signing.ts';
import { json, makeImage, readImage } from '../support/test-image.ts';

const workshop = makeWorkshop();
const sigstore = makeFakeSigstore();
const image = makeImage();
let registry: HostileRegistry;
let key: TestKey;
const name = (tag: string) => dockerName(`${registry.host}/acme/app:${tag}`);
before(async () => {
  registry = await startHostileRegistry();
  key = await workshop.makeKey('key', '');
  registry.hold('signed', image);
  registry.hold('unsigned', makeImage());
  await signImage({ image: name('signed'), forms: ['attachment'] }, { key: key.key });
  const destination = await openDestination(name('signed'));
  const bundle = Buffer.from(JSON.stringify(sigstore.bundle(image.manifest.digest)));
  await appendBundle(destination, image.manifest, bundle, 0);
  await destination.abort();
});
after(async () => {
  await registry.stop();
  workshop.remove();
});

const ACCEPT = { type: 'insecureAcceptAnything' };
const REJECT = { type: 'reject' };
const signedBy = () => ({ type: 'sigstoreSigned', keyPath: key.publicFile });

function options(requirement: object): string[] {
  const policy = workshop.policy({ [registry.host]: [requirement] });
  return ['--policy', policy, '--registries.d', workshop.registries(registry.host)];
}

test('sgs-cache: no folder for caches, none that can be written: the same verdicts, and nothing is left', async () => {
  const empty = workshop.path('empty');
  const file = workshop.path('file');
  mkdirSync(empty);
  writeFileSync(file, '');
  const missing = workshop.path('missing/folder');
  const homes = [empty, missing, file, '/dev/null'];
  for (const tag of ['signed', 'unsigned']) {
    const args = ['verify', '--json', ...options(signedBy()), `docker://${registry.host}/acme/app:${tag}`];
    const verdicts = new Set<string>();
    for (const HOME of homes) {
      const env = { HOME, XDG_CACHE_HOME: HOME, XDG_DATA_HOME: HOME, XDG_RUNTIME_DIR: HOME, TMPDIR: HOME };
      const { status, stdout } = await bootseal(args, { env });
      assert.equal(status, tag === 'signed' ? 0 : 1, stdout);
      verdicts.add(stdout);
    }
    assert.equal(verdicts.size, 1);
  }
  assert.deepEqual(readdirSync(empty), []);
});

test('tuf-rollback, tuf-path, sgs-fetch: of a keyless bundle too, only the registry is asked', async () => {
  const log = workshop.path('connections');
  const spy = workshop.path('spy.mjs');
  const home = workshop.path('home');
  mkdirSync(home);
  writeFileSync(log, '');
  // Every socket of the process, whoever opens it.
  writeFileSync(
    spy,
    `import { appendFileSync } from 'node:fs';
import { subscribe } from 'node:diagnostics_channel';
subscribe('net.client.socket', ({ socket }) => {
  socket.once('connectionAttempt', (address, port) => appendFileSync(process.env.SPY_LOG, address + ':' + port + '\\n'));
});
`,
  );
  const trustedRootPath = workshop.path('trusted_root.json');
  writeFileSync(trustedRootPath, JSON.stringify(sigstore.trustedRoot));
  const keyless = { trustedRootPath, issuer: ISSUER, identity: WORKFLOW };
  const bundles = workshop.path('bundles.json');
  writeFileSync(bundles, JSON.stringify({ default: [{ type: 'bundleSigned', use: 'require', keyless }] }));
  const env = { HOME: home, SPY_LOG: log, NODE_OPTIONS: `--import=${pathToFileURL(spy).href}` };
  const args = ['verify', ...options(ACCEPT), '--bundle-policy', bundles];
  const { status, stderr } = await bootseal([...args, `docker://${registry.host}/acme/app:signed`], { env });
  assert.equal(status, 0, stderr);
  const connections = readFileSync(log, 'utf8').split('\n').filter(Boolean);
  assert(connections.length > 0, 'the spy sees nothing');
  assert.deepEqual([...new Set(connections)], [registry.host]);
  assert.deepEqual(readdirSync(home), []);
});

test('the policy decides before any layer or configuration is read, and a reject before any signature', async () => {
  const ask = async (tag: string, requirement: object): Promise<string[]> => {
    const from = registry.seen.length;
    const policyFile = workshop.policy({ [registry.host]: [requirement] });
    const registriesDirectory = workshop.registries(registry.host);
    await verifyImage({ image: name(tag), policyFile, registriesDirectory });
    return registry.seen.slice(from).map(({ url }) => url.replace(/^.*\//, ''));
  };
  const rejected = await ask('signed', REJECT);
  assert.deepEqual(rejected.filter(Boolean), ['signed']);
  for (const tag of ['signed', 'unsigned']) {
    const asked = await ask(tag, signedBy());
    // The signature's payload, and nothing of the image.
    const blobs = asked.filter((digest) => registry.blobs.has(digest));
    assert.equal(blobs.length, tag === 'signed' ? 1 : 0, asked.join());
    assert(![...image.blobs.keys()].some((digest) => blobs.includes(digest)));
  }
});

test('CVE-2021-41190: a document that is image and index at once is refused, signed or not', async () => {
  const { manifests } = { manifests: [{ ...image.config, mediaType: MEDIA_TYPES.ociManifest }] };
  for (const mediaType of [MEDIA_TYPES.ociManifest, MEDIA_TYPES.ociIndex, undefined]) {
    const bytes = json({
      schemaVersion: 2,
      ...(mediaType !== undefined && { mediaType }),
      config: image.config,
      layers: image.layers,
      manifests,
    });
    for (const served of [MEDIA_TYPES.ociManifest, MEDIA_TYPES.ociIndex]) {
      assert.throws(() => parseManifest(bytes, served), { code: 'oci/bad-manifest' });
      registry.manifests.set('both', { bytes, digest: digestOf(bytes), mediaType: served });
      const policyFile = workshop.policy({ [registry.host]: [ACCEPT] });
      await assert.rejects(verifyImage({ image: name('both'), policyFile }), { code: 'oci/bad-manifest' });
    }
  }
});

test('CVE-2020-15157: URLs in a descriptor are not followed', async () => {
  let asked = 0;
  const elsewhere = createServer((_request, response) => {
    asked += 1;
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
  });
  await new Promise<void>((resolve) => void elsewhere.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/layer`;
    const foreign = MEDIA_TYPES.ociLayer.replace('layer.v1', 'layer.nondistributable.v1');
    for (const mediaType of [MEDIA_TYPES.ociLayer, foreign]) {
      const layers = image.layers.map((layer) => ({ ...layer, mediaType, urls: [url] }));
      const bytes = json({
        schemaVersion: 2,
        mediaType: MEDIA_TYPES.ociManifest,
        config: image.config,
        layers,
      });
      const manifest = { bytes, digest: digestOf(bytes), mediaType: MEDIA_TYPES.ociManifest };
      registry.manifests.set('urls', manifest).set(manifest.digest, manifest);
      // The registry has the layer.
      assert.equal(await readImage(`docker://${registry.host}/acme/app:urls`), manifest.digest);
      // It has not.
      const [layer] = image.layers;
      registry.blobs.delete(layer.digest);
      await assert.rejects(readImage(`docker://${registry.host}/acme/app:urls`), { name: 'BootsealError' });
      registry.blobs.set(layer.digest, image.blobs.get(layer.digest)!);
    }
    assert.equal(asked, 0);
  } finally {
    elsewhere.close();
  }
});
