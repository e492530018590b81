/** Keyring files: what counts as one, and what makes GnuPG import nothing. The files are those of the policy vectors. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { concatBytes } from '../../../src/bytes/bytes.ts';
import { isBootsealError } from '../../../src/errors.ts';
import { openKeyring, parseKeyring } from '../../../src/formats/openpgp/index.ts';
import { vectorPath } from '../../support/project.ts';

const read = (name: string): Buffer => readFileSync(vectorPath('policy', 'keys', name));
const fingerprints = JSON.parse(read('gpg-fingerprints.json').toString()) as Readonly<Record<string, string>>;

/** Names of keys in `gpg-fingerprints.json`; an empty list where GnuPG imports nothing. */
const FILES: Readonly<Record<string, readonly string[]>> = {
  'gpg-ed.gpg': ['ed'],
  'gpg-ed.asc': ['ed'],
  'gpg-crlf.asc': ['ed'],
  'gpg-armor-header.asc': ['ed'],
  'gpg-nocrc.asc': ['ed'],
  'gpg-noend.asc': ['ed'],
  'gpg-prose.asc': ['ed'],
  'gpg-two.gpg': ['rsa', 'ed'],
  'gpg-two.asc': ['rsa', 'ed'],
  'gpg-two-blocks.asc': ['rsa', 'ed'],
  'gpg-prose-blocks.asc': ['rsa', 'ed'],
  'gpg-armor-then-binary.gpg': ['rsa'],
  'gpg-binary-then-armor.gpg': [],
  'gpg-badcrc.asc': [],
  'gpg-empty.gpg': [],
  'gpg-garbage.gpg': [],
  'gpg-good-then-garbage.gpg': [],
  'gpg-good-then-truncated.gpg': [],
  'gpg-truncated.gpg': [],
  'gpg-no-userid.gpg': [],
  'gpg-sub.gpg': ['sub'],
  'gpg-dsa.gpg': ['dsa'],
  'gpg-rsa1024.gpg': ['rsa1024'],
};

for (const [file, names] of Object.entries(FILES)) {
  test(`${file} holds ${names.join(' and ') || 'nothing'}`, async () => {
    const ring = await openKeyring(parseKeyring(read(file)));
    assert.deepEqual([...ring.fingerprints].sort(), names.map((name) => fingerprints[name]).sort());
  });
}

test('a secret key is refused by name', () => {
  for (const file of ['gpg-secret.gpg', 'gpg-secret.asc', 'private/gpg-all-secret.asc']) {
    assert.throws(
      () => parseKeyring(read(file)),
      (error: unknown) => {
        assert(isBootsealError(error));
        assert.equal(error.code, 'openpgp/secret-key');
        assert.match(error.message, /secret key/);
        return true;
      },
    );
  }
});

test('a secret key among public ones is refused too', () => {
  const mixed = concatBytes([read('gpg-ed.gpg'), read('gpg-secret.gpg')]);
  assert.throws(() => parseKeyring(mixed), /secret key/);
});

test('every byte cut off or added is no key, or the same one', async () => {
  const whole = read('gpg-ed.gpg');
  for (let length = 1; length < whole.length; length += 11) {
    const ring = await openKeyring(parseKeyring(whole.subarray(0, length)));
    assert.deepEqual(ring.fingerprints, []);
  }
  const long = concatBytes([whole, Buffer.from([0x00])]);
  assert.deepEqual(parseKeyring(long), []);
});

test('a keyring without end is refused', () => {
  assert.throws(() => parseKeyring(new Uint8Array(4 * 1024 * 1024 + 1)), /exceeds/);
  // Markers are two bytes and say nothing: 60,000 of them are too many.
  const markers = Buffer.alloc(120_000).map((_, at) => (at % 2 === 0 ? 0xca : 0));
  assert.deepEqual(parseKeyring(markers), []);
});

test('no file of keys of another kind is taken for a keyring', () => {
  for (const name of readdirSync(vectorPath('policy', 'keys'))) {
    if (!/\.(?:pub|pem)$/.test(name)) continue;
    assert.deepEqual(parseKeyring(read(name)), [], name);
  }
});
