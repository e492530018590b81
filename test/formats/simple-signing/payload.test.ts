/** The payload of simple signing where it differs from that of cosign. The strictness they share is tested there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { encodePayload, parsePayload } from '../../../src/formats/cosign/payload.ts';
import { digestOf } from '../../../src/formats/oci/digest.ts';
import { encodeSimplePayload, parseSimplePayload } from '../../../src/formats/simple-signing/payload.ts';

const payload = fc.record(
  {
    manifestDigest: fc.uint8Array().map((bytes) => digestOf(bytes)),
    dockerReference: fc.string({ unit: 'grapheme' }),
    creator: fc.string({ unit: 'grapheme' }),
    timestamp: fc.maxSafeInteger(),
  },
  { requiredKeys: ['manifestDigest', 'dockerReference'], noNullPrototype: true },
);

test('what is written is read back, and not by the reader of the other kind', () => {
  fc.assert(
    fc.property(payload, (value) => {
      assert.deepEqual(parseSimplePayload(encodeSimplePayload(value)), value);
      assert.throws(() => parsePayload(encodeSimplePayload(value)), /Unrecognized signature type/);
      assert.throws(() => parseSimplePayload(encodePayload(value)), /Unrecognized signature type/);
    }),
  );
});

test('byte for byte as containers/image writes it', () => {
  const bytes = encodeSimplePayload({
    manifestDigest: `sha256:${'ab'.repeat(32)}`,
    dockerReference: 'quay.io/acme/os:<1>',
    creator: 'bootseal 0.1.0',
    timestamp: 1_700_000_000,
  });
  assert.equal(
    Buffer.from(bytes).toString(),
    '{"critical":{"identity":{"docker-reference":"quay.io/acme/os:\\u003c1\\u003e"},' +
      `"image":{"docker-manifest-digest":"sha256:${'ab'.repeat(32)}"},"type":"atomic container signature"},` +
      '"optional":{"creator":"bootseal 0.1.0","timestamp":1700000000}}',
  );
});

test('optional must be there, and an object', () => {
  const critical = {
    type: 'atomic container signature',
    image: { 'docker-manifest-digest': `sha256:${'ab'.repeat(32)}` },
    identity: { 'docker-reference': 'quay.io/acme/os:1' },
  };
  const parse = (document: unknown): unknown => parseSimplePayload(Buffer.from(JSON.stringify(document)));
  assert.throws(() => parse({ critical, optional: null }), /JSON object expected, got <nil>/);
  assert.throws(() => parse({ critical }), /Key "optional" missing/);
  assert.doesNotThrow(() => parse({ critical, optional: {} }));
});
