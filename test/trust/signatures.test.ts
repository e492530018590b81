/** Signatures over bytes: encodings, and attacks on them. */
import assert from 'node:assert/strict';
import {
  constants,
  createPublicKey,
  generateKeyPairSync,
  privateEncrypt,
  sign,
  type KeyObject,
} from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { publicKeyFromSpki, type SigstorePublicKey } from '../../src/formats/cosign/public-key.ts';
import { readEcdsaSignature } from '../../src/trust/signatures/ecdsa-encoding.ts';
import { checkSignature } from '../../src/trust/signatures/verify-bytes.ts';

const data = Buffer.from('the signed bytes');

function publicOf(key: KeyObject): SigstorePublicKey {
  return publicKeyFromSpki(createPublicKey(key).export({ type: 'spki', format: 'der' }));
}

const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const weak = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).privateKey;
const ed25519 = generateKeyPairSync('ed25519').privateKey;

test('each algorithm accepts its signature and no other byte', () => {
  for (const key of [p256, p521, rsa, ed25519]) {
    const signature = sign(key === ed25519 ? null : 'sha256', data, key);
    const publicKey = publicOf(key);
    assert.equal(checkSignature(publicKey, data, signature), undefined);
    assert.notEqual(checkSignature(publicKey, Buffer.from('other bytes'), signature), undefined);
    for (let at = 0; at < signature.length; at++) {
      const changed = Buffer.from(signature);
      changed[at] ^= 1;
      assert.notEqual(checkSignature(publicKey, data, changed), undefined, `byte ${at}`);
    }
    for (const length of [0, 1, signature.length - 1]) {
      assert.notEqual(checkSignature(publicKey, data, signature.subarray(0, length)), undefined);
    }
    assert.notEqual(checkSignature(publicKey, data, Buffer.concat([signature, Buffer.from([0])])), undefined);
  }
});

test('ECDSA in both encodings', () => {
  for (const key of [p256, p521]) {
    const raw = sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' });
    assert.equal(checkSignature(publicOf(key), data, raw), undefined);
  }
});

/** DER of two unsigned numbers, minimal. */
function der(r: bigint, s: bigint): Buffer {
  const integer = (value: bigint): Buffer => {
    const hex = value.toString(16);
    let bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
    if (bytes[0] >= 0x80) bytes = Buffer.concat([Buffer.from([0]), bytes]);
    return Buffer.concat([Buffer.from([0x02, bytes.length]), bytes]);
  };
  const body = Buffer.concat([integer(r), integer(s)]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

test('js-dsa: r and s of 0, n and beyond are refused', () => {
  const key = publicOf(p256);
  const raw = sign('sha256', data, { key: p256, dsaEncoding: 'ieee-p1363' });
  const r = BigInt(`0x${raw.subarray(0, 32).toString('hex')}`);
  const s = BigInt(`0x${raw.subarray(32).toString('hex')}`);
  assert.equal(checkSignature(key, data, der(r, s)), undefined);
  // The other root of the same signature is as good mathematically, and Go takes it too.
  assert.equal(checkSignature(key, data, der(r, ORDER - s)), undefined);
  for (const [a, b] of [
    [0n, 0n],
    [0n, s],
    [r, 0n],
    [ORDER, s],
    [r, ORDER],
    [r + ORDER, s],
    [r, s + ORDER],
    [1n, 1n],
  ]) {
    assert.notEqual(checkSignature(key, data, der(a, b)), undefined);
  }
});

test('DER that is not the one encoding is refused', () => {
  const key = publicOf(p256);
  const good = sign('sha256', data, p256);
  const r = good.subarray(4, 4 + good[3]);
  const s = good.subarray(6 + good[3]);
  const integer = (bytes: Uint8Array, ...front: number[]): Buffer =>
    Buffer.concat([Buffer.from([2, bytes.length + front.length, ...front]), bytes]);
  const sequence = (...parts: Buffer[]): Buffer => {
    const body = Buffer.concat(parts);
    return Buffer.concat([Buffer.from([0x30, body.length]), body]);
  };
  assert.equal(checkSignature(key, data, sequence(integer(r), integer(s))), undefined);
  const broken = [
    sequence(integer(r, 0), integer(s)),
    sequence(integer(r), integer(s), Buffer.from([5, 0])),
    sequence(integer(r)),
    Buffer.concat([Buffer.from([0x30, 0x81, good.length - 2]), good.subarray(2)]),
    Buffer.concat([good, Buffer.from('junk')]),
    Buffer.concat([Buffer.from([0x31]), good.subarray(1)]),
  ];
  for (const each of broken)
    assert.notEqual(checkSignature(key, data, each), undefined, each.toString('hex'));
});

test('no bytes make the reader of ECDSA signatures fail', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 160 }), fc.constantFrom(28, 32, 48, 66), (bytes, fieldSize) => {
      const read = readEcdsaSignature(bytes, fieldSize);
      if (read.form === 'der' || read.form === 'p1363') assert.equal(read.p1363.length, 2 * fieldSize);
    }),
  );
});

test('js-rsa: a forged block with trailing garbage is refused for e = 3', () => {
  const key = publicOf(weak);
  const good = sign('sha256', data, weak);
  assert.equal(checkSignature(key, data, good), undefined);
  // The block that a lax verifier would take: short padding, DigestInfo, then bytes of the forger's choice.
  const block = privateBlock(good);
  const info = block.subarray(block.indexOf(0, 2) + 1);
  for (const padding of [1, 8]) {
    const forged = Buffer.alloc(256, 0xa5);
    Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(padding, 0xff), Buffer.from([0]), info]).copy(forged);
    const signature = privateEncrypt({ key: weak, padding: constants.RSA_NO_PADDING }, forged);
    assert.notEqual(checkSignature(key, data, signature), undefined);
  }
  const cubeRoot = Buffer.alloc(256);
  cubeRoot[255] = 2;
  assert.notEqual(checkSignature(key, data, cubeRoot), undefined);
});

/** The padded block inside a signature: the public operation, done with the private key's other half. */
function privateBlock(signature: Buffer): Buffer {
  const { n, e } = weak.export({ format: 'jwk' });
  const modulus = BigInt(`0x${Buffer.from(String(n), 'base64url').toString('hex')}`);
  const exponent = BigInt(`0x${Buffer.from(String(e), 'base64url').toString('hex')}`);
  let result = 1n;
  const base = BigInt(`0x${signature.toString('hex')}`);
  for (let step = 0n; step < exponent; step++) result = (result * base) % modulus;
  return Buffer.from(result.toString(16).padStart(512, '0'), 'hex');
}

test('an RSA signature with PSS padding or another hash is refused', () => {
  const key = publicOf(rsa);
  const pss = sign('sha256', data, { key: rsa, padding: constants.RSA_PKCS1_PSS_PADDING });
  assert.notEqual(checkSignature(key, data, pss), undefined);
  assert.notEqual(checkSignature(key, data, sign('sha512', data, rsa)), undefined);
});
