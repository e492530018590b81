/** Replacing a key: what goes, what stays, and what is told. */
import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { after, before, test } from 'node:test';
import { encodePayload } from '../../src/formats/cosign/payload.ts';
import { SIGNATURE_ANNOTATION } from '../../src/formats/cosign/signature.ts';
import { MEDIA_TYPES } from '../../src/formats/oci/media-types.ts';
import { appendAttachment } from '../../src/sign/append-attachment.ts';
import { openDestination, openSource } from '../../src/stores/open.ts';
import { signImage } from '../../src/sign/sign.ts';
import { parseSignIdentity } from '../../src/sign/sign-manifest.ts';
import { replaceKey } from '../../src/sign/replace-key.ts';
import { verifyAsCosign } from '../../src/verify/as-cosign.ts';
import { verifyImage } from '../../src/verify/verify.ts';
import { publicKeyOfVector } from '../support/vector-keys.ts';
import { startVectorRegistry } from '../support/policy-vectors.ts';
import type { TestRegistry } from '../support/registry.ts';
import { dockerName, makeWorkshop, type TestKey } from '../support/signing.ts';

const workshop = makeWorkshop();
let registry: TestRegistry;
let old: TestKey;
let fresh: TestKey;
let other: TestKey;
let registries: string;
before(async () => {
  registry = await startVectorRegistry();
  old = await workshop.makeKey('old', '');
  fresh = await workshop.makeKey('new', '');
  other = await workshop.makeKey('other', '');
  registries = workshop.registries(registry.host);
});
after(async () => {
  await registry.stop();
  workshop.remove();
});

const named = (name: string): ReturnType<typeof dockerName> => dockerName(`${registry.host}/${name}`);

async function passes(
  name: string,
  by: TestKey,
  all = false,
  identity = 'matchRepoDigestOrExact',
): Promise<boolean> {
  const requirement = { type: 'sigstoreSigned', keyPath: by.publicFile, signedIdentity: { type: identity } };
  const policyFile = workshop.policy({ [registry.host]: [requirement] });
  return (await verifyImage({ image: named(name), policyFile, registriesDirectory: registries, all }))
    .allowed;
}

async function cosign(name: string, { key, publicFile }: TestKey): Promise<boolean> {
  return (await verifyAsCosign({ image: named(name), key: { key: key.publicKey, source: publicFile } }))
    .allowed;
}

test('all that the old key signed is signed by the new one; others stay', async () => {
  const image = named('org/multi:v1');
  await signImage({ image, all: true, forms: ['attachment', 'bundle'] }, { key: old.key });
  await signImage({ image, all: true }, { key: other.key });
  const alias = parseSignIdentity(`${registry.host}/org/multi:stable`);
  await signImage({ image, identity: alias }, { key: old.key });
  const request = { images: [image], oldKey: old.key.publicKey };
  const first = await replaceKey({ ...request, keepOld: true }, { newKey: fresh.key });
  assert.deepEqual([first.images[0].added, first.images[0].removed], [7, 0]);
  assert(await passes('org/multi:v1', old, true));
  assert(await passes('org/multi:v1', fresh, true));
  const second = await replaceKey(request, { newKey: fresh.key });
  assert.deepEqual([second.images[0].added, second.images[0].removed], [0, 7]);
  assert(!(await passes('org/multi:v1', old, true)));
  assert(await passes('org/multi:v1', fresh, true));
  assert(await passes('org/multi:v1', other, true));
  assert(await cosign('org/multi:v1', fresh));
  assert(!(await cosign('org/multi:v1', old)));
  const third = await replaceKey(request, { newKey: fresh.key });
  assert.equal(third.images[0].state, 'unchanged');
});

test('what the old key did not sign is told, and the rest goes on', async () => {
  const images = ['team/app:v1', 'library/busybox:v1', 'no/such:v1'].map(named);
  await signImage({ image: images[1] }, { key: old.key });
  const result = await replaceKey({ images, oldKey: old.key.publicKey }, { newKey: fresh.key });
  assert(!result.ok);
  assert.deepEqual(
    result.images.map(({ state, error }) => [state, error?.code]),
    [
      ['failed', 'sign/not-signed'],
      ['replaced', undefined],
      ['failed', 'registry/manifest-unknown'],
    ].map(([state, code], at) => [state, at === 2 ? result.images[2].error?.code : code]),
  );
  assert(result.images[2].error?.code.startsWith('registry/'));
  assert.equal(result.steps.filter(({ state }) => state === 'failed').length, 2);
  // An attachment alone was replaced by an attachment alone.
  assert(await passes('library/busybox:v1', fresh));
  assert(!(await passes('team/app:v1', fresh)));
});

test('signed for the repository alone, as cosign does: the new signature passes where the old one did', async () => {
  const name = 'org/other:v1';
  const source = await openSource(named(name));
  const destination = await openDestination(named(name));
  const { digest } = await source.topManifest();
  const payload = encodePayload({ manifestDigest: digest, dockerReference: `${registry.host}/org/other` });
  const signature = sign('sha256', payload, old.key.key).toString('base64');
  const annotations = new Map([[SIGNATURE_ANNOTATION, signature]]);
  const bare = { kind: 'sigstore', mimeType: MEDIA_TYPES.cosignSimpleSigning, payload, annotations } as const;
  await appendAttachment(source, destination, digest, [bare]);
  await source.close();
  await destination.abort();
  assert(await passes(name, old, false, 'matchRepository'));
  const result = await replaceKey(
    { images: [named(name)], oldKey: old.key.publicKey },
    { newKey: fresh.key },
  );
  assert.deepEqual([result.images[0].added, result.images[0].removed], [1, 1]);
  assert(await passes(name, fresh, false, 'matchRepository'));
  assert(!(await passes(name, old, false, 'matchRepository')));
});

test('signed for another repository alone: nothing is changed', async () => {
  const name = 'cosign/app-old:v1';
  const oldKey = publicKeyOfVector('cosign.pub');
  const result = await replaceKey({ images: [named(name)], oldKey }, { newKey: fresh.key });
  assert.equal(result.images[0].error?.code, 'sign/bare-identity');
  const key = { key: oldKey, source: '' };
  assert((await verifyAsCosign({ image: named(name), key })).allowed);
});

test('the same key twice is refused', async () => {
  const request = { images: [named('team/app:v1')], oldKey: fresh.key.publicKey };
  await assert.rejects(replaceKey(request, { newKey: fresh.key }), { code: 'sign/same-key', exit: 2 });
});
