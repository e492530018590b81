import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gatherParts } from '../../src/bytes/rope.ts';
import { isBootsealError } from '../../src/errors.ts';
import { signPe } from '../../src/formats/authenticode/sign.ts';
import { verifyPe } from '../../src/formats/authenticode/verify.ts';
import { readCertificates } from '../../src/stores/keys/certificates.ts';
import { isEncryptedKey, readSigningKey } from '../../src/stores/keys/signing-key.ts';
import { vectorCertificate, vectorFile, vectorKeyPem, vectorPath } from '../support/uki-vectors.ts';

let folder: string;
before(async () => (folder = await mkdtemp(join(tmpdir(), 'bootseal-keys-'))));
after(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, contents: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, contents);
  return path;
}

describe('private key files', () => {
  const key = createPrivateKey(vectorKeyPem('rsa2048'));
  const secret = { cipher: 'aes-256-cbc', passphrase: 'correct horse' } as const;

  it('are read in every form that openssl writes', async () => {
    const forms: [string, string | Uint8Array, string?][] = [
      ['pkcs8.pem', key.export({ type: 'pkcs8', format: 'pem' })],
      ['pkcs1.pem', key.export({ type: 'pkcs1', format: 'pem' })],
      ['pkcs8.der', key.export({ type: 'pkcs8', format: 'der' })],
      ['pkcs8-encrypted.pem', key.export({ type: 'pkcs8', format: 'pem', ...secret }), 'correct horse'],
      ['pkcs1-encrypted.pem', key.export({ type: 'pkcs1', format: 'pem', ...secret }), 'correct horse'],
    ];
    for (const [name, contents, passphrase] of forms) {
      const path = await file(name, contents);
      const signer = await readSigningKey(path, passphrase);
      const data = Buffer.from('data');
      assert.ok(verify('sha256', data, createPublicKey(key), await signer.sign(data)), name);
      assert.deepEqual(
        Buffer.from(signer.publicKeySpki!),
        createPublicKey(key).export({ type: 'spki', format: 'der' }),
      );
      assert.equal(await isEncryptedKey(path), passphrase !== undefined);
    }
  });

  it('that are not such give an error that quotes nothing of them', async () => {
    const encrypted = await file('encrypted.pem', key.export({ type: 'pkcs8', format: 'pem', ...secret }));
    const pem = vectorKeyPem('rsa2048');
    const cases: [string, string, (string | undefined)?][] = [
      [join(folder, 'absent'), 'key/unreadable'],
      [folder, 'key/unreadable'],
      [encrypted, 'key/needs-passphrase'],
      [encrypted, 'key/wrong-passphrase', 'battery staple'],
      [vectorPath('keys/rsa2048.pem'), 'key/not-private'],
      [vectorPath('keys/pcr.pub'), 'key/not-private'],
      [vectorPath('keys/rsa2048.der'), 'key/not-private'],
      [await file('empty', ''), 'key/not-private'],
      [await file('cut.pem', pem.slice(0, 400)), 'key/not-private'],
      [await file('large', new Uint8Array(70_000)), 'key/unreadable'],
      [vectorPath('keys/ec.key'), 'key/unsupported'],
      [
        await file(
          'ed25519',
          generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
        ),
        'key/unsupported',
      ],
    ];
    for (const [path, code, passphrase] of cases) {
      await assert.rejects(readSigningKey(path, passphrase), (error: unknown) => {
        assert.ok(isBootsealError(error), path);
        assert.equal(error.code, code, path);
        assert.ok(!`${error.message}${error.hint}`.includes(pem.split('\n')[1]), path);
        return true;
      });
    }
  });
});

describe('damaged key files', () => {
  const image = [vectorFile('s-uki.efi')];
  const certificates = [vectorCertificate('rsa2048')];

  it('cut off anywhere are refused', async () => {
    for (const [name, bytes] of [
      ['cut.pem', Buffer.from(vectorKeyPem('rsa2048'))],
      ['cut.der', createPrivateKey(vectorKeyPem('rsa2048')).export({ type: 'pkcs8', format: 'der' })],
    ] as const) {
      for (let length = 0; length < bytes.length - 30; length += 7) {
        const path = await file(name, bytes.subarray(0, length));
        await assert.rejects(readSigningKey(path), { code: 'key/not-private' }, `${name}: ${length} bytes`);
      }
    }
  });

  it('with any byte changed sign correctly or not at all', async () => {
    const der = createPrivateKey(vectorKeyPem('rsa2048')).export({ type: 'pkcs8', format: 'der' });
    let refused = 0;
    for (let offset = 0; offset < der.length; offset += 13) {
      const bytes = Buffer.from(der);
      bytes[offset] ^= 1 << (offset % 8);
      const path = await file('flipped.der', bytes);
      try {
        const signed = gatherParts(await signPe(image, { signer: await readSigningKey(path), certificates }));
        assert.ok(verifyPe(signed, { anchors: certificates }).accepted, `offset ${offset}`);
      } catch (error) {
        assert.ok(isBootsealError(error), `offset ${offset}: ${String(error)}`);
        refused += 1;
      }
    }
    assert.ok(refused > 20, `${refused} refused`);
  });
});

describe('certificate files', () => {
  it('hold one in DER, or several in PEM with anything between them', async () => {
    const leaf = vectorCertificate('leaf');
    assert.deepEqual(
      (await readCertificates(vectorPath('keys/leaf.der'))).map((bytes) => Buffer.from(bytes)),
      [Buffer.from(leaf)],
    );
    assert.deepEqual(
      (await readCertificates(vectorPath('keys/leaf.pem'))).map((bytes) => Buffer.from(bytes)),
      [Buffer.from(leaf)],
    );
    const chain = await readCertificates(vectorPath('keys/chain.pem'));
    assert.deepEqual(
      chain.map((bytes) => Buffer.from(bytes)),
      ['root', 'inter'].map((name) => Buffer.from(vectorCertificate(name))),
    );
    const text = `Subject: leaf\n-----BEGIN CERTIFICATE-----\r\n${Buffer.from(leaf).toString('base64')}\r\n-----END CERTIFICATE-----`;
    assert.equal((await readCertificates(await file('text.pem', text))).length, 1);
  });

  it('that hold none are refused', async () => {
    const begin = '-----BEGIN CERTIFICATE-----\n';
    const end = '\n-----END CERTIFICATE-----\n';
    const cases: [string, string][] = [
      [join(folder, 'absent'), 'certificate/unreadable'],
      [vectorPath('keys/leaf.key'), 'certificate/not-a-certificate'],
      [await file('none', ''), 'certificate/not-a-certificate'],
      [await file('base64', `${begin}!!!!${end}`), 'certificate/bad-base64'],
      [await file('der', Uint8Array.of(0x30, 0x03, 0x02, 0x01, 0x00)), 'der/wrong-tag'],
      [await file('trailing', Buffer.concat([vectorCertificate('leaf'), Buffer.of(0)])), 'der/trailing-data'],
    ];
    for (const [path, code] of cases) await assert.rejects(readCertificates(path), { code }, path);
  });
});
