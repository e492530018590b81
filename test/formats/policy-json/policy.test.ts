/** Policies: what is written is read back, and errors say where. (skopeo's verdicts: test/verify/policy-vectors.test.ts.) */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isBootsealError } from '../../../src/errors.ts';
import type { IdentityMatch, Policy, Requirement } from '../../../src/formats/policy-json/policy.ts';
import { parsePolicy } from '../../../src/formats/policy-json/reader.ts';
import { encodePolicy } from '../../../src/formats/policy-json/writer.ts';

const text = fc.string({ minLength: 1, unit: 'grapheme' });
const bytes = fc.uint8Array({ maxLength: 20 }).map((value) => Uint8Array.from(value));
const identity: fc.Arbitrary<IdentityMatch> = fc.oneof(
  fc.constantFrom<IdentityMatch>(
    { type: 'matchExact' },
    { type: 'matchRepository' },
    { type: 'matchRepoDigestOrExact' },
  ),
  fc.constant<IdentityMatch>({ type: 'exactReference', dockerReference: 'quay.io/acme/os:1' }),
  fc.constant<IdentityMatch>({ type: 'exactRepository', dockerRepository: 'quay.io/acme/os' }),
  fc.constant<IdentityMatch>({
    type: 'remapIdentity',
    prefix: 'mirror.test:5000',
    signedPrefix: 'quay.io/acme',
  }),
);
const keys = fc.oneof(
  text.map((path) => ({ kind: 'paths' as const, member: 'keyPath', paths: [path] })),
  fc
    .array(text, { minLength: 1, maxLength: 3 })
    .map((paths) => ({ kind: 'paths' as const, member: 'keyPaths', paths })),
  bytes.map((data) => ({ kind: 'data' as const, member: 'keyData', data: [data] })),
);
const requirement: fc.Arbitrary<Requirement> = fc.oneof(
  fc.constantFrom<Requirement>({ type: 'insecureAcceptAnything' }, { type: 'reject' }),
  identity.map((baseLayerIdentity): Requirement => ({ type: 'signedBaseLayer', baseLayerIdentity })),
  fc.tuple(keys, identity).map(([source, signedIdentity]): Requirement => ({
    type: 'signedBy',
    keyType: 'GPGKeys',
    keys: source,
    signedIdentity,
  })),
  fc.tuple(keys, identity).map(([source, signedIdentity]): Requirement => ({
    type: 'sigstoreSigned',
    trust: { kind: 'keys', keys: source },
    signedIdentity,
  })),
  fc
    .tuple(text, text, text, identity)
    .map(([path, oidcIssuer, subjectEmail, signedIdentity]): Requirement => ({
      type: 'sigstoreSigned',
      trust: { kind: 'fulcio', fulcio: { ca: { path }, oidcIssuer, subjectEmail } },
      rekor: { source: { kind: 'paths', member: 'rekorPublicKeyPath', paths: [path] }, isEmpty: false },
      signedIdentity,
    })),
  fc.tuple(bytes, text, identity).map(([data, subjectHostname, signedIdentity]): Requirement => ({
    type: 'sigstoreSigned',
    trust: { kind: 'pki', pki: { roots: { data }, subjectHostname } },
    signedIdentity,
  })),
);
const requirements = fc.array(requirement, { minLength: 1, maxLength: 3 });
const scopes = fc
  .array(fc.tuple(fc.oneof(text, fc.constantFrom('', '__proto__', 'constructor')), requirements), {
    maxLength: 3,
  })
  .map((entries) => new Map(entries));
const policy: fc.Arbitrary<Policy> = fc
  .tuple(
    requirements,
    fc.array(fc.tuple(fc.constantFrom('docker', 'warp', '__proto__'), scopes), { maxLength: 3 }),
  )
  .map(([defaults, transports]) => ({ default: defaults, transports: new Map(transports) }));

test('what is written is read back', () => {
  fc.assert(
    fc.property(policy, (value) => {
      assert.deepEqual(parsePolicy(encodePolicy(value), { file: 'policy.json' }), value);
    }),
  );
});

test('every cut of a policy is refused', () => {
  const whole = Buffer.from(
    '{"default":[{"type":"reject"}],"transports":{"docker":{"a":[{"type":"reject"}]}}}',
  );
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => parsePolicy(whole.subarray(0, length), { file: 'p' }), { code: 'policy/syntax' });
  }
});

test('errors say where, and what to do', () => {
  const source = [
    '{',
    '  "default": [',
    '    {"type": "sigstoreSigned",',
    '     "keyPath": "k", "keyPath": "l"}]',
    '}',
  ];
  assert.throws(
    () => parsePolicy(Buffer.from(source.join('\n')), { file: 'dir/policy.json' }),
    (error) => {
      assert(isBootsealError(error));
      assert.equal(error.code, 'policy/duplicate-key');
      assert.equal(error.where, 'dir/policy.json:4:22');
      assert.equal(error.message, 'invalid policy in "dir/policy.json": Duplicate key "keyPath"');
      assert.equal(error.exit, 3);
      return true;
    },
  );
  const comment = Buffer.from('{"default":[{"type":"reject"}] // all\n}');
  assert.throws(() => parsePolicy(comment, { file: 'p' }), {
    hint: 'comments are not allowed in policy.json',
  });
});

test('a policy of another size than people write is refused before it is read', () => {
  const huge = Buffer.alloc(9 * 1024 * 1024, ' ');
  assert.throws(() => parsePolicy(huge, { file: 'p' }), { code: 'policy/too-large' });
});

test('10,000 scopes and a scope of a megabyte are no trouble', () => {
  const many = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, at) => [`host${at}.test`, [{ type: 'reject' }]]),
  );
  many['x'.repeat(1024 * 1024)] = [{ type: 'reject' }];
  const started = performance.now();
  const { transports } = parsePolicy(
    Buffer.from(JSON.stringify({ default: [{ type: 'reject' }], transports: { docker: many } })),
    { file: 'p' },
  );
  assert.equal(transports.get('docker')?.size, 10_001);
  assert(performance.now() - started < 5000);
});
