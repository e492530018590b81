/** Keyless bundles: proven by a sigstore of the test's own, and each part of the proof spoilt alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIdentityPattern } from '../../../src/formats/bundle-policy/identity-pattern.ts';
import { digestOf } from '../../../src/formats/oci/digest.ts';
import { parseBundle } from '../../../src/formats/sigstore-bundle/reader.ts';
import { judgeKeylessBundle, type KeylessQuestion } from '../../../src/trust/bundles/keyless.ts';
import { parseTrustedRoot } from '../../../src/trust/bundles/trusted-root.ts';
import type { SignatureVerdict } from '../../../src/trust/verdict.ts';
import {
  ISSUER,
  makeFakeSigstore,
  WORKFLOW,
  type BundleOptions,
  type TrustedRootDocument,
} from '../../support/fake-sigstore.ts';

const sigstore = makeFakeSigstore();
const IMAGE = digestOf(Buffer.from('image'));
const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

async function judge(
  document: object,
  question: Partial<KeylessQuestion> = {},
  root: TrustedRootDocument = sigstore.trustedRoot,
): Promise<SignatureVerdict> {
  return judgeKeylessBundle(parseBundle(json(document)), {
    root: await parseTrustedRoot(json(root), 'trusted_root.json'),
    source: 'trusted_root.json',
    issuer: ISSUER,
    identity: WORKFLOW,
    image: IMAGE,
    ...question,
  });
}

test('the workflow is accepted, by its whole name and by a pattern', async () => {
  const bundle = sigstore.bundle(IMAGE);
  const verdict = await judge(bundle);
  assert(verdict.accepted, verdict.message);
  assert.equal(verdict.identity, WORKFLOW);
  const identity = parseIdentityPattern(
    '^https://github\\.com/acme/os/\\.github/workflows/build\\.yml@refs/.*$',
  );
  assert((await judge(bundle, { identity })).accepted);
});

test('an email address is an identity, too', async () => {
  const bundle = sigstore.bundle(IMAGE, { email: 'release@acme.example' });
  assert((await judge(bundle, { identity: 'release@acme.example' })).accepted);
});

const OTHER = 'https://github.com/evil/os/.github/workflows/build.yml@refs/heads/main';

const REFUSED: readonly [string, string, BundleOptions][] = [
  ['pol-ignored: another workflow', 'trust/other-signer', { uri: OTHER }],
  ['the identity inside of another one', 'trust/other-signer', { uri: `https://evil.test/?${WORKFLOW}` }],
  ['the identity and more', 'trust/other-signer', { uri: `${WORKFLOW}-2` }],
  ['sgs-issuer: an issuer that begins alike', 'trust/other-signer', { issuer: `${ISSUER}.evil.test` }],
  ['two issuers', 'trust/bad-certificate', { issuerV2: 'https://other.test' }],
  ['js-san: an email that reads like a URI', 'trust/other-signer', { email: `a, URI:${WORKFLOW}` }],
  ['a certificate for servers', 'trust/bad-certificate', { usage: 'server' }],
  ['sgs-option: no entry in the log of certificates', 'trust/bad-evidence', { withoutSct: true }],
  ['expired when it was logged', 'trust/bad-evidence', { from: 1_600_000_000 }],
  ['not valid yet when it was logged', 'trust/bad-evidence', { from: 1_700_000_200 }],
  ['sgs-itime: a time that nobody has signed', 'trust/bad-evidence', { withoutPromise: true }],
  ['sgs-itime: a time edited under its promise', 'trust/bad-evidence', { integratedTime: 1_700_000_101 }],
  ['sgs-dup: one entry twice', 'trust/bad-evidence', { twice: true }],
  [
    'sgs-bad-payload: another predicate',
    'trust/malformed-payload',
    { predicate: 'https://spdx.dev/Document' },
  ],
  ['sgs-bad-payload: signed, but no JSON', 'trust/malformed-payload', { payload: Buffer.from('signed') }],
  [
    'sgs-entry-bind: another signature was logged',
    'trust/bad-evidence',
    { logged: { signature: Buffer.from('x') } },
  ],
  [
    'sgs-entry-bind: another payload was logged',
    'trust/bad-evidence',
    { logged: { payload: Buffer.from('x') } },
  ],
  [
    'sgs-entry-bind: another certificate was logged',
    'trust/bad-evidence',
    { logged: { certificate: sigstore.issue().certificate } },
  ],
];

for (const [what, code, options] of REFUSED) {
  test(`refused: ${what}`, async () => {
    const verdict = await judge(sigstore.bundle(IMAGE, options));
    assert(!verdict.accepted);
    assert.equal(verdict.code, code, verdict.message);
  });
}

test('sgs-subject: a bundle for another image', async () => {
  const other = digestOf(Buffer.from('other'));
  assert.equal((await judge(sigstore.bundle(other))).code, 'trust/digest-mismatch');
});

test('sgs-return: the envelope of one bundle in another', async () => {
  const [a, b] = [sigstore.bundle(IMAGE), sigstore.bundle(IMAGE)];
  assert.equal((await judge({ ...a, dsseEnvelope: b['dsseEnvelope'] })).code, 'trust/bad-evidence');
  assert.equal(
    (await judge({ ...a, verificationMaterial: b['verificationMaterial'] })).code,
    'trust/bad-evidence',
  );
});

test('no log entry at all, and a key in place of the certificate', async () => {
  const bundle = sigstore.bundle(IMAGE) as { verificationMaterial: Record<string, unknown> };
  const { tlogEntries: _, ...without } = bundle.verificationMaterial;
  assert.equal((await judge({ ...bundle, verificationMaterial: without })).code, 'trust/bad-evidence');
  const keyed = { ...bundle, verificationMaterial: { publicKey: { hint: 'x' } } };
  assert.equal((await judge(keyed)).code, 'trust/bad-signature');
});

test('another sigstore: its authority, its log, its log of certificates', async () => {
  const other = makeFakeSigstore().trustedRoot;
  const bundle = sigstore.bundle(IMAGE);
  for (const part of ['certificateAuthorities', 'tlogs', 'ctlogs'] as const) {
    const verdict = await judge(bundle, {}, { ...sigstore.trustedRoot, [part]: other[part] });
    assert.equal(verdict.code, 'trust/bad-evidence', part);
  }
  // Beside the right ones, others do no harm.
  const both = { ...sigstore.trustedRoot };
  for (const part of ['certificateAuthorities', 'tlogs', 'ctlogs'] as const) {
    both[part] = [...other[part], ...sigstore.trustedRoot[part]];
  }
  assert((await judge(bundle, {}, both)).accepted);
});

test('sgs-no-key: a trusted root without authority or log is refused', async () => {
  for (const part of ['certificateAuthorities', 'tlogs', 'ctlogs'] as const) {
    const root = json({ ...sigstore.trustedRoot, [part]: [] });
    await assert.rejects(parseTrustedRoot(root, 'r'), { code: 'trust/trusted-root', where: 'r' }, part);
  }
  for (const text of ['', '{}', '[]', 'null', '{"mediaType":1,"mediaType":2}', '{"mediaType":"x"}']) {
    await assert.rejects(parseTrustedRoot(Buffer.from(text), 'r'), { code: 'trust/trusted-root' }, text);
  }
  const broken = structuredClone(sigstore.trustedRoot);
  broken.certificateAuthorities = [{ certChain: { certificates: [{ rawBytes: 'AAAA' }] } }];
  await assert.rejects(parseTrustedRoot(json(broken), 'r'), { code: 'trust/trusted-root' });
});

test('an authority out of office', async () => {
  const root = structuredClone(sigstore.trustedRoot);
  Object.assign(root.certificateAuthorities[0], {
    validFor: { start: '2023-01-01T00:00:00Z', end: '2023-06-01T00:00:00Z' },
  });
  assert.equal((await judge(sigstore.bundle(IMAGE), {}, root)).code, 'trust/bad-evidence');
});
