/** Signing images in a real registry, and what verify then says. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { inspect } from 'node:util';
import { isBootsealError } from '../../src/errors.ts';
import { attachmentTag, parseAttachment } from '../../src/formats/cosign/attachment.ts';
import type { Digest } from '../../src/formats/oci/digest.ts';
import { openDestination, openSource } from '../../src/stores/open.ts';
import { appendAttachment } from '../../src/sign/append-attachment.ts';
import { loadPrivateKey } from '../../src/sign/private-key-file.ts';
import { parseSignIdentity, signManifest } from '../../src/sign/sign-manifest.ts';
import { signImage, type SignResult } from '../../src/sign/sign.ts';
import { verifyImage, type VerifyResult } from '../../src/verify/verify.ts';
import { startVectorRegistry } from '../support/policy-vectors.ts';
import type { TestRegistry } from '../support/registry.ts';
import { dockerName, makeWorkshop, type TestKey } from '../support/signing.ts';

const workshop = makeWorkshop();
let registry: TestRegistry;
let key: TestKey;
let other: TestKey;
let registries: string;
before(async () => {
  registry = await startVectorRegistry();
  key = await workshop.makeKey('first');
  other = await workshop.makeKey('second', '');
  registries = workshop.registries(registry.host);
});
after(async () => {
  await registry.stop();
  workshop.remove();
});

function sign(
  image: string,
  by: TestKey,
  more: { all?: boolean; identity?: string } = {},
): Promise<SignResult> {
  const { identity, all = false } = more;
  const name = dockerName(`${registry.host}/${image}`);
  return signImage(
    { image: name, all, ...(identity !== undefined && { identity: parseSignIdentity(identity) }) },
    { key: by.key },
  );
}

function verify(image: string, requirement: object, more: { all?: boolean } = {}): Promise<VerifyResult> {
  return verifyImage({
    image: dockerName(`${registry.host}/${image}`),
    policyFile: workshop.policy({ [registry.host]: [requirement] }),
    registriesDirectory: registries,
    platform: { os: 'linux', architecture: 'amd64' },
    ...more,
  });
}

function signedBy(by: TestKey, identity?: string): object {
  return {
    type: 'sigstoreSigned',
    keyPath: by.publicFile,
    ...(identity !== undefined && { signedIdentity: { type: identity } }),
  };
}

async function layersOf(image: string, digest: Digest): Promise<number> {
  const source = await openSource(dockerName(`${registry.host}/${image}`));
  try {
    const manifest = await source.attachment?.(digest);
    return manifest === undefined ? 0 : parseAttachment(manifest.bytes, manifest.mediaType, 'test').length;
  } finally {
    await source.close();
  }
}

test('unsigned is refused, signed is accepted, and the digest is pinned', async () => {
  const before = await verify('team/app:v1', signedBy(key));
  assert.equal(before.message, 'Source image rejected: A signature was required, but no signature exists');
  assert.equal(before.reasonCode, 'trust/no-signature');
  const signed = await sign('team/app:v1', key);
  assert.deepEqual(
    signed.manifests.map(({ state, role }) => [state, role]),
    [['signed', 'image']],
  );
  const result = await verify('team/app:v1', signedBy(key));
  assert(result.allowed && result.verified);
  assert.equal(result.pinnedDigest, signed.pinnedDigest);
  assert.equal(result.verdict.signedBy?.keyFingerprint, key.key.publicKey.fingerprint);
  assert.equal(result.verdict.signedBy?.identity, `${registry.host}/team/app:v1`);
});

test('signing twice with one key changes nothing; another key adds to it', async () => {
  const { pinnedDigest } = await sign('library/busybox:v1', key);
  const again = await sign('library/busybox:v1', key);
  assert.equal(again.manifests[0].state, 'already-signed');
  assert.equal(await layersOf('library/busybox:v1', pinnedDigest), 1);
  await sign('library/busybox:v1', other);
  assert.equal(await layersOf('library/busybox:v1', pinnedDigest), 2);
  assert((await verify('library/busybox:v1', signedBy(key))).allowed);
  assert((await verify('library/busybox:v1', signedBy(other))).allowed);
});

test('another key, another repository and another tag are told apart', async () => {
  await sign('a/b/c/d:v1', other);
  const wrongKey = await verify('a/b/c/d:v1', signedBy(key));
  assert.equal(wrongKey.reasonCode, 'trust/bad-signature');
  const wrongTag = await verify('a/b/c/d:latest', signedBy(other));
  assert.equal(wrongTag.reasonCode, 'trust/identity-mismatch');
  assert.equal(
    wrongTag.message,
    `Source image rejected: Signature for identity "${registry.host}/a/b/c/d:v1" is not accepted`,
  );
  assert((await verify('a/b/c/d:latest', signedBy(other, 'matchRepository'))).allowed);
});

test('of an index all instances are signed with --all, and only the index without', async () => {
  const index = await sign('org/multi:v1', key);
  assert.deepEqual(
    index.manifests.map(({ role }) => role),
    ['index'],
  );
  assert.equal(index.steps.find(({ id }) => id === 'instances')?.code, 'sign/instances-not-signed');
  const refused = await verify('org/multi:v1', signedBy(key));
  assert.match(refused.message ?? '', /^copying system image from manifest list: Source image rejected: /);

  const all = await sign('org/multi:v1', key, { all: true });
  assert.deepEqual(
    all.manifests.map(({ role, state }) => [role, state]),
    [
      ['instance', 'signed'],
      ['instance', 'signed'],
      ['index', 'already-signed'],
    ],
  );
  const result = await verify('org/multi:v1', signedBy(key));
  assert(result.allowed);
  assert.equal(result.pinnedDigest, all.manifests[0].digest);
  assert((await verify('org/multi:v1', signedBy(key), { all: true })).allowed);
});

test('signers that meet lose nothing', async () => {
  const keys = [key, other, await workshop.makeKey('third', ''), await workshop.makeKey('fourth', '')];
  const results = await Promise.all(keys.map((by) => sign('org/app:v1', by)));
  assert.equal(await layersOf('org/app:v1', results[0].pinnedDigest), 4);
  for (const by of keys) assert((await verify('org/app:v1', signedBy(by))).allowed);
});

test('a second signature by the same key over the same payload is not stored', async () => {
  const name = dockerName(`${registry.host}/org/other:v1`);
  const source = await openSource(name);
  const destination = await openDestination(name);
  try {
    const { digest } = await source.topManifest();
    const make = (): ReturnType<typeof signManifest> => signManifest(digest, name.reference, other.key);
    const first = await appendAttachment(source, destination, digest, [make()]);
    assert.equal(await appendAttachment(source, destination, digest, [make()]), first);
    assert.equal(await layersOf('org/other:v1', digest), 1);
  } finally {
    await destination.abort();
    await source.close();
  }
});

test('what is under the tag and is no attachment is not overwritten', async () => {
  await assert.rejects(sign('att/sig-index:v1', key), (error) => {
    return isBootsealError(error) && error.code === 'cosign/bad-attachment';
  });
});

test('a name without tag or digest is not signed', () => {
  assert.throws(
    () => parseSignIdentity('quay.io/acme/os'),
    /Sign identity must be a fully specified reference/,
  );
  const bare = { domain: 'quay.io', path: 'acme/os' };
  assert.throws(
    () => signManifest(`sha256:${'0'.repeat(64)}`, bare, key.key),
    /reference quay\.io\/acme\/os can’t be signed, it has neither a tag nor a digest/,
  );
});

test('a wrong passphrase is told without the passphrase', async () => {
  const wrong = workshop.path('wrong.pass');
  writeFileSync(wrong, 'hunter2-hunter2\nsecond line\n');
  await assert.rejects(loadPrivateKey({ keyFile: key.privateFile, passphraseFile: wrong }), (error) => {
    assert(isBootsealError(error));
    assert.equal(error.code, 'cosign/wrong-passphrase');
    assert.equal(error.message, 'decrypt: encrypted: decryption failed');
    assert(!inspect(error, { depth: 9 }).includes('hunter2'));
    return true;
  });
  await loadPrivateKey({ keyFile: key.privateFile, passphraseFile: key.passphraseFile });
});

test('a passphrase is asked for only where the key has one', async () => {
  let asked = 0;
  const ask = (): Promise<string> => Promise.resolve((asked++, 'four words of it'));
  await loadPrivateKey({ keyFile: other.privateFile }, ask);
  assert.equal(asked, 0);
  await loadPrivateKey({ keyFile: key.privateFile }, ask);
  assert.equal(asked, 1);
});

test('pol-label: accepted is not called verified when nothing was checked', async () => {
  const result = await verify('org/app:v1', { type: 'insecureAcceptAnything' });
  assert.equal(result.allowed, true);
  assert.equal(result.verified, false);
  assert.equal(result.steps[0].state, 'warning');
  assert.equal(result.steps[0].code, 'trust/unverified');
});

test('reg-permissive: --require-signed refuses a policy that asks for nothing', async () => {
  const result = await verifyImage({
    image: dockerName(`${registry.host}/org/app:v1`),
    policyFile: workshop.policy({ '': [{ type: 'insecureAcceptAnything' }] }),
    registriesDirectory: registries,
    requireSigned: true,
  });
  assert.equal(result.allowed, false);
  assert.equal(result.reasonCode, 'trust/not-verified');
  assert.match(result.message ?? '', /No signature verification policy found for image docker:/);
});

test('a signature copied from another image does not fit', async () => {
  const from = dockerName(`${registry.host}/team/app:v1`);
  const to = dockerName(`${registry.host}/org/other:v1`);
  const source = await openSource(to);
  const destination = await openDestination(to);
  try {
    const { digest } = await source.topManifest();
    const foreign = signManifest(`sha256:${'1'.repeat(64)}`, from.reference, key.key);
    await appendAttachment(source, destination, digest, [foreign]);
    const result = await verify('org/other:v1', signedBy(key));
    assert.equal(result.reasonCode, 'trust/digest-mismatch');
    assert(result.judged[0].lookedIn.some(({ place }) => place === attachmentTag(digest)));
  } finally {
    await destination.abort();
    await source.close();
  }
});
