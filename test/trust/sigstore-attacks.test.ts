/**
 * Attacks on `sigstoreSigned`, one test a row of the catalogue (the id comes first), with real keys, a real log and a
 * real authority. What skopeo says of random mixtures: test/oracles/policy.test.ts.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isBootsealError } from '../../src/errors.ts';
import { encodePem } from '../../src/formats/cosign/pem.ts';
import { encodePayload } from '../../src/formats/cosign/payload.ts';
import {
  parseStoredSignature,
  SIGNATURE_ANNOTATION,
  type RawSignature,
  type SigstoreSignature,
} from '../../src/formats/cosign/signature.ts';
import { digestOf } from '../../src/formats/oci/digest.ts';
import { MEDIA_TYPES } from '../../src/formats/oci/media-types.ts';
import { parsePolicy } from '../../src/formats/policy-json/reader.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { keyFiles } from '../../src/stores/trust-files/key-files.ts';
import { evaluatePolicy } from '../../src/trust/evaluate.ts';
import type { PolicyVerdict } from '../../src/trust/verdict.ts';
import {
  EMAIL,
  ISSUER,
  makeRekorSet,
  makeSignatureKit,
  OTHER_EMAIL,
  type SignatureKit,
  type SigstoreOptions,
} from '../support/signature-kit.ts';
import {
  alternativeNames,
  ca,
  CODE_SIGNING,
  extendedUsage,
  makeCertificate,
  oidcIssuer,
} from '../support/x509-maker.ts';

const folder = mkdtempSync(join(tmpdir(), 'bootseal-attacks-'));
let kit: SignatureKit;
before(async () => {
  kit = await makeSignatureKit(folder);
});
after(() => rmSync(folder, { recursive: true, force: true }));

const manifest = Buffer.from('{"schemaVersion":2,"name":"asked for"}');
const digest = digestOf(manifest);
const otherDigest = digestOf(Buffer.from('another manifest'));
const NAME = 'quay.io/acme/os';

interface Asked {
  readonly image?: string;
  readonly now?: string;
}

async function judge(
  requirement: object,
  signatures: readonly RawSignature[],
  { image = `${NAME}:1`, now = '2026-01-01T00:00:00Z' }: Asked = {},
): Promise<PolicyVerdict> {
  const text = JSON.stringify({ default: [{ type: 'sigstoreSigned', ...requirement }] });
  return evaluatePolicy(parsePolicy(Buffer.from(text), { file: 'policy.json' }), {
    image: parseImageName(`docker://${image}`),
    manifest: { bytes: manifest, digest },
    signatures,
    keys: keyFiles(),
    clock: { now: () => Date.parse(now) },
    policyFile: 'policy.json',
  });
}

function make(options: Partial<SigstoreOptions> = {}): SigstoreSignature {
  const bytes = kit.sigstore({ digest, identity: `${NAME}:1`, by: 'p256a', ...options });
  const signature = parseStoredSignature(bytes);
  assert(signature.kind === 'sigstore');
  return signature;
}

function withAnnotation(
  signature: SigstoreSignature,
  name: string,
  value: string | undefined,
): SigstoreSignature {
  const annotations = new Map(signature.annotations);
  if (value === undefined) annotations.delete(name);
  else annotations.set(name, value);
  return { ...signature, annotations };
}

const SET = 'dev.sigstore.cosign/bundle';
const CERTIFICATE = 'dev.sigstore.cosign/certificate';
const CHAIN = 'dev.sigstore.cosign/chain';

const key = (name = 'p256a') => ({ keyPath: join(folder, `${name}.pub`) });
const log = (name = 'rekor-a') => ({ rekorPublicKeyPath: join(folder, `${name}.pub`) });
const fulcio = (change: object = {}) => ({
  fulcio: { caPath: join(folder, 'fulcio-root.pem'), oidcIssuer: ISSUER, subjectEmail: EMAIL, ...change },
  ...log(),
});
const pki = (change: object = {}) => ({
  pki: { caRootsPath: join(folder, 'pki-root.pem'), subjectEmail: EMAIL, ...change },
});
const good = { log: 'rekor-a' } as const;

async function refused(verdict: Promise<PolicyVerdict>, code: string, message?: RegExp): Promise<void> {
  const { allowed, verified, signedBy, reasonCode, message: said = '' } = await verdict;
  assert.deepEqual({ allowed, verified, signedBy }, { allowed: false, verified: false, signedBy: undefined });
  assert.equal(reasonCode, code, said);
  if (message !== undefined) assert.match(said, message);
}

test('what the attacks start from is accepted', async () => {
  assert((await judge(key(), [make()])).allowed);
  const logged = await judge({ ...key(), ...log() }, [make({ set: good })]);
  assert.equal(logged.requirements[0]?.signatures[0]?.loggedAt, '2024-01-15T12:05:00.000Z');
  assert((await judge(fulcio(), [make({ by: 'fulcio', set: good })])).allowed);
  assert((await judge(pki(), [make({ by: 'pki' })])).allowed);
});

test('sgs-entry-bind: an entry about another key, signature or payload vouches for nothing', async () => {
  for (const fault of ['key', 'signature', 'payload'] as const) {
    const signature = make({ set: { log: 'rekor-a', fault } });
    await refused(judge({ ...key(), ...log() }, [signature]), 'trust/bad-rekor-entry', /does not match/);
    const certified = make({ by: 'fulcio', set: { log: 'rekor-a', fault } });
    await refused(judge(fulcio(), [certified]), 'trust/bad-rekor-entry', /does not match/);
  }
  // The entry of one real signature on another, by the same key over another image.
  const elsewhere = make({ digest: otherDigest, set: good });
  const stolen = withAnnotation(make(), SET, elsewhere.annotations.get(SET));
  await refused(judge({ ...key(), ...log() }, [stolen]), 'trust/bad-rekor-entry');
  await refused(judge({ ...key(), ...log() }, [elsewhere]), 'trust/digest-mismatch');
});

test('sgs-entry-bind: of several keys only the one that the entry names may have signed', async () => {
  const both = { keyPaths: [join(folder, 'p256b.pub'), join(folder, 'p256a.pub')], ...log() };
  assert((await judge(both, [make({ set: good })])).allowed);
  // Logged for b, signed by a: both are trusted, and still nobody logged this signature.
  const crossed = make({ set: { log: 'rekor-a', fault: 'key' } });
  await refused(judge(both, [crossed]), 'trust/bad-signature');
});

test('sgs-itime: a time without a good signature of the log is no time', async () => {
  const late = make({ by: 'fulcio', set: { log: 'rekor-a', fault: 'time' } });
  await refused(judge(fulcio(), [late]), 'trust/bad-certificate', /has expired/);
  const set = make({ by: 'fulcio', set: good });
  const text = late.annotations.get(SET)!.replace('2000000000', '1705320300');
  await refused(judge(fulcio(), [withAnnotation(set, SET, text)]), 'trust/bad-rekor-entry');
  await refused(
    judge(fulcio(), [make({ by: 'fulcio', set: { log: 'rekor-a', fault: 'changed' } })]),
    'trust/bad-rekor-entry',
    /cryptographic signature verification of Rekor SET failed/,
  );
});

test('sgs-no-key: a log that is asked for must be there, with its own key', async () => {
  await refused(judge({ ...key(), ...log() }, [make()]), 'trust/no-rekor-entry');
  await refused(judge({ ...key(), ...log('rekor-b') }, [make({ set: good })]), 'trust/bad-rekor-entry');
  await refused(
    judge({ ...key(), rekorPublicKeyPath: join(folder, 'rsa.pub') }, [make({ set: good })]),
    'trust/key-unreadable',
    /Rekor public key 1 is not using ECDSA/,
  );
  await refused(
    judge({ ...key(), rekorPublicKeyPath: join(folder, 'none.pub') }, [make({ set: good })]),
    'trust/key-unreadable',
  );
  await refused(judge({ ...key(), rekorPublicKeyPath: '' }, [make({ set: good })]), 'policy/rekor-empty');
  await refused(judge({ ...key(), rekorPublicKeyData: null }, [make()]), 'policy/rekor-empty');
  await refused(judge({ ...key(), rekorPublicKeyData: '' }, [make({ set: good })]), 'trust/key-unreadable');
});

test('sgs-issuer: issuer and mail address are compared as a whole', async () => {
  const signature = make({ by: 'fulcio', set: good });
  for (const oidcIssuer of [
    `${ISSUER}/`,
    'https://issuer.example.com.evil.test',
    'https://issuer',
    ISSUER.toUpperCase(),
  ])
    await refused(
      judge(fulcio({ oidcIssuer }), [signature]),
      'trust/other-signer',
      /Unexpected Fulcio OIDC issuer/,
    );
  for (const subjectEmail of ['example.com', '.*', 'DEV@example.com', `x${EMAIL}`, OTHER_EMAIL])
    await refused(judge(fulcio({ subjectEmail }), [signature]), 'trust/other-signer', /Required email/);
  await refused(judge(fulcio(), [make({ by: 'fulcio-other', set: good })]), 'trust/other-signer');
  await refused(
    judge(pki({ subjectHostname: 'x.example.com' }), [make({ by: 'pki' })]),
    'trust/other-signer',
    /Unexpected subject hostname/,
  );
});

test('the certificate of one authority is none of another; a key is no certificate', async () => {
  await refused(
    judge(fulcio({ caPath: join(folder, 'pki-root.pem') }), [make({ by: 'fulcio', set: good })]),
    'trust/bad-certificate',
    /unknown authority/,
  );
  await refused(judge(pki(), [make({ by: 'fulcio', set: good })]), 'trust/bad-certificate');
  await refused(judge(pki(), [make()]), 'trust/no-certificate');
  await refused(judge(fulcio(), [make({ set: good })]), 'trust/no-certificate');
  // The root that comes with the signature is nobody's root.
  const own = makeCertificate({ name: 'own root', extensions: [ca()] });
  const leaf = makeCertificate({
    name: '',
    issuer: own,
    extensions: [extendedUsage(CODE_SIGNING), alternativeNames({ emails: [EMAIL] }), ...oidcIssuer(ISSUER)],
  });
  const payload = encodePayload({ manifestDigest: digest, dockerReference: `${NAME}:1` });
  const signature: SigstoreSignature = {
    kind: 'sigstore',
    mimeType: MEDIA_TYPES.cosignSimpleSigning,
    payload,
    annotations: new Map([
      [SIGNATURE_ANNOTATION, sign('sha256', payload, leaf.key).toString('base64')],
      [CERTIFICATE, leaf.pem],
      [CHAIN, own.pem + own.pem],
    ]),
  };
  await refused(judge(pki(), [signature]), 'trust/bad-certificate', /unknown authority/);
});

test('a certificate is judged at the right time: with a log when it was logged, with a PKI now', async () => {
  const logged = make({ by: 'fulcio', set: good });
  assert((await judge(fulcio(), [logged], { now: '2099-01-01T00:00:00Z' })).allowed);
  await refused(
    judge(pki(), [make({ by: 'pki' })], { now: '2121-01-01T00:00:00Z' }),
    'trust/bad-certificate',
    /has expired/,
  );
  await refused(
    judge(pki(), [make({ by: 'pki' })], { now: '2019-01-01T00:00:00Z' }),
    'trust/bad-certificate',
    /is before/,
  );
});

test('certificates: none, two, garbage, endless chains', async () => {
  const signature = make({ by: 'pki' });
  const certificate = signature.annotations.get(CERTIFICATE)!;
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [CERTIFICATE, certificate + certificate, /unexpected multiple certificates/],
    [CERTIFICATE, '', /no certificate found/],
    [CERTIFICATE, `${certificate}prose`, /error during PEM decoding/],
    [CERTIFICATE, encodePem('CERTIFICATE', Buffer.from('x')), /^parsing leaf certificate: /],
    [CHAIN, 'prose', /^loading certificate chain: error during PEM decoding$/],
    [CHAIN, certificate.repeat(30), /^loading certificate chain: more than 20 certificates$/],
    [CHAIN, '-----BEGIN A-----\n'.repeat(100_000), /^loading certificate chain: key file of/],
  ];
  for (const [name, value, message] of cases) {
    const started = performance.now();
    await refused(judge(pki(), [withAnnotation(signature, name, value)]), 'trust/bad-certificate', message);
    assert(performance.now() - started < 500);
  }
  await refused(
    judge(pki(), [withAnnotation(signature, CHAIN, undefined)]),
    'trust/bad-certificate',
    /unknown authority/,
  );
});

test('a signature of another repository, and a tag rolled back, under each identity rule', async () => {
  const rules: readonly (readonly [object, { readonly otherTag: boolean; readonly bareName: boolean }])[] = [
    [{}, { otherTag: false, bareName: false }],
    [{ signedIdentity: { type: 'matchExact' } }, { otherTag: false, bareName: false }],
    [{ signedIdentity: { type: 'matchRepoDigestOrExact' } }, { otherTag: false, bareName: false }],
    [{ signedIdentity: { type: 'matchRepository' } }, { otherTag: true, bareName: true }],
    [
      { signedIdentity: { type: 'exactReference', dockerReference: `${NAME}:1` } },
      { otherTag: false, bareName: false },
    ],
    [
      { signedIdentity: { type: 'exactRepository', dockerRepository: NAME } },
      { otherTag: true, bareName: true },
    ],
    [
      { signedIdentity: { type: 'remapIdentity', prefix: 'quay.io', signedPrefix: 'quay.io' } },
      { otherTag: false, bareName: false },
    ],
  ];
  for (const [rule, passes] of rules) {
    const verdictOn = async (identity: string) =>
      (await judge({ ...key(), ...rule }, [make({ identity })])).allowed;
    const name = JSON.stringify(rule);
    assert.equal(await verdictOn(`${NAME}:1`), true, name);
    // The old release under the new tag: repository rules cannot tell, which is documented, and all others refuse.
    assert.equal(await verdictOn(`${NAME}:0`), passes.otherTag, name);
    assert.equal(await verdictOn(NAME), passes.bareName, name);
    for (const identity of [
      'quay.io/acme/other:1',
      'quay.io/acme/os-evil:1',
      'evil.test/acme/os:1',
      'acme/os:1',
      '',
      '../os:1',
      `${NAME}:1\n`,
    ])
      assert.equal(await verdictOn(identity), false, `${name} ${identity}`);
  }
});

test('an image asked for by digest may be signed under any tag, and under its own digest only', async () => {
  const image = `${NAME}@${digest}`;
  for (const identity of [`${NAME}:0`, image])
    assert((await judge(key(), [make({ identity })], { image })).allowed);
  await refused(judge(key(), [make({ identity: NAME })], { image }), 'trust/identity-mismatch');
  await refused(
    judge(key(), [make({ digest: otherDigest, identity: image })], { image }),
    'trust/digest-mismatch',
  );
});

test('one bad signature beside a good one does no harm, whatever is wrong with it', async () => {
  const faults = ['base64', 'no-annotation', 'mime', 'payload-json', 'payload-type', 'signature'] as const;
  const bad = [
    ...faults.map((fault) => make({ fault })),
    make({ by: 'p256b' }),
    make({ digest: otherDigest }),
    make({ identity: 'evil.test/x:1' }),
    make({ set: { log: 'rekor-a', fault: 'garbage' } }),
    withAnnotation(make({ by: 'pki' }), CERTIFICATE, 'garbage'),
  ];
  for (const signature of bad) {
    for (const signatures of [
      [signature, make()],
      [make(), signature],
    ])
      assert((await judge(key(), signatures)).allowed);
  }
  await refused(
    judge({ ...key(), ...log() }, bad),
    'trust/no-rekor-entry',
    /^None of the signatures were accepted, reasons: /,
  );
});

test('pol-ignored: keys that do not load refuse even what the first would accept', async () => {
  for (const other of ['none.pub', 'garbage.pub']) {
    const paths = { keyPaths: [join(folder, 'p256a.pub'), join(folder, other)] };
    await refused(judge(paths, [make()]), 'trust/key-unreadable');
  }
});

test('no keys, no roots or no log are no acceptance, however an empty set is written', async () => {
  const empty = join(folder, 'empty.pem');
  const prose = join(folder, 'prose.pem');
  writeFileSync(empty, '');
  writeFileSync(prose, 'keys are on their way\n');
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  for (const requirement of [
    ...[empty, prose].flatMap((file) => [
      { keyPath: file },
      { keyPaths: [join(folder, 'p256a.pub'), file] },
      { ...key(), rekorPublicKeyPath: file },
      { ...fulcio(), rekorPublicKeyPath: file },
      fulcio({ caPath: file }),
      pki({ caRootsPath: file }),
    ]),
    { keyData: base64('\n') },
    { keyDatas: [base64('\n')] },
    { keyDatas: [] },
    { keyPaths: [] },
    { ...key(), rekorPublicKeyPaths: [] },
    {},
  ]) {
    const signatures = [make(), make({ set: good }), make({ by: 'fulcio', set: good }), make({ by: 'pki' })];
    const verdict = await judge(requirement, signatures).catch((error: unknown) => {
      assert(isBootsealError(error), String(error));
    });
    assert(verdict === undefined || !(verdict.allowed || verdict.verified), JSON.stringify(requirement));
  }
});

test('a payload is one JSON text with one meaning', async () => {
  const payload = (text: string): SigstoreSignature => {
    const bytes = Buffer.from(text);
    return {
      kind: 'sigstore',
      mimeType: MEDIA_TYPES.cosignSimpleSigning,
      payload: bytes,
      annotations: new Map([
        [SIGNATURE_ANNOTATION, sign('sha256', bytes, own.privateKey).toString('base64')],
      ]),
    };
  };
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const keyData = Buffer.from(own.publicKey.export({ type: 'spki', format: 'pem' })).toString('base64');
  const text = Buffer.from(
    encodePayload({ manifestDigest: digest, dockerReference: `${NAME}:1` }),
  ).toString();
  assert((await judge({ keyData }, [payload(text)])).allowed);
  const other = `"docker-manifest-digest":"${otherDigest}"`;
  for (const changed of [
    text.replace('"image":{', `"image":{${other},`),
    text.replace('"image":{', `"image":{"docker-manifest-\\u0064igest":"${otherDigest}",`),
    text.replace('{"critical"', '{"__proto__":{},"critical"'),
    text.replace('"image":', '"__proto__":{"image":{}},"image":'),
    text.replace('"critical"', '"Critical"'),
    text.replace('"optional":{}', '"optional":{"creator":"a","creator":"b"}'),
    `${text}{}`,
    `\ufeff${text}`,
    text.slice(0, -1),
  ]) {
    assert.notEqual(changed, text);
    await refused(judge({ keyData }, [payload(changed)]), 'trust/malformed-payload');
  }
});

test('keys are read again each time, and parsed again when they have changed', async () => {
  const text = JSON.stringify({ default: [{ type: 'sigstoreSigned', keyPath: 'key' }] });
  const policy = parsePolicy(Buffer.from(text), { file: 'policy.json' });
  const ask = async (name: string): Promise<boolean> => {
    const verdict = await evaluatePolicy(policy, {
      image: parseImageName(`docker://${NAME}:1`),
      manifest: { bytes: manifest, digest },
      signatures: [make()],
      keys: { read: async () => readFileSync(join(folder, name)) },
      clock: { now: () => 0 },
      policyFile: 'policy.json',
    });
    return verdict.allowed;
  };
  for (const [name, expected] of [
    ['p256a.pub', true],
    ['p256b.pub', false],
    ['p256a.pub', true],
    ['garbage.pub', false],
  ] as const) {
    assert.equal(await ask(name), expected, name);
  }
});

test('1000 signatures with an entry each end quickly; more are refused at once', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const one = make();
  const signerPem = readFileSync(join(folder, 'p256b.pub'), 'utf8');
  const set = makeRekorSet({
    logKey: privateKey,
    signerPem,
    signature: Buffer.from('x'),
    payload: one.payload,
  });
  const many = Array.from({ length: 1000 }, () => withAnnotation(one, SET, set));
  const started = performance.now();
  await refused(judge({ ...key(), ...log() }, many), 'trust/bad-rekor-entry');
  assert(performance.now() - started < 5000);
  await refused(judge({ ...key(), ...log() }, [...many, one]), 'trust/too-many-signatures');
});
