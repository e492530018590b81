/** Keyless bundles of the test's own sigstore, before the real cosign with the same trusted root, and before us. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { appendBundle } from '../../src/sign/sign-bundle.ts';
import { openDestination, openSource } from '../../src/stores/open.ts';
import { verifyImage } from '../../src/verify/verify.ts';
import { ISSUER, makeFakeSigstore, WORKFLOW, type BundleOptions } from '../support/fake-sigstore.ts';
import { peer, peerOk } from '../support/peers.ts';
import { vectorPath } from '../support/project.ts';
import { startReferrersRegistry, type ReferrersRegistry } from '../support/referrers-registry.ts';
import { dockerName, makeWorkshop } from '../support/signing.ts';

const workshop = makeWorkshop();
const sigstore = makeFakeSigstore();
const trustedRootPath = workshop.path('trusted_root.json');
let registry: ReferrersRegistry;
before(async () => {
  registry = await startReferrersRegistry();
  writeFileSync(trustedRootPath, JSON.stringify(sigstore.trustedRoot));
});
after(async () => {
  await registry.stop();
  workshop.remove();
});

let images = 0;
/** An image with one such bundle; returns its name. */
async function imageWith(options: BundleOptions): Promise<string> {
  const name = `${registry.host}/keyless/image-${++images}:v1`;
  const from = `dir:${vectorPath('policy', 'images', 'app')}`;
  peerOk('skopeo', ['--insecure-policy', 'copy', '--dest-tls-verify=false', from, `docker://${name}`]);
  const [source, destination] = [await openSource(dockerName(name)), await openDestination(dockerName(name))];
  const top = await source.topManifest();
  await appendBundle(destination, top, Buffer.from(JSON.stringify(sigstore.bundle(top.digest, options))), 0);
  await source.close();
  await destination.abort();
  return name;
}

function cosignAccepts(name: string): boolean {
  const who = ['--certificate-identity', WORKFLOW, '--certificate-oidc-issuer', ISSUER];
  const options = ['--trusted-root', trustedRootPath, '--allow-insecure-registry', ...who];
  return peer('cosign', ['verify', ...options, name]).status === 0;
}

async function weAccept(name: string): Promise<boolean> {
  const bundles = workshop.path('bundles.json');
  const keyless = { trustedRootPath, issuer: ISSUER, identity: WORKFLOW };
  writeFileSync(bundles, JSON.stringify({ default: [{ type: 'bundleSigned', use: 'require', keyless }] }));
  const { allowed } = await verifyImage({
    image: dockerName(name),
    policyFile: workshop.policy({ [registry.host]: [{ type: 'insecureAcceptAnything' }] }),
    registriesDirectory: workshop.registries(registry.host),
    bundlePolicyFile: bundles,
  });
  return allowed;
}

const CASES: readonly [string, boolean, BundleOptions][] = [
  ['all as it should be', true, {}],
  ['another workflow', false, { uri: WORKFLOW.replace('/acme/', '/evil/') }],
  ['another issuer', false, { issuer: 'https://other.test' }],
  ['an email in place of the workflow', false, { email: 'a@acme.example' }],
  ['a certificate for servers', false, { usage: 'server' }],
  ['not in the log of certificates', false, { withoutSct: true }],
  ['expired when it was logged', false, { from: 1_600_000_000 }],
  ['not valid yet when it was logged', false, { from: 1_700_000_200 }],
  ['a time that nobody has signed', false, { withoutPromise: true }],
  ['a time edited under its promise', false, { integratedTime: 1_700_000_101 }],
  ['one entry twice', false, { twice: true }],
  ['another certificate logged', false, { logged: { certificate: sigstore.issue().certificate } }],
  ['another signature logged', false, { logged: { signature: Buffer.from('x') } }],
  ['another payload logged', false, { logged: { payload: Buffer.from('x') } }],
];

describe('cosign and we agree on a keyless bundle', () => {
  for (const [what, accepted, options] of CASES) {
    test(what, async () => {
      const name = await imageWith(options);
      assert.deepEqual([cosignAccepts(name), await weAccept(name)], [accepted, accepted]);
    });
  }

  test('an attestation: cosign takes it for a signature, we do not', async () => {
    const name = await imageWith({ predicate: 'https://spdx.dev/Document' });
    assert.deepEqual([cosignAccepts(name), await weAccept(name)], [true, false]);
  });
});
