/** bundles.json beside policy.json: what it adds, what it may stand in for, and what it never changes. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { ManifestBlob } from '../../src/stores/image.ts';
import { openDestination, openSource } from '../../src/stores/open.ts';
import { appendBundle } from '../../src/sign/sign-bundle.ts';
import { signImage } from '../../src/sign/sign.ts';
import { prepareAdmit } from '../../src/verify/admit.ts';
import { verifyImage, type VerifyRequest, type VerifyResult } from '../../src/verify/verify.ts';
import { ISSUER, makeFakeSigstore, WORKFLOW, type BundleOptions } from '../support/fake-sigstore.ts';
import { startVectorRegistry } from '../support/policy-vectors.ts';
import { vectorPath } from '../support/project.ts';
import type { TestRegistry } from '../support/registry.ts';
import { dockerName, makeWorkshop, type TestKey } from '../support/signing.ts';

const workshop = makeWorkshop();
const sigstore = makeFakeSigstore();
const trustedRootPath = workshop.path('trusted_root.json');
let registry: TestRegistry;
let key: TestKey;
let other: TestKey;
before(async () => {
  registry = await startVectorRegistry();
  key = await workshop.makeKey('key', '');
  other = await workshop.makeKey('other', '');
  writeFileSync(trustedRootPath, JSON.stringify(sigstore.trustedRoot));
});
after(async () => {
  await registry.stop();
  workshop.remove();
});

let files = 0;
function bundlePolicy(...requirements: readonly object[]): string {
  const file = workshop.path(`bundles-${++files}.json`);
  writeFileSync(file, JSON.stringify({ transports: { docker: { [registry.host]: requirements } } }));
  return file;
}

const keyed = (use: string, { publicFile }: TestKey): object => ({
  type: 'bundleSigned',
  use,
  keyPath: publicFile,
});
const keyless = (use: string, identity = WORKFLOW): object => ({
  type: 'bundleSigned',
  use,
  keyless: { trustedRootPath, issuer: ISSUER, identity },
});

const ACCEPT = [{ type: 'insecureAcceptAnything' }];
const REJECT = [{ type: 'reject' }];
const signedBy = ({ publicFile }: TestKey): object[] => [{ type: 'sigstoreSigned', keyPath: publicFile }];

function verify(
  name: string,
  policy: readonly object[],
  bundlePolicyFile?: string,
  more: Partial<VerifyRequest> = {},
): Promise<VerifyResult> {
  return verifyImage({
    image: dockerName(`${registry.host}/${name}`),
    policyFile: workshop.policy({ [registry.host]: policy }),
    registriesDirectory: workshop.registries(registry.host),
    platform: { os: 'linux', architecture: 'amd64' },
    ...(bundlePolicyFile !== undefined && { bundlePolicyFile }),
    ...more,
  });
}

/** Attaches a bundle of the fake sigstore to what the name means. */
async function attach(name: string, options: BundleOptions = {}): Promise<ManifestBlob> {
  const image = dockerName(`${registry.host}/${name}`);
  const [source, destination] = [await openSource(image), await openDestination(image)];
  try {
    const top = await source.topManifest();
    await appendBundle(
      destination,
      top,
      Buffer.from(JSON.stringify(sigstore.bundle(top.digest, options))),
      0,
    );
    return top;
  } finally {
    await source.close();
    await destination.abort();
  }
}

const sign = (name: string, { key: by }: TestKey, ...forms: readonly ('attachment' | 'bundle')[]) =>
  signImage({ image: dockerName(`${registry.host}/${name}`), forms }, { key: by });

test('without bundles.json a bundle is no signature, and the refusal tells of it', async () => {
  await sign('team/app:v1', key, 'bundle');
  const result = await verify('team/app:v1', signedBy(key));
  assert.equal(result.reasonCode, 'trust/no-signature');
  const told = result.judged.flatMap(({ lookedIn }) =>
    lookedIn.map(({ place, result: said }) => `${place} ${said}`),
  );
  assert(
    told.some((line) => /referrers 1 cosign bundle, which this policy type cannot use/.test(line)),
    told.join(),
  );
});

test('require: beside an acceptance, a fitting bundle is needed', async () => {
  const policy = bundlePolicy(keyed('require', key));
  const signed = await verify('team/app:v1', ACCEPT, policy);
  assert(signed.allowed && signed.verified);
  assert.equal(signed.verdict.signedBy?.keyFingerprint, key.key.publicKey.fingerprint);
  const missing = await verify('library/busybox:v1', ACCEPT, policy);
  assert(!missing.allowed && !missing.verified);
  assert.equal(missing.reasonCode, 'trust/no-signature');
  assert.match(missing.message ?? '', /A bundle was required, but there is none \(.*bundles-\d+\.json\)$/);
  const wrong = await verify('team/app:v1', ACCEPT, bundlePolicy(keyed('require', other)));
  assert.equal(wrong.reasonCode, 'trust/bad-signature');
  // Both, or no.
  const both = await verify(
    'team/app:v1',
    ACCEPT,
    bundlePolicy(keyed('require', key), keyed('require', other)),
  );
  assert(!both.allowed);
});

test('require adds to sigstoreSigned, and does not stand in for it', async () => {
  const policy = bundlePolicy(keyed('require', key));
  assert(!(await verify('team/app:v1', signedBy(key), policy)).allowed);
  await sign('team/app:v1', key, 'attachment');
  assert((await verify('team/app:v1', signedBy(key), policy)).allowed);
  await sign('a/b/c/d:v1', key, 'attachment');
  assert(!(await verify('a/b/c/d:v1', signedBy(key), policy)).allowed);
});

test('satisfy: a fitting bundle does for sigstoreSigned, and is not needed beside a signature', async () => {
  const policy = bundlePolicy(keyed('satisfy', other));
  assert(!(await verify('org/app:v1', signedBy(key), policy)).allowed);
  await sign('org/app:v1', other, 'bundle');
  const result = await verify('org/app:v1', signedBy(key), policy);
  assert(result.allowed && result.verified, result.message);
  assert.equal(result.verdict.signedBy?.keyFingerprint, other.key.publicKey.fingerprint);
  assert((await verify('a/b/c/d:v1', signedBy(key), policy)).allowed);
  assert((await verify('org/app:v1', signedBy(key), policy, { requireSigned: true })).allowed);
});

test('pol-laxest: of overlapping exceptions the strictest decides, whatever their order', async () => {
  // org/app:v1 has a bundle by `other`, and no signature by `key`.
  const both = [keyed('satisfy', other), keyed('satisfy', key)];
  for (const list of [both, both.toReversed()]) {
    const refused = await verify('org/app:v1', signedBy(key), bundlePolicy(...list));
    assert.equal(refused.reasonCode, 'trust/no-signature');
  }
  for (const list of [
    [keyed('satisfy', other), keyed('require', key)],
    [keyed('satisfy', other), keyless('require')],
  ]) {
    for (const order of [list, list.toReversed()]) {
      assert(!(await verify('org/app:v1', signedBy(key), bundlePolicy(...order))).allowed);
    }
  }
  // Scopes: the closest speaks alone, so that a wide exception opens no narrow rule.
  const file = workshop.path('overlapping.json');
  const scopes = {
    [registry.host]: [keyed('satisfy', other)],
    [`${registry.host}/org`]: [keyed('require', key)],
    '*.example.com': [keyed('satisfy', other)],
  };
  writeFileSync(file, JSON.stringify({ default: [keyed('satisfy', other)], transports: { docker: scopes } }));
  assert(!(await verify('org/app:v1', signedBy(key), file)).allowed);
  assert(!(await verify('org/app:v1', ACCEPT, file)).allowed);
  // One file, one meaning: a scope or a member that is there twice is refused.
  const [scope, rules] = [JSON.stringify(registry.host), JSON.stringify([keyed('satisfy', other)])];
  writeFileSync(file, `{"transports":{"docker":{${scope}:${rules},${scope}:${rules}}}}`);
  await assert.rejects(verify('org/app:v1', ACCEPT, file), { exit: 3 });
});

test('pol-laxest: policy.json: a wide exception opens no narrow rule, and of several rules the strictest', async () => {
  const image = dockerName(`${registry.host}/team/app:v1`);
  const registriesDirectory = workshop.registries(registry.host);
  const judge = (scopes: Record<string, readonly object[]>) =>
    verifyImage({ image, registriesDirectory, policyFile: workshop.policy(scopes) });
  const narrow = `${registry.host}/team`;
  for (const wide of [registry.host, '', `${registry.host}/team/other`]) {
    assert.equal((await judge({ [wide]: ACCEPT, [narrow]: REJECT })).reasonCode, 'trust/rejected', wide);
    assert.equal((await judge({ [narrow]: REJECT, [wide]: ACCEPT })).reasonCode, 'trust/rejected', wide);
  }
  for (const list of [
    [...ACCEPT, ...REJECT],
    [...REJECT, ...ACCEPT],
    [...ACCEPT, ...signedBy(other)],
    [...signedBy(key), ...signedBy(other)],
    [...signedBy(other), ...signedBy(key)],
  ]) {
    assert(!(await judge({ [narrow]: list })).allowed, JSON.stringify(list));
  }
  assert((await judge({ [narrow]: [...ACCEPT, ...signedBy(key)] })).verified);
});

test('a bundle never helps against reject, other requirements, or beside an unreadable file', async () => {
  const policy = bundlePolicy(keyed('satisfy', other));
  assert.equal((await verify('org/app:v1', REJECT, policy)).reasonCode, 'trust/rejected');
  const gpg = { type: 'signedBy', keyType: 'GPGKeys', keyPath: vectorPath('policy', 'keys', 'gpg-ed.gpg') };
  for (const policyJson of [
    [gpg],
    [...signedBy(key), gpg],
    [gpg, ...signedBy(key)],
    [...signedBy(key), ...REJECT],
    [{ type: 'signedBaseLayer', baseLayerIdentity: { type: 'matchExact' } }],
  ]) {
    assert(!(await verify('org/app:v1', policyJson, policy)).allowed, JSON.stringify(policyJson));
  }
  writeFileSync(workshop.path('broken.json'), '{');
  for (const file of [workshop.path('broken.json'), workshop.path('missing.json')]) {
    await assert.rejects(verify('org/app:v1', ACCEPT, file), { exit: 3 });
  }
  const unreadable = bundlePolicy({
    type: 'bundleSigned',
    use: 'require',
    keyPath: workshop.path('missing.pub'),
  });
  assert.equal((await verify('org/app:v1', ACCEPT, unreadable)).reasonCode, 'trust/key-unreadable');
});

test('reg-permissive: --require-signed takes a required bundle for a check, not one that would do', async () => {
  const insist = { requireSigned: true };
  assert((await verify('org/app:v1', ACCEPT, bundlePolicy(keyed('require', other)), insist)).allowed);
  const refused = await verify('org/app:v1', ACCEPT, bundlePolicy(keyed('require', key)), insist);
  assert.equal(refused.reasonCode, 'trust/bad-signature');
  const optional = await verify('org/app:v1', ACCEPT, bundlePolicy(keyed('satisfy', other)), insist);
  assert.equal(optional.reasonCode, 'trust/not-verified');
});

test('keyless: the workflow, and no other', async () => {
  await attach('org/other:v1', { uri: WORKFLOW.replace('/acme/', '/evil/') });
  assert.equal(
    (await verify('org/other:v1', ACCEPT, bundlePolicy(keyless('require')))).reasonCode,
    'trust/other-signer',
  );
  await attach('org/other:v1');
  const result = await verify('org/other:v1', ACCEPT, bundlePolicy(keyless('require')));
  assert(result.allowed && result.verified, result.message);
  assert.equal(result.verdict.signedBy?.identity, WORKFLOW);
  assert((await verify('org/other:v1', signedBy(key), bundlePolicy(keyless('satisfy')))).allowed);
});

test('who signed the index has signed its instances; who signed an instance, not the others', async () => {
  const policy = bundlePolicy(keyless('require'));
  const top = await attach('org/multi:v1');
  assert((await verify('org/multi:v1', ACCEPT, policy)).allowed);
  assert((await verify('org/multi:v1', ACCEPT, policy, { all: true })).allowed);
  // Asked for by its own digest, an instance comes from no index.
  const { manifests } = JSON.parse(Buffer.from(top.bytes).toString()) as { manifests: { digest: string }[] };
  assert(!(await verify(`org/multi@${manifests[0].digest}`, ACCEPT, policy)).allowed);
  const arm = { platform: { os: 'linux', architecture: 'arm64' } };
  const single = bundlePolicy(keyed('require', key));
  await sign(`org/multi@${manifests[0].digest}`, key, 'bundle');
  assert((await verify('org/multi:v1', ACCEPT, single)).allowed);
  assert(!(await verify('org/multi:v1', ACCEPT, single, arm)).allowed);
  assert(!(await verify('org/multi:v1', ACCEPT, single, { all: true })).allowed);
});

test('other tools know no bundles.json; other jobs do', async () => {
  const image = dockerName(`${registry.host}/library/busybox:v1`);
  const bundlePolicyFile = bundlePolicy(keyed('require', key));
  for (const as of ['podman', 'bootc'] as const) {
    assert((await verify('library/busybox:v1', ACCEPT, bundlePolicyFile, { as })).allowed);
  }
  const policyFile = workshop.policy({ [registry.host]: ACCEPT });
  const registriesDirectory = workshop.registries(registry.host);
  const admit = await prepareAdmit({ image, policyFile, registriesDirectory, bundlePolicyFile });
  const source = await openSource(image);
  try {
    await assert.rejects(admit(source, await source.topManifest()), { code: 'trust/no-signature', exit: 1 });
  } finally {
    await source.close();
  }
});

test('nothing is asked for names that bundles.json does not speak of', async () => {
  const file = workshop.path('elsewhere.json');
  writeFileSync(
    file,
    JSON.stringify({ transports: { docker: { 'quay.io/acme': [keyed('require', key)] } } }),
  );
  assert((await verify('library/busybox:v1', ACCEPT, file)).allowed);
  const everywhere = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  writeFileSync(file, JSON.stringify({ ...everywhere, default: [keyed('require', key)] }));
  assert(!(await verify('library/busybox:v1', ACCEPT, file)).allowed);
});
