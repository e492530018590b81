/** Replacing a key, and a power cut at any moment of it: an image is never without a valid signature. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { signImage } from '../../src/sign/sign.ts';
import { verifyAsCosign } from '../../src/verify/as-cosign.ts';
import { verifyImage } from '../../src/verify/verify.ts';
import { runFor } from '../support/kill.ts';
import { startVectorRegistry } from '../support/policy-vectors.ts';
import type { TestRegistry } from '../support/registry.ts';
import { dockerName, makeWorkshop, type TestKey } from '../support/signing.ts';

const workshop = makeWorkshop();
let registry: TestRegistry;
let old: TestKey;
let fresh: TestKey;
let registries: string;
before(async () => {
  registry = await startVectorRegistry();
  old = await workshop.makeKey('old', '');
  fresh = await workshop.makeKey('new', '');
  registries = workshop.registries(registry.host);
});
after(async () => {
  await registry.stop();
  workshop.remove();
});

const named = (name: string): ReturnType<typeof dockerName> => dockerName(`${registry.host}/${name}`);

async function passes(name: string, by: TestKey): Promise<boolean> {
  const policyFile = workshop.policy({
    [registry.host]: [{ type: 'sigstoreSigned', keyPath: by.publicFile }],
  });
  return (await verifyImage({ image: named(name), policyFile, registriesDirectory: registries })).allowed;
}

async function cosign(name: string, { key, publicFile }: TestKey): Promise<boolean> {
  return (await verifyAsCosign({ image: named(name), key: { key: key.publicKey, source: publicFile } }))
    .allowed;
}

test('killed at any moment, every image has a valid signature, and the next run finishes', async () => {
  const names = ['a/b/c/d:v1', 'org/app:v1'];
  for (const name of names) {
    await signImage({ image: named(name), forms: ['attachment', 'bundle'] }, { key: old.key });
  }
  const list = workshop.path('images');
  writeFileSync(list, names.map((name) => `${registry.host}/${name}\n`).join(''));
  const command = (from: TestKey, to: TestKey): string[] => [
    'sign',
    '--replace-key',
    from.publicFile,
    '--key',
    to.privateFile,
    '--sign-passphrase-file',
    to.passphraseFile,
    '--images-from',
    list,
  ];
  const whole = await runFor(command(old, fresh), 60_000);
  assert(whole !== undefined);
  let kills = 0;
  let [from, to] = [fresh, old];
  for (const part of [0.35, 0.55, 0.7, 0.85]) {
    if ((await runFor(command(from, to), Math.round(whole * part))) === undefined) kills += 1;
    for (const name of names) {
      const either = (await passes(name, from)) || (await passes(name, to));
      const eitherBundle = (await cosign(name, from)) || (await cosign(name, to));
      assert(either && eitherBundle, `${name} after ${part}`);
    }
    await runFor(command(from, to), 60_000);
    for (const name of names) {
      assert.deepEqual(
        [await passes(name, from), await passes(name, to)],
        [false, true],
        `${name} in the end`,
      );
      assert.deepEqual([await cosign(name, from), await cosign(name, to)], [false, true]);
    }
    [from, to] = [to, from];
  }
  assert(kills > 1, 'no run was killed');
});
