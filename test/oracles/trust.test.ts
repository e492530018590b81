/** Signing and verifying in both directions with the real skopeo and cosign. */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { decryptPrivateKey } from '../../src/formats/cosign/private-key.ts';
import { parsePublicKey } from '../../src/formats/cosign/public-key.ts';
import { signImage } from '../../src/sign/sign.ts';
import { trustFiles } from '../../src/sign/trust-files.ts';
import { writeTrustFiles } from '../../src/sign/trust-init.ts';
import { verifyImage, type VerifyResult } from '../../src/verify/verify.ts';
import { peer, peerOk, type PeerResult } from '../support/peers.ts';
import { vectorPath } from '../support/project.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { dockerName, makeWorkshop, type TestKey } from '../support/signing.ts';

const workshop = makeWorkshop();
let registry: TestRegistry;
let ours: TestKey;
let registries: string;
before(async () => {
  registry = await startRegistry();
  ours = await workshop.makeKey('ours', 'open sesame');
  registries = workshop.registries(registry.host);
});
after(async () => {
  await registry.stop();
  workshop.remove();
});

function push(image: string, from: string, ...options: readonly string[]): PeerResult {
  const source = `dir:${vectorPath('policy', 'images', from)}`;
  const target = `docker://${registry.host}/${image}`;
  return peerOk('skopeo', [
    '--insecure-policy',
    'copy',
    '--dest-tls-verify=false',
    ...options,
    source,
    target,
  ]);
}

let pulls = 0;
/** `skopeo copy` from the registry under a policy; the image goes nowhere of interest. */
function pull(image: string, policy: string, ...options: readonly string[]): PeerResult {
  const target = `dir:${workshop.path(`pulled-${++pulls}`)}`;
  const source = `docker://${registry.host}/${image}`;
  const global = ['--policy', policy, '--registries.d', registries, '--override-arch', 'amd64'];
  return peer('skopeo', [...global, 'copy', '--src-tls-verify=false', ...options, source, target]);
}

function policyWith(publicFile: string, identity?: string): string {
  const signedIdentity = identity === undefined ? {} : { signedIdentity: { type: identity } };
  const requirement = { type: 'sigstoreSigned', keyPath: publicFile, ...signedIdentity };
  return workshop.policy({ [registry.host]: [requirement] });
}

function verify(image: string, policyFile: string, all = false): Promise<VerifyResult> {
  return verifyImage({
    image: dockerName(`${registry.host}/${image}`),
    policyFile,
    registriesDirectory: registries,
    all,
    platform: { os: 'linux', architecture: 'amd64' },
  });
}

const COSIGN_OLD = ['--new-bundle-format=false', '--allow-insecure-registry'];

describe('skopeo', () => {
  test('accepts what we signed, and nothing else', async () => {
    push('acme/app:v1', 'app');
    const policy = policyWith(ours.publicFile);
    const before = pull('acme/app:v1', policy);
    assert.equal(before.status, 1);
    assert.match(before.stderr, /Source image rejected: A signature was required, but no signature exists/);
    await signImage({ image: dockerName(`${registry.host}/acme/app:v1`) }, { key: ours.key });
    const accepted = pull('acme/app:v1', policy);
    assert.equal(accepted.status, 0, accepted.stderr);
    const other = await workshop.makeKey('stranger', '');
    const refused = pull('acme/app:v1', policyWith(other.publicFile));
    assert.match(refused.stderr, /cryptographic signature verification failed/);
    push('acme/app:v2', 'app');
    assert.match(
      pull('acme/app:v2', policy).stderr,
      /Signature for identity .*acme\/app:v1.* is not accepted/,
    );
  });

  test('accepts every instance of an index that we signed', async () => {
    push('acme/multi:v1', 'multi', '--all');
    await signImage({ image: dockerName(`${registry.host}/acme/multi:v1`), all: true }, { key: ours.key });
    const policy = policyWith(ours.publicFile);
    for (const options of [[], ['--all']]) {
      const result = pull('acme/multi:v1', policy, ...options);
      assert.equal(result.status, 0, result.stderr);
    }
  });

  test('signs while copying, and we accept it; ours then joins it', async () => {
    const prefix = workshop.path('skopeo');
    const passphrase = workshop.path('skopeo.pass');
    writeFileSync(passphrase, 'tell nobody\n');
    peerOk('skopeo', ['generate-sigstore-key', '--output-prefix', prefix, '--passphrase-file', passphrase]);
    const sign = [
      '--sign-by-sigstore-private-key',
      `${prefix}.private`,
      '--sign-passphrase-file',
      passphrase,
    ];
    const source = `dir:${vectorPath('policy', 'images', 'app')}`;
    const global = ['--insecure-policy', '--registries.d', registries];
    const target = `docker://${registry.host}/acme/theirs:v1`;
    peerOk('skopeo', [...global, 'copy', '--dest-tls-verify=false', ...sign, source, target]);
    const theirs = await verify('acme/theirs:v1', policyWith(`${prefix}.pub`));
    assert(theirs.allowed, theirs.message);

    await signImage({ image: dockerName(`${registry.host}/acme/theirs:v1`) }, { key: ours.key });
    for (const publicFile of [`${prefix}.pub`, ours.publicFile]) {
      const policy = policyWith(publicFile);
      assert((await verify('acme/theirs:v1', policy)).allowed);
      assert.equal(pull('acme/theirs:v1', policy).status, 0);
    }
  });

  test('signs with a key that we made; we sign with one that it made', async () => {
    const sign = [
      '--sign-by-sigstore-private-key',
      ours.privateFile,
      '--sign-passphrase-file',
      ours.passphraseFile,
    ];
    const source = `dir:${vectorPath('policy', 'images', 'other')}`;
    const global = ['--insecure-policy', '--registries.d', registries];
    const target = `docker://${registry.host}/acme/ourkey:v1`;
    peerOk('skopeo', [...global, 'copy', '--dest-tls-verify=false', ...sign, source, target]);
    assert((await verify('acme/ourkey:v1', policyWith(ours.publicFile))).allowed);

    const theirs = decryptPrivateKey(
      readFileSync(workshop.path('skopeo.private')),
      Buffer.from('tell nobody'),
    );
    await signImage({ image: dockerName(`${registry.host}/acme/ourkey:v1`) }, { key: theirs });
    const result = pull('acme/ourkey:v1', policyWith(workshop.path('skopeo.pub')));
    assert.equal(result.status, 0, result.stderr);
  });

  test('reads the files of trust init', async () => {
    const repository = `${registry.host}/acme/app`;
    const key = parsePublicKey(readFileSync(ours.publicFile));
    const files = trustFiles({ repository, keys: [key], match: 'digest-or-exact', acceptOthers: false });
    const root = workshop.path('root');
    await writeTrustFiles(files, root);
    // The policy names the key where it will be on the machine.
    const policy = workshop.path('trust-policy.json');
    const text = readFileSync(`${root}/etc/containers/policy.json`, 'utf8');
    writeFileSync(policy, text.replaceAll('/etc/pki', `${root}/etc/pki`));
    const directory = `${root}/etc/containers/registries.d`;
    cpSync(directory, registries, { recursive: true });
    assert.equal(pull('acme/app:v1', policy).status, 0);
    const other = pull('acme/theirs:v1', policy);
    assert.match(other.stderr, /is rejected by policy/);
  });
});

describe('cosign', () => {
  test('accepts our attachment', () => {
    const reference = `${registry.host}/acme/app:v1`;
    const options = ['--key', ours.publicFile, '--insecure-ignore-tlog', ...COSIGN_OLD];
    const { stdout } = peerOk('cosign', ['verify', ...options, reference]);
    const [claim] = JSON.parse(stdout) as { critical: { identity: { 'docker-reference': string } } }[];
    assert.equal(claim.critical.identity['docker-reference'], reference);
  });

  test('signs, and we accept it for the repository only', async () => {
    push('acme/cosigned:v1', 'app');
    const prefix = workshop.path('cosign');
    peerOk('cosign', ['generate-key-pair', '--output-key-prefix', prefix], {
      env: { COSIGN_PASSWORD: 'secret' },
    });
    const options = [
      '--key',
      `${prefix}.key`,
      '--tlog-upload=false',
      '--use-signing-config=false',
      ...COSIGN_OLD,
    ];
    peerOk('cosign', ['sign', '--yes', ...options, `${registry.host}/acme/cosigned:v1`], {
      env: { COSIGN_PASSWORD: 'secret' },
    });
    const exact = await verify('acme/cosigned:v1', policyWith(`${prefix}.pub`));
    assert.equal(exact.reasonCode, 'trust/identity-mismatch');
    const repository = await verify('acme/cosigned:v1', policyWith(`${prefix}.pub`, 'matchRepository'));
    assert(repository.allowed, repository.message);
  });

  test('its private keys sign for us, and ours for it', async () => {
    const theirs = decryptPrivateKey(readFileSync(workshop.path('cosign.key')), Buffer.from('secret'));
    push('acme/crossed:v1', 'app');
    await signImage({ image: dockerName(`${registry.host}/acme/crossed:v1`) }, { key: theirs });
    const check = (key: string): PeerResult =>
      peer('cosign', [
        'verify',
        '--key',
        key,
        '--insecure-ignore-tlog',
        ...COSIGN_OLD,
        `${registry.host}/acme/crossed:v1`,
      ]);
    assert.equal(check(workshop.path('cosign.pub')).status, 0);
    assert.notEqual(check(ours.publicFile).status, 0);
    const options = [
      '--key',
      ours.privateFile,
      '--tlog-upload=false',
      '--use-signing-config=false',
      ...COSIGN_OLD,
    ];
    peerOk('cosign', ['sign', '--yes', ...options, `${registry.host}/acme/crossed:v1`], {
      env: { COSIGN_PASSWORD: 'open sesame' },
    });
    assert.equal(check(ours.publicFile).status, 0);
    assert((await verify('acme/crossed:v1', policyWith(ours.publicFile, 'matchRepository'))).allowed);
  });
});
