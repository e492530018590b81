import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { encodeSignedVariable, signVariable } from '../../../src/formats/authvar/auth.ts';
import type { KeyVariable } from '../../../src/formats/authvar/format.ts';
import { enrolKeys, type EnrolledKeys } from '../../../src/formats/authvar/varstore.ts';
import { testSigner } from '../../support/signer.ts';
import { vectorCertificate, vectorFile } from '../../support/uki-vectors.ts';

const TIME = new Date('2020-01-01T00:00:00Z');
const signer = (name: string) => testSigner(name).signer;

describe('.auth files', () => {
  const cases: [string, KeyVariable, string, Date, boolean][] = [
    ['sign-pk', 'PK', 'pk', TIME, false],
    ['sign-dbx', 'dbx', 'kek', TIME, false],
    ['sign-db-append', 'db', 'kek', TIME, true],
    ['sign-two-lists', 'db', 'kek', TIME, false],
    ['sign-mixed-lists', 'db', 'kek', TIME, false],
    ['sign-time-leap', 'db', 'kek', new Date('2024-02-29T12:00:00Z'), false],
    ['sign-time-none', 'db', 'kek', new Date('2023-11-14T22:13:20Z'), false],
  ];
  for (const [name, variable, key, time, append] of cases) {
    it(`are byte-identical to sign-efi-sig-list: ${name}`, async () => {
      const contents = vectorFile(`out/siglist/${name}.in.esl`);
      const auth = await signVariable(
        { name: variable, contents, time, append },
        vectorCertificate(key),
        signer(key),
      );
      assert.deepEqual(Buffer.from(auth), Buffer.from(vectorFile(`out/siglist/${name}.out.auth`)));
    });
  }

  it('sign the bytes that sign-efi-sig-list -o writes', () => {
    const contents = vectorFile('out/siglist/sign-bundle.in.esl');
    const signed = (append: boolean) =>
      Buffer.from(encodeSignedVariable({ name: 'db', contents, time: TIME, append }));
    assert.deepEqual(signed(false), Buffer.from(vectorFile('out/siglist/sign-bundle.bundle.bin')));
    assert.deepEqual(signed(true), Buffer.from(vectorFile('out/siglist/sign-bundle-append.bundle.bin')));
  });

  it("are not made with a key that is not the certificate's", async () => {
    const update = { name: 'db' as const, contents: new Uint8Array(0), time: TIME };
    await assert.rejects(signVariable(update, vectorCertificate('kek'), signer('pk')), {
      code: 'authvar/key-mismatch',
    });
  });
});

describe('OVMF variable store', () => {
  /** OVMF_VARS_4M.fd of Debian 12: erased flash but for three headers. */
  function template(): Uint8Array {
    const bytes = new Uint8Array(0x84000).fill(0xff);
    const put = (offset: number, hex: string) =>
      bytes.set(Buffer.from(hex.replaceAll(' ', ''), 'hex'), offset);
    put(0x00, '00000000 00000000 00000000 00000000 8d2bf1ff 96768b4c a9852747 075b4f50');
    put(0x20, '00400800 00000000 5f465648 fffe0400 4800afb8 00000002 84000000 00100000');
    put(0x40, '00000000 00000000 782cf3aa 7b949a43 a1802e14 4ec37792 b8ff0300 5afe0000 00000000');
    put(0x41000, '2b29589e 687c7d49 a0ce6500 fd9f1b95 2caf2c64 feffffff e00f0000 00000000');
    return bytes;
  }
  const keys: EnrolledKeys = {
    owner: '11111111-2222-3333-4444-123456789abc',
    PK: vectorCertificate('pk'),
    KEK: [vectorCertificate('kek')],
    db: [vectorCertificate('rsa2048')],
  };

  it('is byte-identical to virt-fw-vars --set-pk --add-kek --add-db --sb', () => {
    const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
    assert.equal(sha256(template()), '5d2ac383371b408398accee7ec27c8c09ea5b74a0de0ceea6513388b15be5d1e');
    const store = enrolKeys(template(), keys);
    assert.equal(sha256(store), '936e3f35e0c101541dd86b3825d524d54f8e35bcbd3e5f1082edf5f48c088d34');
  });

  it('refuses what is not an empty store', () => {
    assert.throws(() => enrolKeys(enrolKeys(template(), keys), keys), { code: 'varstore/not-empty' });
    assert.throws(() => enrolKeys(new Uint8Array(0x1000), keys), { code: 'varstore/not-a-volume' });
    assert.throws(() => enrolKeys(template().subarray(0, 0x30), keys), { code: 'varstore/truncated' });
    assert.throws(() => enrolKeys(template().subarray(0, 0x3000), keys), { code: 'varstore/truncated' });
    const other = template();
    other[0x48] = 0;
    assert.throws(() => enrolKeys(other, keys), { code: 'varstore/not-authenticated' });
    const many = Array.from({ length: 400 }, () => vectorCertificate('rsa2048'));
    assert.throws(() => enrolKeys(template(), { ...keys, db: many }), { code: 'varstore/full' });
  });
});
