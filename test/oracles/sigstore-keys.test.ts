/** Each kind of key: what we sign with it, to skopeo and cosign; what they sign with it, to us. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { KEY_TYPES, type KeyType } from '../../src/sign/generate-sigstore-key.ts';
import { signImage } from '../../src/sign/sign.ts';
import { verifyImage } from '../../src/verify/verify.ts';
import { peer, peerOk } from '../support/peers.ts';
import { vectorPath } from '../support/project.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { dockerName, makeWorkshop } from '../support/signing.ts';

const workshop = makeWorkshop();
let registry: TestRegistry;
let registries: string;
before(async () => {
  registry = await startRegistry();
  registries = workshop.registries(registry.host);
});
after(async () => {
  await registry.stop();
  workshop.remove();
});

function push(name: string): string {
  const reference = `${registry.host}/${name}`;
  const source = `dir:${vectorPath('policy', 'images', 'app')}`;
  peerOk('skopeo', ['--insecure-policy', 'copy', '--dest-tls-verify=false', source, `docker://${reference}`]);
  return reference;
}

function policyWith(keyFile: string): string {
  const file = workshop.path('policy.json');
  const requirement = {
    type: 'sigstoreSigned',
    keyPath: keyFile,
    signedIdentity: { type: 'matchRepository' },
  };
  writeFileSync(file, JSON.stringify({ default: [requirement] }));
  return file;
}

const COSIGN = ['--insecure-ignore-tlog=true', '--allow-insecure-registry'];

for (const keyType of KEY_TYPES) {
  test(`${keyType}: signed by us`, async () => {
    const key = await workshop.makeKey(`ours-${keyType}`, '', keyType);
    const reference = push(`ours/${keyType}:v1`);
    await signImage({ image: dockerName(reference) }, { key: key.key });
    const policy = policyWith(key.publicFile);
    const global = ['--policy', policy, '--registries.d', registries];
    const copy = ['copy', '--src-tls-verify=false', `docker://${reference}`, `dir:${workshop.path(keyType)}`];
    const pulled = peer('skopeo', [...global, ...copy]);
    assert.equal(pulled.status, 0, pulled.stderr);
    const verified = peer('cosign', ['verify', '--key', key.publicFile, ...COSIGN, reference]);
    assert.equal(verified.status, 0, verified.stderr);
  });
}

/** What podman and skopeo refuse of cosign's, so do we: the warning at key generation says so. */
const REFUSED: readonly KeyType[] = ['p384', 'p521', 'ed25519'];

for (const keyType of KEY_TYPES) {
  test(`${keyType}: signed by cosign`, async () => {
    const key = await workshop.makeKey(`theirs-${keyType}`, '', keyType);
    const reference = push(`theirs/${keyType}:v1`);
    const options = ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false'];
    peerOk(
      'cosign',
      ['sign', '--yes', ...options, '--allow-insecure-registry', '--key', key.privateFile, reference],
      { env: { COSIGN_PASSWORD: '' } },
    );
    const policyFile = policyWith(key.publicFile);
    const image = dockerName(reference);
    const { allowed, message } = await verifyImage({ image, policyFile, registriesDirectory: registries });
    assert.equal(allowed, !REFUSED.includes(keyType), message);
    const global = ['--policy', policyFile, '--registries.d', registries];
    const copy = ['copy', '--src-tls-verify=false', `docker://${reference}`, `dir:${workshop.path(keyType)}`];
    assert.equal(peer('skopeo', [...global, ...copy]).status === 0, allowed);
  });
}
