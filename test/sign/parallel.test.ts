/** Many who sign one image at the same moment, in a registry that knows no transaction: no signature is lost. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { signImage } from '../../src/sign/sign.ts';
import { replaceKey } from '../../src/sign/replace-key.ts';
import { verifyAsCosign } from '../../src/verify/as-cosign.ts';
import { verifyImage } from '../../src/verify/verify.ts';
import { startVectorRegistry } from '../support/policy-vectors.ts';
import type { TestRegistry } from '../support/registry.ts';
import { dockerName, makeWorkshop, type TestKey } from '../support/signing.ts';

const SIGNERS = 5;

const workshop = makeWorkshop();
let registry: TestRegistry;
let keys: readonly TestKey[];
before(async () => {
  registry = await startVectorRegistry();
  keys = await Promise.all(Array.from({ length: SIGNERS }, (_, at) => workshop.makeKey(`key-${at}`, '')));
});
after(async () => {
  await registry.stop();
  workshop.remove();
});

async function verdicts(name: string, publicFile: string, { key }: TestKey): Promise<readonly boolean[]> {
  const image = dockerName(`${registry.host}/${name}`);
  const policyFile = workshop.policy({ [registry.host]: [{ type: 'sigstoreSigned', keyPath: publicFile }] });
  const { allowed } = await verifyImage({
    image,
    policyFile,
    registriesDirectory: workshop.registries(registry.host),
  });
  const cosign = await verifyAsCosign({ image, key: { key: key.publicKey, source: publicFile } });
  return [allowed, cosign.allowed];
}

test(`${SIGNERS} sign at once, as attachment and as bundle`, async () => {
  const image = dockerName(`${registry.host}/team/app:v1`);
  const forms = ['attachment', 'bundle'] as const;
  const results = await Promise.all(keys.map(({ key }) => signImage({ image, forms }, { key })));
  for (const { manifests } of results) assert.equal(manifests[0].state, 'signed');
  for (const key of keys) assert.deepEqual(await verdicts('team/app:v1', key.publicFile, key), [true, true]);
});

test('one signs while another replaces a key', async () => {
  const image = dockerName(`${registry.host}/org/app:v1`);
  const forms = ['attachment', 'bundle'] as const;
  const [old, fresh, third] = keys;
  await signImage({ image, forms }, { key: old.key });
  const [replaced, signed] = await Promise.all([
    replaceKey({ images: [image], oldKey: old.key.publicKey }, { newKey: fresh.key }),
    signImage({ image, forms }, { key: third.key }),
  ]);
  assert(replaced.ok, replaced.images[0].error?.message);
  assert.equal(signed.manifests[0].state, 'signed');
  assert.deepEqual(await verdicts('org/app:v1', fresh.publicFile, fresh), [true, true]);
  assert.deepEqual(await verdicts('org/app:v1', third.publicFile, third), [true, true]);
  assert.deepEqual(await verdicts('org/app:v1', old.publicFile, old), [false, false]);
});
