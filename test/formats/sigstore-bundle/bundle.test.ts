/** Bundles, the statements in them, and the artifacts around them: read strictly, written as cosign writes them. */
import assert from 'node:assert/strict';
import { assert as assertProperty, property, string, uint8Array } from 'fast-check';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  encodeStatement,
  isAbout,
  parseStatement,
  STATEMENT_PAYLOAD_TYPE,
} from '../../../src/formats/in-toto/statement.ts';
import { digestOf, type Digest } from '../../../src/formats/oci/digest.ts';
import { MEDIA_TYPES } from '../../../src/formats/oci/media-types.ts';
import {
  buildBundleArtifact,
  bundleLayer,
  mayBeBundle,
} from '../../../src/formats/sigstore-bundle/artifact.ts';
import { COSIGN_SIGN_PREDICATE, MAX_BUNDLE_SIZE } from '../../../src/formats/sigstore-bundle/format.ts';
import { parseBundle } from '../../../src/formats/sigstore-bundle/reader.ts';
import { encodeKeyBundle, keyHint } from '../../../src/formats/sigstore-bundle/writer.ts';
import { parsePublicKey } from '../../../src/formats/cosign/public-key.ts';
import { vectorPath } from '../../support/project.ts';
import { errorCode } from '../../support/error-code.ts';

const APP = 'sha256:456b962f1a6e639d9451177189e31ee604bfa1aecd2f229626d1da5f326d7f46' as Digest;
const file = (name: string): Buffer => readFileSync(vectorPath('bundle', name));

test('the bundle of cosign is read, and written again byte for byte', () => {
  const bytes = file('app-new.bundle.json');
  const { signer, envelope, logEntries, timestamps } = parseBundle(bytes);
  const key = parsePublicKey(readFileSync(vectorPath('policy', 'keys', 'cosign.pub')));
  assert.deepEqual(signer, { kind: 'key', hint: keyHint(key.spki) });
  assert.deepEqual([logEntries, timestamps], [0, 0]);
  assert.equal(envelope.payloadType, STATEMENT_PAYLOAD_TYPE);
  assert.deepEqual(Buffer.from(encodeKeyBundle(envelope, keyHint(key.spki))), bytes);
  assert.deepEqual(Buffer.from(encodeStatement(APP, COSIGN_SIGN_PREDICATE)), Buffer.from(envelope.payload));
  const statement = parseStatement(envelope.payload);
  assert(isAbout(statement, APP));
  assert(!isAbout(statement, digestOf(bytes)));
});

test('the artifact of cosign is read, and written again byte for byte', () => {
  const manifest = file('app-new.manifest.json');
  const bundle = file('app-new.bundle.json');
  const layer = bundleLayer({ bytes: manifest, mediaType: MEDIA_TYPES.ociManifest }, APP);
  assert.equal(layer?.digest, digestOf(bundle));
  const { annotations } = JSON.parse(manifest.toString()) as { annotations: Record<string, string> };
  const created = Date.parse(annotations['org.opencontainers.image.created']) / 1000;
  const subject = { mediaType: MEDIA_TYPES.ociManifest, size: 401, digest: APP };
  const built = buildBundleArtifact(bundle, subject, created);
  // The members of cosign's, each with its value; their order within a descriptor is no matter.
  assert.deepEqual(JSON.parse(Buffer.from(built.manifest).toString()), JSON.parse(manifest.toString()));
  assert.equal(built.manifest.length, manifest.length);
});

test('encode and parse: any payload, type and hint', () => {
  assertProperty(
    property(
      uint8Array({ minLength: 1, maxLength: 300 }),
      uint8Array({ minLength: 1, maxLength: 140 }),
      string(),
      string(),
      (payload, signature, payloadType, hint) => {
        const read = parseBundle(encodeKeyBundle({ payload, signature, payloadType }, hint));
        assert.deepEqual(read.signer, { kind: 'key', hint: Buffer.from(hint).toString() });
        assert.deepEqual([...read.envelope.payload], [...payload]);
        assert.deepEqual([...read.envelope.signature], [...signature]);
        assert.equal(read.envelope.payloadType, Buffer.from(payloadType).toString());
      },
    ),
  );
});

type Document = Record<string, unknown> & { verificationMaterial: Record<string, unknown> };

function changed(change: (document: Document) => void): Uint8Array {
  const document = JSON.parse(file('app-new.bundle.json').toString()) as Document;
  change(document);
  return Buffer.from(JSON.stringify(document));
}

const entry = {
  logIndex: '1',
  logId: { keyId: 'AA==' },
  kindVersion: { kind: 'dsse', version: '0.0.1' },
  integratedTime: '1700000000',
  inclusionPromise: { signedEntryTimestamp: 'AA==' },
  inclusionProof: {
    logIndex: '1',
    rootHash: 'AA==',
    treeSize: '2',
    hashes: ['AA=='],
    checkpoint: { envelope: 'x' },
  },
  canonicalizedBody: 'AA==',
};

const REFUSED: readonly [string, string, (document: Document) => void][] = [
  [
    'another version',
    'bundle/unsupported',
    (d) => (d['mediaType'] = 'application/vnd.dev.sigstore.bundle.v0.4+json'),
  ],
  ['no version', 'bundle/unsupported', (d) => delete d['mediaType']],
  ['an unknown member', 'bundle/malformed', (d) => (d['extra'] = 1)],
  [
    '__proto__ as a member',
    'bundle/malformed',
    (d) => Object.defineProperty(d, '__proto__', { value: 1, enumerable: true }),
  ],
  ['no signer', 'bundle/malformed', (d) => (d.verificationMaterial = {})],
  ['two signers', 'bundle/malformed', (d) => (d.verificationMaterial['certificate'] = { rawBytes: 'AA==' })],
  [
    'a chain',
    'bundle/malformed',
    (d) => (d.verificationMaterial['x509CertificateChain'] = { certificates: [] }),
  ],
  ['no envelope', 'bundle/malformed', (d) => delete d['dsseEnvelope']],
  [
    'a signature over bytes',
    'bundle/unsupported',
    (d) => ((d['messageSignature'] = {}), delete d['dsseEnvelope']),
  ],
  ['both contents', 'bundle/malformed', (d) => (d['messageSignature'] = {})],
  [
    'no signature',
    'bundle/malformed',
    (d) => ((d['dsseEnvelope'] as { signatures: unknown }).signatures = []),
  ],
  [
    'two signatures',
    'bundle/malformed',
    (d) => ((d['dsseEnvelope'] as { signatures: unknown }).signatures = [{ sig: 'AA==' }, { sig: 'AA==' }]),
  ],
  [
    'an empty signature',
    'bundle/malformed',
    (d) => ((d['dsseEnvelope'] as { signatures: unknown }).signatures = [{ sig: '' }]),
  ],
  ['URL base64', 'bundle/malformed', (d) => ((d['dsseEnvelope'] as { payload: unknown }).payload = '_-8=')],
  [
    'base64 with line ends',
    'bundle/malformed',
    (d) => ((d['dsseEnvelope'] as { payload: unknown }).payload = 'AA\n=='),
  ],
  [
    'sgs-limits: 33 log entries',
    'bundle/malformed',
    (d) => (d.verificationMaterial['tlogEntries'] = Array.from({ length: 33 }, () => entry)),
  ],
  [
    'sgs-limits: 33 timestamps',
    'bundle/malformed',
    (d) =>
      (d.verificationMaterial['timestampVerificationData'] = {
        rfc3161Timestamps: Array.from({ length: 33 }, () => ({ signedTimestamp: 'AA==' })),
      }),
  ],
  [
    'a negative index',
    'bundle/malformed',
    (d) => (d.verificationMaterial['tlogEntries'] = [{ ...entry, logIndex: '-1' }]),
  ],
  [
    'an index beyond 63 bits',
    'bundle/malformed',
    (d) => (d.verificationMaterial['tlogEntries'] = [{ ...entry, logIndex: '9223372036854775808' }]),
  ],
  [
    'sgs-fetch: an address in an entry',
    'bundle/malformed',
    (d) => (d.verificationMaterial['tlogEntries'] = [{ ...entry, url: 'http://127.0.0.1/' }]),
  ],
];

for (const [what, code, change] of REFUSED) {
  test(`refused: ${what}`, () =>
    assert.equal(
      errorCode(() => parseBundle(changed(change))),
      code,
    ));
}

test('log entries and timestamps are counted, null is absent', () => {
  const read = parseBundle(
    changed((d) => {
      d.verificationMaterial['tlogEntries'] = [entry, entry];
      d.verificationMaterial['timestampVerificationData'] = {
        rfc3161Timestamps: [{ signedTimestamp: 'AA==' }],
      };
      d.verificationMaterial['certificate'] = null;
    }),
  );
  assert.deepEqual([read.logEntries, read.timestamps], [2, 1]);
});

test('members twice, text after the end and large ones are refused with the place', () => {
  const text = file('app-new.bundle.json').toString();
  const twice = text.replace('{"mediaType"', '{"mediaType":"x","mediaType"');
  assert.throws(() => parseBundle(Buffer.from(twice)), { code: 'bundle/malformed', offset: 17 });
  assert.equal(
    errorCode(() => parseBundle(Buffer.from(`${text} x`))),
    'bundle/malformed',
  );
  assert.equal(
    errorCode(() => parseBundle(new Uint8Array(MAX_BUNDLE_SIZE + 1))),
    'bundle/too-large',
  );
  for (let end = 0; end < text.length; end += 7) {
    assert(errorCode(() => parseBundle(Buffer.from(text.slice(0, end))))?.startsWith('bundle/'), String(end));
  }
});

test('sgs-subject: an artifact that refers to another image is refused', () => {
  const other = digestOf(Buffer.from('other'));
  const ask = (change: object, image = APP): unknown => {
    const manifest = { ...(JSON.parse(file('app-new.manifest.json').toString()) as object), ...change };
    return bundleLayer(
      { bytes: Buffer.from(JSON.stringify(manifest)), mediaType: MEDIA_TYPES.ociManifest },
      image,
    );
  };
  assert.equal(
    errorCode(() => ask({}, other)),
    'bundle/wrong-subject',
  );
  assert.equal(
    errorCode(() => ask({ subject: null })),
    'bundle/wrong-subject',
  );
  assert.equal(
    errorCode(() => ask({ layers: [] })),
    'bundle/malformed',
  );
  const layer = { mediaType: MEDIA_TYPES.ociLayer, size: 1, digest: other };
  assert.equal(
    errorCode(() => ask({ layers: [layer] })),
    'bundle/malformed',
  );
  const huge = {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    size: MAX_BUNDLE_SIZE + 1,
    digest: other,
  };
  assert.equal(
    errorCode(() => ask({ layers: [huge] })),
    'bundle/too-large',
  );
  assert.equal(ask({ artifactType: 'application/spdx+json' }), undefined);
});

test('which entries of a list may be bundles', () => {
  const entryOf = (artifactType?: string): Parameters<typeof mayBeBundle>[0] => ({
    mediaType: MEDIA_TYPES.ociManifest,
    digest: APP,
    size: 1,
    ...(artifactType !== undefined && { artifactType }),
  });
  assert(mayBeBundle(entryOf()));
  assert(mayBeBundle(entryOf(MEDIA_TYPES.ociEmpty)));
  assert(mayBeBundle(entryOf('application/vnd.dev.sigstore.bundle.v0.3+json')));
  assert(!mayBeBundle(entryOf('application/spdx+json')));
});
