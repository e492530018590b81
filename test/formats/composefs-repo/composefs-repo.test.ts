import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { encodeRepoMeta, parseRepoMeta } from '../../../src/formats/composefs-repo/meta.ts';
import {
  decodeTag,
  encodeTag,
  imageRefName,
  isObjectDigest,
  linkedObject,
  objectFile,
} from '../../../src/formats/composefs-repo/names.ts';

function meta(change: Record<string, unknown> = {}): Uint8Array {
  const document = {
    version: 1,
    algorithm: 'fsverity-sha512-12',
    features: { compatible: [], 'read-only-compatible': ['v1_erofs'], incompatible: [] },
    erofs_formats: { default: 1 },
    ...change,
  };
  return Buffer.from(JSON.stringify(document));
}

test('meta.json: what is written is read back, and is what cfsctl writes', () => {
  for (const algorithm of ['sha256', 'sha512'] as const) {
    for (const imageVersion of [0, 1, 2] as const) {
      const read = parseRepoMeta(encodeRepoMeta({ algorithm, imageVersion }));
      assert.deepEqual(read, { algorithm, imageVersion, readOnlyBecause: [] });
    }
  }
  assert.equal(
    Buffer.from(encodeRepoMeta({ algorithm: 'sha256', imageVersion: 1 })).toString(),
    `{
  "version": 1,
  "algorithm": "fsverity-sha256-12",
  "features": {
    "compatible": [],
    "read-only-compatible": [
      "v1_erofs"
    ],
    "incompatible": []
  },
  "erofs_formats": {
    "default": 1
  }
}
`,
  );
});

test('meta.json: old repositories, and features of later ones', () => {
  assert.equal(parseRepoMeta(meta({ erofs_formats: undefined })).imageVersion, 1);
  assert.equal(parseRepoMeta(meta({ erofs_formats: undefined, features: undefined })).imageVersion, 2);
  const features = { 'read-only-compatible': ['v1_erofs', 'later'] };
  assert.deepEqual(parseRepoMeta(meta({ features })).readOnlyBecause, ['later']);
  assert.throws(() => parseRepoMeta(meta({ features: { incompatible: ['later'] } })), {
    code: 'repo/unsupported',
  });
});

for (const [what, change, code] of [
  ['another version', { version: 2 }, 'repo/unsupported'],
  ['another hash', { algorithm: 'fsverity-sha384-12' }, 'repo/unsupported'],
  ['other blocks', { algorithm: 'fsverity-sha256-16' }, 'repo/unsupported'],
  ['images of a later version', { erofs_formats: { default: 3 } }, 'repo/unsupported'],
  ['a number as algorithm', { algorithm: 1 }, 'repo/bad-meta'],
  ['no version', { version: undefined }, 'repo/bad-meta'],
  ['features that are no list', { features: { incompatible: 'x' } }, 'repo/bad-meta'],
] as const) {
  test(`meta.json refused: ${what}`, () => assert.throws(() => parseRepoMeta(meta(change)), { code }));
}

test('meta.json refused: no JSON, too much of it', () => {
  assert.throws(() => parseRepoMeta(Buffer.from('{')), { name: 'BootsealError' });
  assert.throws(() => parseRepoMeta(new Uint8Array(70_000)), { code: 'repo/bad-meta' });
});

test('tags are one file name, and come back', () => {
  const letter = fc.constantFrom('a', 'Z', '0', '9', '.', '_', ':', '@', '/', '+', '-');
  fc.assert(
    fc.property(fc.string({ unit: letter, minLength: 1, maxLength: 200 }), (name) => {
      fc.pre(name !== '.' && name !== '..');
      const file = encodeTag(name);
      assert.ok(!file.includes('/'));
      assert.equal(decodeTag(file), name);
    }),
  );
  assert.equal(encodeTag('docker://quay.io/acme/os:10'), 'docker:%2F%2Fquay.io%2Facme%2Fos:10');
  assert.equal(decodeTag('%252F'), '%2F');
  for (const bad of ['', '.', '..', 'a b', 'a\n', 'a\0', 'ü', '%2F', 'x'.repeat(201)]) {
    assert.throws(() => encodeTag(bad), { code: 'repo/bad-name' });
  }
});

test('links are believed only where they lead to an object', () => {
  const digest = 'ab'.repeat(32);
  assert.equal(linkedObject(`../${objectFile(digest)}`, 'sha256'), digest);
  for (const target of [
    objectFile(digest),
    `/${objectFile(digest)}`,
    `../../${objectFile(digest)}`,
    `../objects/ab/../../../etc/passwd`,
    `../${objectFile(digest.toUpperCase())}`,
    `../${objectFile(digest)}\n`,
  ]) {
    assert.equal(linkedObject(target, 'sha256'), undefined, target);
  }
  assert.equal(linkedObject(`../${objectFile(digest)}`, 'sha512'), undefined);
  assert.equal(isObjectDigest('AB'.repeat(32), 'sha256'), false);
});

test('references from a configuration to its images', () => {
  assert.equal(imageRefName('v1', false), 'composefs.image.v1');
  assert.equal(imageRefName('v1', true), 'composefs.image.boot.v1');
  assert.equal(imageRefName('v2', true), 'composefs.image.boot');
});
