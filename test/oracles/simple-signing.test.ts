/** Simple signing in both directions with the real skopeo, and with keys and messages of gpg and sq. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { encodeSimplePayload } from '../../src/formats/simple-signing/payload.ts';
import { digestOf } from '../../src/formats/oci/digest.ts';
import { copyImage } from '../../src/sign/copy.ts';
import { copyGpgSigner } from '../../src/sign/copy-signer.ts';
import { openGpgKey } from '../../src/sign/gpg-signer.ts';
import { signImage, type SignResult } from '../../src/sign/sign.ts';
import { simpleSigner } from '../../src/sign/simple-signer.ts';
import { signStandalone } from '../../src/sign/standalone.ts';
import { loadRegistriesConfig } from '../../src/stores/trust-files/registries-d.ts';
import { verifyImage, type VerifyResult } from '../../src/verify/verify.ts';
import { readUntrustedSignature, verifyStandalone } from '../../src/verify/standalone.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { concatBytes } from '../../src/bytes/bytes.ts';
import { readPackets } from '../../src/formats/openpgp/packets.ts';
import { packet } from '../support/openpgp.ts';
import { makeGpgHome, type GpgHome } from '../support/gpg.ts';
import { peer, peerOk, type PeerResult } from '../support/peers.ts';
import { vectorPath } from '../support/project.ts';
import { chooseSeed, makeRandom } from '../support/random.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { dockerName, makeWorkshop } from '../support/signing.ts';

const workshop = makeWorkshop();
let registry: TestRegistry;
/** The gpg that bootseal calls, and the one that skopeo calls. */
let ours: GpgHome;
let theirs: GpgHome;
let ourKey: string;
let theirKey: string;
let directory: string;
before(async () => {
  registry = await startRegistry();
  ours = makeGpgHome('user');
  theirs = makeGpgHome('peer');
  ourKey = ours.makeKey('ours');
  theirKey = theirs.makeKey('theirs');
  directory = workshop.path('registries.d');
  mkdirSync(directory);
  writeFileSync(
    join(directory, 'a.yaml'),
    `docker:\n  "${registry.host}":\n    lookaside: file://${workshop.path('lookaside')}\n` +
      `    lookaside-staging: file://${workshop.path('lookaside')}\n`,
  );
});
after(async () => {
  await registry.stop();
  ours.remove();
  theirs.remove();
  workshop.remove();
});

const GLOBAL = ['--override-arch', 'amd64', '--override-os', 'linux'];

/** With signatures, as skopeo makes them. */
function push(image: string, from: string, ...options: readonly string[]): PeerResult {
  const source = `dir:${vectorPath('policy', 'images', from)}`;
  const target = `docker://${registry.host}/${image}`;
  const args = ['--insecure-policy', '--registries.d', directory, 'copy', '--dest-tls-verify=false'];
  return peerOk('skopeo', [...args, ...options, source, target], { env: theirs.env });
}

let pulls = 0;
function pull(image: string, policy: string, ...options: readonly string[]): PeerResult {
  const target = `dir:${workshop.path(`pulled-${++pulls}`)}`;
  const source = image.startsWith('dir:') ? image : `docker://${registry.host}/${image}`;
  const args = ['--policy', policy, '--registries.d', directory, ...GLOBAL, 'copy', '--src-tls-verify=false'];
  return peer('skopeo', [...args, ...options, source, target], { env: theirs.env });
}

function policyWith(keyFile: string, signedIdentity?: object): string {
  const requirement = {
    type: 'signedBy',
    keyType: 'GPGKeys',
    keyPath: keyFile,
    ...(signedIdentity && { signedIdentity }),
  };
  return workshop.policy({ [registry.host]: [requirement] });
}

function verify(image: string, policyFile: string, all = false): Promise<VerifyResult> {
  const name = image.startsWith('dir:') ? parseImageName(image) : dockerName(`${registry.host}/${image}`);
  const platform = { os: 'linux', architecture: 'amd64' };
  return verifyImage({ image: name, policyFile, registriesDirectory: directory, all, platform });
}

/** Both say the same; returns what. */
async function agree(image: string, policy: string, ...options: readonly string[]): Promise<boolean> {
  const result = await verify(image, policy, options.includes('--all'));
  const pulled = pull(image, policy, ...options);
  assert.equal(result.allowed, pulled.status === 0, `${result.message}\n${pulled.stderr}`);
  return result.allowed;
}

async function sign(image: string, key = ourKey, all = false): Promise<SignResult> {
  const name = dockerName(`${registry.host}/${image}`);
  const registries = await loadRegistriesConfig({ directory });
  const simple = simpleSigner(await openGpgKey({ key }, { env: withHome(ours) }), {
    repository: name.reference,
    registries,
  });
  return signImage({ image: name, all, forms: ['simple'] }, { simple, registries });
}

function withHome({ env }: GpgHome): NodeJS.ProcessEnv {
  return { ...process.env, ...env };
}

describe('skopeo signs, we verify', () => {
  test('in a registry with a look-aside store', async () => {
    push('theirs/app:v1', 'app', '--sign-by', theirKey);
    const result = await verify('theirs/app:v1', policyWith(theirs.exportKeys(theirKey)));
    assert(result.verified, result.message);
    assert.equal(result.verdict.signedBy?.keyFingerprint, theirKey);
    assert.equal(result.verdict.signedBy?.identity, `${registry.host}/theirs/app:v1`);
    assert.equal(await agree('theirs/app:v1', policyWith(ours.exportKeys(ourKey))), false);
  });

  test('with a passphrase, and under another name', async () => {
    const locked = theirs.makeKey('locked', { passphrase: 'four words of it' });
    const file = workshop.path('locked.pass');
    writeFileSync(file, 'four words of it');
    const identity = 'quay.io/acme/os:10';
    push(
      'theirs/named:v1',
      'app',
      '--sign-by',
      locked,
      '--sign-passphrase-file',
      file,
      '--sign-identity',
      identity,
    );
    const keys = theirs.exportKeys(locked);
    assert.equal(await agree('theirs/named:v1', policyWith(keys)), false);
    const exact = { type: 'exactReference', dockerReference: identity };
    assert.equal(await agree('theirs/named:v1', policyWith(keys, exact)), true);
    const remapped = {
      type: 'remapIdentity',
      prefix: `${registry.host}/theirs/named`,
      signedPrefix: 'quay.io/acme/os',
    };
    assert.equal(await agree('theirs/named:v1', policyWith(keys, remapped)), false);
  });

  test('an index and its instances', async () => {
    push('theirs/multi:v1', 'multi', '--all', '--sign-by', theirKey);
    const policy = policyWith(theirs.exportKeys(theirKey));
    assert.equal(await agree('theirs/multi:v1', policy, '--all'), true);
    assert.equal(await agree('theirs/multi:v1', policy), true);
  });

  test('a folder', async () => {
    const folder = workshop.path('theirs-dir');
    const from = `dir:${vectorPath('policy', 'images', 'app')}`;
    const options = ['--sign-by', theirKey, '--sign-identity', 'quay.io/acme/os:10'];
    peerOk('skopeo', ['--insecure-policy', 'copy', ...options, from, `dir:${folder}`], { env: theirs.env });
    const exact = { type: 'exactReference', dockerReference: 'quay.io/acme/os:10' };
    const keyPath = theirs.exportKeys(theirKey);
    const policy = workshop.path('dir-policy.json');
    const requirement = { type: 'signedBy', keyType: 'GPGKeys', keyPath, signedIdentity: exact };
    writeFileSync(policy, JSON.stringify({ default: [requirement] }));
    assert.equal(await agree(`dir:${folder}`, policy), true);
  });

  test('standalone-sign', async () => {
    const manifestFile = vectorPath('policy', 'images', 'app', 'manifest.json');
    const signatureFile = workshop.path('theirs.signature');
    const args = ['standalone-sign', manifestFile, 'quay.io/acme/os:10', theirKey, '-o', signatureFile];
    peerOk('skopeo', args, { env: theirs.env });
    const request = { manifestFile, reference: 'quay.io/acme/os:10', fingerprints: theirKey, signatureFile };
    const verdict = await verifyStandalone({ ...request, publicKeyFile: theirs.exportKeys(theirKey) });
    assert(verdict.accepted);
    assert.equal(verdict.fingerprint, theirKey);
  });

  test('the key expires or is revoked afterwards', async () => {
    const brief = theirs.makeKey('brief');
    const revoked = theirs.makeKey('revoked');
    push('theirs/brief:v1', 'app', '--sign-by', brief);
    push('theirs/revoked:v1', 'app', '--sign-by', revoked);
    for (const [image, key] of [
      ['theirs/brief:v1', brief],
      ['theirs/revoked:v1', revoked],
    ] as const) {
      assert.equal(await agree(image, policyWith(theirs.exportKeys(key))), true);
    }
    theirs.run(['--quick-set-expire', brief, 'seconds=1']);
    const certificate = readFileSync(
      join(theirs.env.GNUPGHOME, 'openpgp-revocs.d', `${revoked}.rev`),
      'utf8',
    );
    theirs.run(['--import'], Buffer.from(certificate.replace(/^:-----BEGIN/m, '-----BEGIN')));
    await new Promise((resolve) => setTimeout(resolve, 2100));
    for (const [image, key, code] of [
      ['theirs/brief:v1', brief, 'trust/expired-key'],
      ['theirs/revoked:v1', revoked, 'trust/revoked-key'],
    ] as const) {
      const policy = policyWith(theirs.exportKeys(key));
      assert.equal(await agree(image, policy), false);
      assert.equal((await verify(image, policy)).reasonCode, code);
    }
  });

  test('a signing subkey', async () => {
    const owner = theirs.makeKey('owner', { usage: 'cert' });
    theirs.run(['--passphrase', '', '--quick-add-key', owner, 'ed25519', 'sign', 'never']);
    push('theirs/subkey:v1', 'app', '--sign-by', owner);
    const policy = policyWith(theirs.exportKeys(owner));
    assert.equal(await agree('theirs/subkey:v1', policy), true);
    assert.equal((await verify('theirs/subkey:v1', policy)).verdict.signedBy?.keyFingerprint, owner);
  });
});

describe('we sign, skopeo verifies', () => {
  test('in a registry with a look-aside store, once for each key', async () => {
    push('ours/app:v1', 'app');
    const policy = policyWith(ours.exportKeys(ourKey));
    assert.equal(await agree('ours/app:v1', policy), false);
    const first = await sign('ours/app:v1');
    assert.equal(first.manifests[0].state, 'signed');
    assert.equal(first.keyFingerprint, ourKey);
    assert.equal(await agree('ours/app:v1', policy), true);
    const second = await sign('ours/app:v1');
    assert.equal(second.manifests[0].state, 'already-signed');
    const other = ours.makeKey('other', { algorithm: 'rsa3072' });
    await sign('ours/app:v1', other);
    assert.equal(readdirSync(first.manifests[0].forms[0].place.replace(/^file:\/\//, '')).length, 2);
    for (const key of [ourKey, other]) {
      assert.equal(await agree('ours/app:v1', policyWith(ours.exportKeys(key))), true);
    }
    assert.equal(await agree('ours/app:v1', policyWith(theirs.exportKeys(theirKey))), false);
  });

  test('a name that the registry has, not one that is asked for', async () => {
    push('ours/renamed:v1', 'app');
    await sign('ours/renamed:v1');
    push('ours/renamed:v2', 'app');
    const keys = ours.exportKeys(ourKey);
    assert.equal(await agree('ours/renamed:v2', policyWith(keys)), false);
    assert.equal(await agree('ours/renamed:v2', policyWith(keys, { type: 'matchRepository' })), true);
  });

  test('an index and its instances', async () => {
    push('ours/multi:v1', 'multi', '--all');
    const policy = policyWith(ours.exportKeys(ourKey));
    await sign('ours/multi:v1');
    assert.equal(await agree('ours/multi:v1', policy, '--all'), false);
    await sign('ours/multi:v1', ourKey, true);
    assert.equal(await agree('ours/multi:v1', policy, '--all'), true);
  });

  test('while copying, and beside signatures that come along', async () => {
    push('ours/source:v1', 'app', '--sign-by', theirKey);
    const registries = await loadRegistriesConfig({ directory });
    const [from, to] = ['ours/source:v1', 'ours/target:v1'].map((name) =>
      dockerName(`${registry.host}/${name}`),
    );
    const signer = await copyGpgSigner(to, { key: ourKey }, undefined, { env: withHome(ours) });
    const request = { from, to };
    const ports = { registries, signers: [signer], env: withHome(ours) };
    assert.deepEqual((await copyImage(request, ports)).signatures, { copied: 1, made: 1 });
    assert.deepEqual((await copyImage(request, ports)).signatures.made, 0);
    assert.equal(await agree('ours/target:v1', policyWith(ours.exportKeys(ourKey))), true);
    const came = { type: 'exactReference', dockerReference: `${registry.host}/ours/source:v1` };
    assert.equal(await agree('ours/target:v1', policyWith(theirs.exportKeys(theirKey), came)), true);
  });

  test('into a folder', async () => {
    const from = parseImageName(`dir:${vectorPath('policy', 'images', 'app')}`);
    const to = parseImageName(`dir:${workshop.path('ours-dir')}`);
    const identity = 'quay.io/acme/os:10';
    const signer = await copyGpgSigner(to, { key: ourKey }, identity, { env: withHome(ours) });
    await copyImage({ from, to }, { signers: [signer] });
    const policy = workshop.path('our-dir-policy.json');
    const signedIdentity = { type: 'exactReference', dockerReference: identity };
    const keyPath = ours.exportKeys(ourKey);
    writeFileSync(
      policy,
      JSON.stringify({ default: [{ type: 'signedBy', keyType: 'GPGKeys', keyPath, signedIdentity }] }),
    );
    assert.equal(await agree(`dir:${workshop.path('ours-dir')}`, policy), true);
  });

  test('standalone-sign, with a passphrase; the same claims are read', async () => {
    const locked = ours.makeKey('locked', { passphrase: 'open sesame' });
    const passphraseFile = workshop.path('ours.pass');
    writeFileSync(passphraseFile, 'open sesame\nmore\n');
    const manifestFile = vectorPath('policy', 'images', 'app', 'manifest.json');
    const output = workshop.path('ours.signature');
    const reference = 'busybox';
    const options = { creator: 'bootseal test', timestamp: 1_700_000_000 };
    await signStandalone(
      { manifestFile, reference, key: locked, output, passphraseFile, options },
      { env: withHome(ours) },
    );
    const publicKeyFile = ours.exportKeys(locked);
    const args = [
      'standalone-verify',
      manifestFile,
      reference,
      locked,
      output,
      '--public-key-file',
      publicKeyFile,
    ];
    const { stdout } = peerOk('skopeo', args);
    const digest = digestOf(readFileSync(manifestFile));
    assert.equal(stdout, `Signature verified using fingerprint ${locked}, digest ${digest}\n`);
    const dump = peerOk('skopeo', ['untrusted-signature-dump-without-verification', output], {
      env: { TZ: 'UTC' },
    });
    const claims = JSON.parse(dump.stdout) as Readonly<Record<string, string>>;
    const read = await readUntrustedSignature(output);
    assert.equal(claims['UntrustedDockerReference'], read.reference);
    assert.equal(claims['UntrustedShortKeyIdentifier'], read.keyId);
    assert.equal(claims['UntrustedCreatorID'], 'bootseal test');
    assert.equal(Date.parse(claims['UntrustedTimestamp']) / 1000, read.timestamp);
  });
});

const manifestFile = vectorPath('policy', 'images', 'app', 'manifest.json');
const payload = encodeSimplePayload({
  manifestDigest: digestOf(readFileSync(manifestFile)),
  dockerReference: 'quay.io/acme/os:10',
});

/** skopeo's verdict and ours on a signature file; ours is never the laxer one. */
async function both(signatureFile: string, publicKeyFile: string): Promise<readonly [boolean, boolean]> {
  const reference = 'quay.io/acme/os:10';
  const args = [
    'standalone-verify',
    manifestFile,
    reference,
    'any',
    signatureFile,
    '--public-key-file',
    publicKeyFile,
  ];
  const { status } = peer('skopeo', args);
  const verdict = await verifyStandalone({
    manifestFile,
    reference,
    fingerprints: 'any',
    signatureFile,
    publicKeyFile,
  });
  return [status === 0, verdict.accepted];
}

describe('keys and messages of other programs', () => {
  for (const algorithm of [
    'rsa2048',
    'rsa4096',
    'dsa2048',
    'nistp256',
    'nistp384',
    'nistp521',
    'ed25519',
    'brainpoolP256r1',
    'brainpoolP384r1',
    'brainpoolP512r1',
    'secp256k1',
  ]) {
    test(`gpg, ${algorithm}`, async () => {
      const key = theirs.makeKey(`by-${algorithm}`, { algorithm });
      const file = workshop.path(`${algorithm}.signature`);
      for (const options of [
        [],
        ['--digest-algo', 'SHA512'],
        ['--compress-algo', 'none'],
        ['--compress-algo', 'zlib'],
      ]) {
        writeFileSync(file, theirs.run([...options, '--local-user', key, '--sign'], payload));
        assert.deepEqual(await both(file, theirs.exportKeys(key)), [true, true], options.join(' '));
      }
    });
  }

  test('gpg, in text mode', async () => {
    const file = workshop.path('text.signature');
    writeFileSync(file, theirs.run(['--textmode', '--local-user', theirKey, '--sign'], payload));
    assert.deepEqual(await both(file, theirs.exportKeys(theirKey)), [true, true]);
  });

  test('gpg, with bzip2: refused by us alone', async () => {
    const file = workshop.path('bzip2.signature');
    writeFileSync(
      file,
      theirs.run(['--compress-algo', 'bzip2', '--local-user', theirKey, '--sign'], payload),
    );
    assert.deepEqual(await both(file, theirs.exportKeys(theirKey)), [true, false]);
  });

  test('gpg, an expired signature', async () => {
    const file = workshop.path('expired.signature');
    const options = ['--default-sig-expire', 'seconds=1', '--local-user', theirKey, '--sign'];
    writeFileSync(file, theirs.run(options, payload));
    await new Promise((resolve) => setTimeout(resolve, 2100));
    assert.deepEqual(await both(file, theirs.exportKeys(theirKey)), [false, false]);
  });

  test('sq: key, certificate and message', async () => {
    const home = ['--home', workshop.path('sequoia'), '--batch'];
    const user = ['--own-key', '--name', 'Sq', '--without-password', '--rev-cert', workshop.path('sq.rev')];
    peerOk('sq', [...home, 'key', 'generate', ...user]);
    const listed = peerOk('sq', [...home, 'key', 'list']);
    const key = /[0-9A-F]{40}/.exec(listed.stdout + listed.stderr)![0];
    writeFileSync(workshop.path('payload'), payload);
    const file = workshop.path('sq.signature');
    peerOk('sq', [
      ...home,
      'sign',
      '--binary',
      '--message',
      '--signer',
      key,
      '--output',
      file,
      workshop.path('payload'),
    ]);
    const certificate = workshop.path('sq.asc');
    writeFileSync(certificate, peerOk('sq', [...home, 'cert', 'export', '--cert', key]).bytes);
    assert.deepEqual(await both(file, certificate), [true, true]);
    assert.deepEqual(await both(file, theirs.exportKeys(theirKey)), [false, false]);
  });

  test('60 damaged messages and keyrings: never accepted by us alone', async (context) => {
    const seed = chooseSeed();
    context.diagnostic(`seed ${seed}`);
    const random = makeRandom(seed);
    const keys = readFileSync(theirs.exportKeys(theirKey));
    const message = theirs.run(['--compress-algo', 'none', '--local-user', theirKey, '--sign'], payload);
    const [signatureFile, keyFile] = [workshop.path('damaged.signature'), workshop.path('damaged.gpg')];
    let accepted = 0;
    for (let round = 0; round < 60; round += 1) {
      const [signature, ring] = [Uint8Array.from(message), Uint8Array.from(keys)];
      const target = round % 3 === 0 ? ring : signature;
      target[random.int(target.length)] ^= 1 << random.int(8);
      writeFileSync(signatureFile, signature);
      writeFileSync(keyFile, ring);
      const [skopeo, bootseal] = await both(signatureFile, keyFile).catch(() => [true, false] as const);
      assert(skopeo || !bootseal, `round ${round} of seed ${seed}`);
      if (bootseal) accepted += 1;
    }
    context.diagnostic(`${accepted} of 60 accepted by both`);
  });

  test('60 keyrings of packets lost, doubled, moved and borrowed: never accepted by us alone', async (context) => {
    const seed = chooseSeed();
    context.diagnostic(`seed ${seed}`);
    const random = makeRandom(seed);
    const names = ['ed', 'sub', 'subrevoked', 'revoked', 'revoked-before', 'rsa'];
    const packetsOf = (name: string): Uint8Array[] => {
      const bytes = readFileSync(vectorPath('policy', 'keys', `gpg-${name}.gpg`));
      return readPackets(bytes, 100).map(({ tag, body }) => packet(tag, body));
    };
    const keyFile = workshop.path('shuffled.gpg');
    const reference = 'quay.io/org/app:v1';
    let accepted = 0;
    for (let round = 0; round < 60; round += 1) {
      const name = random.pick(names);
      const packets = packetsOf(name);
      for (let change = random.int(3); change >= 0; change -= 1) {
        const [at, to] = [random.int(packets.length + 1), random.int(packets.length + 1)];
        const taken = random.chance(0.7) ? packets.splice(at, 1) : packets.slice(at, at + 1);
        const put = random.chance(0.3) ? [random.pick(packetsOf(random.pick(names)))] : taken;
        if (random.chance(0.8)) packets.splice(to, 0, ...put);
      }
      writeFileSync(keyFile, concatBytes(packets));
      const signatureFile = vectorPath('policy', 'signatures', `gpg-${name.replace('-before', '')}`);
      const args = [manifestFile, reference, 'any', signatureFile, '--public-key-file', keyFile];
      const { status } = peer('skopeo', ['standalone-verify', ...args]);
      const request = { manifestFile, reference, fingerprints: 'any', signatureFile, publicKeyFile: keyFile };
      const verdict = await verifyStandalone(request);
      assert(status === 0 || !verdict.accepted, `round ${round} of seed ${seed}`);
      if (verdict.accepted) accepted += 1;
    }
    context.diagnostic(`${accepted} of 60 accepted by both`);
  });
});
