/** Sigstore keys: files of the peers, what Go accepts and refuses, and nothing secret anywhere. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { test } from 'node:test';
import { isBootsealError } from '../../../src/errors.ts';
import { encodePem, findPemBlock } from '../../../src/formats/cosign/pem.ts';
import {
  decryptPrivateKey,
  encryptPrivateKey,
  parsePrivateKeyBox,
} from '../../../src/formats/cosign/private-key.ts';
import {
  encodePublicKey,
  parsePublicKey,
  publicKeyFromSpki,
} from '../../../src/formats/cosign/public-key.ts';
import { vectorPath } from '../../support/project.ts';

const EMPTY = new Uint8Array(0);
const keyFile = (name: string): Buffer => readFileSync(vectorPath('policy', 'keys', name));

function spkiOf(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

test('public key files that skopeo reads are read, the others are not', () => {
  const refused = [
    'empty.pub',
    'garbage.pub',
    'k256.pub',
    'p256-bom.pub',
    'p256-der.pub',
    'p256-ecblock.pub',
    'p256-leading-space.pub',
    'p256-private.pub',
  ];
  const names = readdirSync(vectorPath('policy', 'keys')).filter((name) => name.endsWith('.pub'));
  const wrong = names.filter((name) => {
    try {
      parsePublicKey(keyFile(name));
      return refused.includes(name);
    } catch (error) {
      assert(isBootsealError(error));
      return !refused.includes(name);
    }
  });
  assert.deepEqual(wrong, []);
});

test('the first block of a file is the key', () => {
  const first = parsePublicKey(keyFile('p256-then-p256b.pub'));
  assert.equal(first.fingerprint, parsePublicKey(keyFile('p256.pub')).fingerprint);
  assert.notEqual(first.fingerprint, parsePublicKey(keyFile('p256b.pub')).fingerprint);
});

test('what is written is read back', () => {
  for (const curve of ['P-256', 'P-384', 'P-521', 'secp224r1']) {
    const key = publicKeyFromSpki(spkiOf(generateKeyPairSync('ec', { namedCurve: curve }).publicKey));
    assert.deepEqual(parsePublicKey(Buffer.from(encodePublicKey(key))).spki, key.spki);
  }
});

test('keys that Go would read otherwise, or not at all, are refused', () => {
  const p256 = spkiOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey);
  const explicit = generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' });
  const others: readonly [string, Uint8Array][] = [
    ['trailing byte', Buffer.concat([p256, Buffer.from([0])])],
    ['curve written out', spkiOf(explicit.publicKey)],
    ['Edwards 448', spkiOf(generateKeyPairSync('ed448').publicKey)],
    ['X25519', spkiOf(generateKeyPairSync('x25519').publicKey)],
    ['RSA-PSS', spkiOf(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey)],
    ['RSA-768', spkiOf(generateKeyPairSync('rsa', { modulusLength: 768 }).publicKey)],
    ['DSA', spkiOf(generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 }).publicKey)],
    ['nothing', EMPTY],
  ];
  for (const [what, der] of others) {
    assert.throws(() => publicKeyFromSpki(der), { code: 'cosign/bad-public-key' }, what);
    assert.throws(
      () => parsePublicKey(Buffer.from(encodePem('PUBLIC KEY', der))),
      { code: 'cosign/bad-public-key' },
      what,
    );
  }
});

test('private keys of skopeo and cosign are opened, and belong to their public keys', () => {
  for (const [privateName, publicName] of [
    ['skopeo-made.private', 'skopeo-made.pub'],
    ['cosign.key', 'cosign.pub'],
    ['cosign-p384.key', 'cosign-p384.pub'],
    ['cosign-rsa2048.key', 'cosign-rsa2048.pub'],
  ] as const) {
    const { publicKey } = decryptPrivateKey(keyFile(`private/${privateName}`), EMPTY);
    assert.equal(publicKey.fingerprint, parsePublicKey(keyFile(publicName)).fingerprint);
  }
});

test('what is encrypted is opened with its passphrase only, and no error tells a secret', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const secret = privateKey.export({ type: 'pkcs8', format: 'der' });
  const file = Buffer.from(encryptPrivateKey(privateKey, Buffer.from('pass word')));
  assert.match(file.toString(), /^-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----\n/);
  assert.deepEqual(parsePrivateKeyBox(file).cost, 65536);
  const opened = decryptPrivateKey(file, Buffer.from('pass word'));
  assert.deepEqual(opened.key.export({ type: 'pkcs8', format: 'der' }), secret);
  for (const wrong of ['', 'pass wore', 'pass word\n']) {
    assert.throws(
      () => decryptPrivateKey(file, Buffer.from(wrong)),
      (error) => {
        assert(isBootsealError(error));
        assert.equal(error.code, 'cosign/wrong-passphrase');
        const text = inspect(error, { depth: 9 });
        return !text.includes(secret.toString('base64')) && (wrong === '' || !text.includes(wrong));
      },
    );
  }
});

test('every byte of the box is protected', () => {
  const box = JSON.parse(
    Buffer.from(findPemBlock(keyFile('private/skopeo-made.private'))!.bytes).toString(),
  ) as {
    ciphertext: string;
    cipher: { nonce: string };
    kdf: { salt: string; params: { N: number } };
  };
  const flipped = (text: string, at: number): string => {
    const bytes = Buffer.from(text, 'base64');
    bytes[at % bytes.length] ^= 1;
    return bytes.toString('base64');
  };
  const changed = [
    { ...box, ciphertext: flipped(box.ciphertext, 0) },
    { ...box, ciphertext: flipped(box.ciphertext, 40) },
    { ...box, cipher: { ...box.cipher, nonce: flipped(box.cipher.nonce, 23) } },
    { ...box, kdf: { ...box.kdf, salt: flipped(box.kdf.salt, 31) } },
    { ...box, ciphertext: '' },
  ];
  for (const each of changed) {
    const file = Buffer.from(encodePem('ENCRYPTED SIGSTORE PRIVATE KEY', Buffer.from(JSON.stringify(each))));
    assert.throws(() => decryptPrivateKey(file, EMPTY), { code: 'cosign/wrong-passphrase' });
  }
});

test('a file cannot ask for more memory or time than the peers take', () => {
  const good = parsePem('private/cosign.key');
  for (const params of [
    { N: 2 ** 30, r: 8, p: 1 },
    { N: 65536, r: 64, p: 1 },
    { N: 65536, r: 8, p: 1000 },
    { N: 65537, r: 8, p: 1 },
    { N: 1, r: 8, p: 1 },
  ]) {
    const document = { ...good, kdf: { ...good.kdf, params } };
    const file = Buffer.from(
      encodePem('ENCRYPTED COSIGN PRIVATE KEY', Buffer.from(JSON.stringify(document))),
    );
    const started = performance.now();
    assert.throws(() => decryptPrivateKey(file, EMPTY), { message: 'unsupported scrypt parameters' });
    assert(performance.now() - started < 100);
  }
});

test('a plain private key is refused with a way to make another', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  assert.throws(
    () => decryptPrivateKey(pem, EMPTY),
    (error) =>
      isBootsealError(error) &&
      /unsupported pem type: PRIVATE KEY/.test(error.message) &&
      /key generate/.test(error.hint ?? ''),
  );
});

function parsePem(name: string): { kdf: object } {
  return JSON.parse(Buffer.from(findPemBlock(keyFile(name))!.bytes).toString()) as { kdf: object };
}
