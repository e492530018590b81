/** Keyless bundles: proven by a sigstore of the test's own, and each part of the proof spoilt alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIdentityPattern } from '../../../src/formats/bundle-policy/identity-pattern.ts';
import { parseBundlePolicy } from '../../../src/formats/bundle-policy/reader.ts';
import { digestOf } from '../../../src/formats/oci/digest.ts';
import { parseBundle } from '../../../src/formats/sigstore-bundle/reader.ts';
import { judgeKeylessBundle, type KeylessQuestion } from '../../../src/trust/bundles/keyless.ts';
import { parseTrustedRoot } from '../../../src/trust/bundles/trusted-root.ts';
import type { SignatureVerdict } from '../../../src/trust/verdict.ts';
import {
  ISSUER,
  makeFakeSigstore,
  SEEN,
  WORKFLOW,
  type BundleOptions,
  type TrustedRootDocument,
} from '../../support/fake-sigstore.ts';
import { nestedElements } from '../../support/nested-elements.ts';

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

/** The trusted root with its two timestamp authorities. */
const timed = { ...sigstore.trustedRoot, timestampAuthorities: [...sigstore.timestampAuthorities] };

test('sgs-all-times: the certificate must be valid at every time that was proven, not at the best one', async () => {
  // Valid from 100 s before the log saw it to 500 s after.
  const within = [SEEN + 1, SEEN + 499];
  assert((await judge(sigstore.bundle(IMAGE, { stamps: within }), {}, timed)).accepted);
  for (const outside of [SEEN - 101, SEEN + 501, SEEN + 1e6]) {
    for (const stamps of [[SEEN, outside], [outside, SEEN], [outside]]) {
      const verdict = await judge(sigstore.bundle(IMAGE, { stamps }), {}, timed);
      assert(!verdict.accepted, String(stamps));
      assert.equal(verdict.code, 'trust/bad-evidence', verdict.message);
    }
    // A log's time is one of them.
    assert(!(await judge(sigstore.bundle(IMAGE, { again: outside }), {}, timed)).accepted);
  }
});

test('sgs-all-times: a timestamp by nobody, over another signature, or in pieces is not passed over', async () => {
  const stamped = sigstore.bundle(IMAGE, { stamps: [SEEN, SEEN] });
  assert.equal((await judge(stamped)).code, 'trust/bad-evidence', 'the root has no authority for it');
  const other = makeFakeSigstore();
  const foreign = { ...timed, timestampAuthorities: [...other.timestampAuthorities] };
  assert.equal((await judge(stamped, {}, foreign)).code, 'trust/bad-evidence');
  const material = (bundle: Record<string, unknown>) => bundle['verificationMaterial'] as object;
  const borrowed = sigstore.bundle(IMAGE, { stamps: [SEEN] });
  const plain = sigstore.bundle(IMAGE);
  const { timestampVerificationData } = material(borrowed) as { timestampVerificationData: object };
  const moved = { ...plain, verificationMaterial: { ...material(plain), timestampVerificationData } };
  assert.equal((await judge(moved, {}, timed)).code, 'trust/bad-evidence');
  for (const signedTimestamp of ['MAA=', 'AAAA', '']) {
    const broken = { timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp }] } };
    const document = { ...plain, verificationMaterial: { ...material(plain), ...broken } };
    assert.equal((await judge(document, {}, timed)).code, 'trust/bad-evidence', signedTimestamp);
  }
});

test('sgs-per-log: two entries of one log are one log; a policy can ask for no number of them', async () => {
  const bundle = sigstore.bundle(IMAGE, { again: SEEN + 1 });
  assert((await judge(bundle)).accepted);
  // The second entry adds nothing to the first, and takes nothing of what is asked of each.
  const other = makeFakeSigstore();
  assert.equal(
    (await judge(bundle, {}, { ...sigstore.trustedRoot, tlogs: other.trustedRoot.tlogs })).code,
    'trust/bad-evidence',
  );
  const keyless = { trustedRootPath: '/r', issuer: ISSUER, identity: WORKFLOW };
  const policy = (more: object) =>
    json({ default: [{ type: 'bundleSigned', use: 'require', keyless: { ...keyless, ...more } }] });
  parseBundlePolicy(policy({}), { file: 'bundles.json' });
  for (const more of [{ threshold: 2 }, { tlogThreshold: 2 }, { timestampThreshold: 0 }]) {
    assert.throws(() => parseBundlePolicy(policy(more), { file: 'bundles.json' }), { exit: 3 });
  }
});

test('js-asn1: 10,000 elements inside of each other, as certificate and as timestamp', async () => {
  const plain = sigstore.bundle(IMAGE) as { verificationMaterial: object };
  const started = performance.now();
  for (const tag of [0x30, 0x04, 0xa0]) {
    for (const count of [40, 10_000, 100_000]) {
      const rawBytes = Buffer.from(nestedElements(count, tag)).toString('base64');
      const named = { ...plain.verificationMaterial, certificate: { rawBytes } };
      assert.equal((await judge({ ...plain, verificationMaterial: named })).code, 'trust/bad-certificate');
      const timestampVerificationData = { rfc3161Timestamps: [{ signedTimestamp: rawBytes }] };
      const stamped = { ...plain.verificationMaterial, timestampVerificationData };
      const verdict = await judge({ ...plain, verificationMaterial: stamped }, {}, timed);
      assert.equal(verdict.code, 'trust/bad-evidence', verdict.message);
    }
  }
  assert(performance.now() - started < 10_000);
});

test('tuf-zero, tuf-same-key, tuf-rollback, tuf-shape, tuf-path: metadata of TUF is no trusted root', async () => {
  const key = { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: '00'.repeat(32) } };
  const role = (threshold: number) => ({ keyids: ['a', 'b'], threshold });
  const root = (threshold: number, version = 5) => ({
    signed: {
      _type: 'root',
      spec_version: '1.0.0',
      version,
      expires: '2099-01-01T00:00:00Z',
      keys: { a: key, b: key },
      roles: { root: role(threshold), targets: role(threshold) },
    },
    signatures: [
      { keyid: 'a', sig: '00' },
      { keyid: 'b', sig: '00' },
    ],
  });
  const targets = {
    signed: { _type: 'targets', targets: { '../../x': { length: 1, hashes: {} } } },
    signatures: [],
  };
  // Whatever it says of thresholds, keys, versions and paths: nothing here believes or follows it.
  for (const document of [root(1), root(0), root(-1), root(2), root(1, 4), { signed: null }, targets]) {
    await assert.rejects(parseTrustedRoot(json(document), 'r'), { code: 'trust/trusted-root' });
  }
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
