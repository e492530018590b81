/** The signed payload, stored signatures and attachments. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isBootsealError } from '../../../src/errors.ts';
import {
  attachmentTag,
  buildAttachment,
  layerOfSignature,
  MAX_SIGNATURES,
  parseAttachment,
  signatureFromLayer,
} from '../../../src/formats/cosign/attachment.ts';
import { encodePayload, parsePayload, type SigningPayload } from '../../../src/formats/cosign/payload.ts';
import {
  encodeStoredSignature,
  parseStoredSignature,
  type SigstoreSignature,
} from '../../../src/formats/cosign/signature.ts';
import { digestOf } from '../../../src/formats/oci/digest.ts';
import { MEDIA_TYPES } from '../../../src/formats/oci/media-types.ts';

const digest = fc.uint8Array().map((bytes) => digestOf(bytes));
const payload: fc.Arbitrary<SigningPayload> = fc.record(
  {
    manifestDigest: digest,
    dockerReference: fc.string({ unit: 'grapheme' }),
    creator: fc.string({ unit: 'grapheme' }),
    timestamp: fc.maxSafeInteger(),
  },
  { requiredKeys: ['manifestDigest', 'dockerReference'], noNullPrototype: true },
);
const signature: fc.Arbitrary<SigstoreSignature> = fc.record(
  {
    kind: fc.constant('sigstore' as const),
    mimeType: fc.string({ minLength: 1 }),
    payload: fc.uint8Array().map((bytes) => Uint8Array.from(bytes)),
    annotations: fc
      .array(fc.tuple(fc.string(), fc.string()), { maxLength: 4 })
      .map((entries) => new Map(entries)),
  },
  { noNullPrototype: true },
);

test('payloads: what is written is read back', () => {
  fc.assert(fc.property(payload, (value) => assert.deepEqual(parsePayload(encodePayload(value)), value)));
});

test('payloads: byte for byte as containers/image writes them', () => {
  const bytes = encodePayload({
    manifestDigest: `sha256:${'ab'.repeat(32)}`,
    dockerReference: 'quay.io/acme/os:<1>&2',
    creator: 'bootseal 0.1.0',
    timestamp: 1_700_000_000,
  });
  assert.equal(
    Buffer.from(bytes).toString(),
    '{"critical":{"identity":{"docker-reference":"quay.io/acme/os:\\u003c1\\u003e\\u00262"},' +
      `"image":{"docker-manifest-digest":"sha256:${'ab'.repeat(32)}"},"type":"cosign container image signature"},` +
      '"optional":{"creator":"bootseal 0.1.0","timestamp":1700000000}}',
  );
});

test('payloads: cosign’s form is read, and every other shape refused', () => {
  const base = {
    critical: {
      identity: { 'docker-reference': 'quay.io/a/b' },
      image: { 'docker-manifest-digest': `sha256:${'0'.repeat(64)}` },
      type: 'cosign container image signature',
    },
    optional: null as unknown,
  };
  assert.equal(parsePayload(Buffer.from(JSON.stringify(base))).dockerReference, 'quay.io/a/b');
  const broken: readonly [string, unknown][] = [
    ['no optional', { critical: base.critical }],
    ['one more member', { ...base, extra: 1 }],
    ['optional a list', { ...base, optional: [] }],
    ['time a text', { ...base, optional: { timestamp: '1' } }],
    ['time a fraction', { ...base, optional: { timestamp: 1.5 } }],
    ['time beyond 64 bits', { ...base, optional: { timestamp: 1e19 } }],
    [
      'simple signing’s type',
      { ...base, critical: { ...base.critical, type: 'atomic container signature' } },
    ],
    [
      'digest in upper case',
      {
        ...base,
        critical: { ...base.critical, image: { 'docker-manifest-digest': `sha256:${'A'.repeat(64)}` } },
      },
    ],
    [
      'digest of md5',
      {
        ...base,
        critical: { ...base.critical, image: { 'docker-manifest-digest': `md5:${'0'.repeat(32)}` } },
      },
    ],
    ['identity null', { ...base, critical: { ...base.critical, identity: null } }],
    ['a list', [base]],
  ];
  for (const [what, document] of broken) {
    assert.throws(() => parsePayload(Buffer.from(JSON.stringify(document))), isBootsealError, what);
  }
});

test('stored signatures: what is written is read back', () => {
  fc.assert(
    fc.property(signature, (value) =>
      assert.deepEqual(parseStoredSignature(encodeStoredSignature(value)), value),
    ),
  );
});

test('stored signatures: two members of one name are refused', () => {
  const file = Buffer.from('\0sigstore-json\n{"mimeType":"a","mimeType":"b","payload":"","annotations":{}}');
  assert.throws(() => parseStoredSignature(file), { code: 'cosign/bad-signature-file' });
});

test('attachments: layers in, the same layers out, each once, and the same bytes again', () => {
  fc.assert(
    fc.property(fc.array(signature, { maxLength: 5 }), (signatures) => {
      const layers = signatures.map(layerOfSignature);
      const built = buildAttachment([...layers, ...layers]);
      const read = parseAttachment(built.manifest, MEDIA_TYPES.ociManifest, 'test');
      assert.deepEqual(buildAttachment(read).manifest, built.manifest);
      for (const each of signatures) {
        const layer = read.find(
          (candidate) => candidate.digest === digestOf(each.payload) && candidate.mediaType === each.mimeType,
        );
        assert(layer !== undefined);
        assert.deepEqual(signatureFromLayer(layer, each.payload).payload, each.payload);
      }
    }),
  );
});

test('attachments: 10,000 signatures, an index and a huge payload are refused', () => {
  const layer = { mediaType: MEDIA_TYPES.cosignSimpleSigning, digest: digestOf(Buffer.from('x')), size: 1 };
  const manifest = (layers: readonly object[]): Buffer =>
    Buffer.from(
      JSON.stringify({ schemaVersion: 2, config: { ...layer, mediaType: MEDIA_TYPES.ociConfig }, layers }),
    );
  const many = Array.from({ length: 10_000 }, (_, at) => ({ ...layer, annotations: { n: String(at) } }));
  for (const bytes of [manifest(many), manifest([{ ...layer, size: 5 * 1024 * 1024 }])]) {
    assert.throws(() => parseAttachment(bytes, MEDIA_TYPES.ociManifest, 'test'), {
      code: 'cosign/bad-attachment',
    });
  }
  assert.throws(() => parseAttachment(manifest([]), MEDIA_TYPES.ociIndex, 'test'), {
    code: 'cosign/bad-attachment',
  });
  assert.equal(
    parseAttachment(manifest(many.slice(0, MAX_SIGNATURES)), MEDIA_TYPES.ociManifest, 'test').length,
    MAX_SIGNATURES,
  );
});

test('attachments: the tag names the digest', () => {
  assert.equal(attachmentTag(`sha256:${'0'.repeat(64)}`), `sha256-${'0'.repeat(64)}.sig`);
});
