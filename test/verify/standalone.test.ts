/** standalone-verify: every recorded verdict of skopeo's, and what ours adds. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { isBootsealError } from '../../src/errors.ts';
import { readUntrustedSignature, verifyStandalone } from '../../src/verify/standalone.ts';
import { vectorPath } from '../support/project.ts';

interface StandaloneCase {
  readonly name: string;
  readonly command?: string;
  readonly arguments: readonly string[];
  readonly expected: 'accept' | 'reject';
  readonly message: string;
}

const all = JSON.parse(readFileSync(vectorPath('policy', 'cases.json'), 'utf8')) as readonly StandaloneCase[];
const cases = all.filter(({ command }) => command === 'standalone-verify');
const root = vectorPath('policy');

describe('standalone-verify', () => {
  for (const { name, arguments: words, expected, message } of cases) {
    test(name, async () => {
      const [manifest = '', reference = '', fingerprints = '', signature = '', option, publicKey = ''] =
        words;
      assert.equal(option, '--public-key-file');
      const verdict = await verifyStandalone({
        manifestFile: join(root, manifest),
        reference,
        fingerprints,
        signatureFile: join(root, signature),
        publicKeyFile: join(root, publicKey),
      });
      const said = verdict.accepted
        ? `Signature verified using fingerprint ${verdict.fingerprint}, digest ${verdict.digest}`
        : `Error verifying signature: ${verdict.message}`;
      assert.equal(verdict.accepted ? 'accept' : 'reject', expected, said);
      // Where GPGME prints a value of Go, or two bare words, ours gives a reason after the same beginning.
      const stable = message.replace(/gpgme\.Signature\{.*$/, '');
      if (stable === message && !message.endsWith('No data')) assert.equal(said, message);
      else assert(said.startsWith(stable), said);
    });
  }
  test('there are such cases', () => assert.equal(cases.length, 15));
});

const request = {
  manifestFile: join(root, 'images/app/manifest.json'),
  reference: 'quay.io/org/app:v1',
  fingerprints: 'any',
  signatureFile: join(root, 'signatures/gpg-sub'),
};

test('any key of a file: the primary fingerprint is named; of the user’s own keys, none is just any', async () => {
  const publicKeyFile = join(root, 'keys/gpg-sub.gpg');
  const verdict = await verifyStandalone({ ...request, publicKeyFile });
  assert(verdict.accepted);
  assert.equal(verdict.fingerprint, '58B78EC8C5C282A523C5CFF46FEFAD0C5C6ED2C2');
  await assert.rejects(verifyStandalone(request), failure('verify/any-key', /^Cannot use any fingerprint/));
});

test('files that cannot be read are named as skopeo names them', async () => {
  const nowhere = join(root, 'nowhere');
  const publicKeyFile = join(root, 'keys/gpg-sub.gpg');
  for (const [change, words] of [
    [{ manifestFile: nowhere, publicKeyFile }, /^Error reading manifest from .*: open .*: no such file/],
    [{ signatureFile: nowhere, publicKeyFile }, /^Error reading signature from .*: open .*: no such file/],
    [{ publicKeyFile: nowhere }, /^Error reading public keys from .*: open .*: no such file/],
  ] as const) {
    await assert.rejects(verifyStandalone({ ...request, ...change }), failure('verify/unreadable', words));
  }
});

test('a secret key given as the public one is refused by name', async () => {
  const publicKeyFile = join(root, 'keys/gpg-secret.gpg');
  await assert.rejects(
    verifyStandalone({ ...request, publicKeyFile }),
    failure('openpgp/secret-key', /secret key/),
  );
});

test('what a signature claims is read without checking it', async () => {
  assert.deepEqual(await readUntrustedSignature(join(root, 'signatures/gpg-sub')), {
    digest: 'sha256:456b962f1a6e639d9451177189e31ee604bfa1aecd2f229626d1da5f326d7f46',
    reference: 'quay.io/org/app:v1',
    creator: 'test',
    timestamp: Date.parse('2024-01-15T12:00:00Z') / 1000,
    keyId: '0160EDDE1797C4F6',
  });
});

function failure(code: string, words: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert(isBootsealError(error), String(error));
    assert.equal(error.code, code);
    assert.match(error.message, words);
    return true;
  };
}
