import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { readCertificateTable } from '../../../src/formats/authenticode/table.ts';
import { OID } from '../../../src/formats/der/oid.ts';
import { readChildren, readDer } from '../../../src/formats/der/reader.ts';
import * as der from '../../../src/formats/der/writer.ts';
import { readPe } from '../../../src/formats/pe/reader.ts';
import {
  encodeAttribute,
  encodeSignedAttributes,
  encodeSignedData,
  readSignedData,
} from '../../../src/formats/pkcs7/signed-data.ts';
import { parseCertificate } from '../../../src/formats/x509/certificate.ts';
import { vectorCertificate, vectorFile } from '../../support/uki-vectors.ts';

const certificates = ['leaf', 'inter'].map(vectorCertificate);
const signerCertificate = parseCertificate(certificates[0]);

function pkcs7Of(name: string): Uint8Array {
  const file = vectorFile(`out/sign/${name}.efi`);
  return readCertificateTable([file], readPe(file))[0].pkcs7;
}

describe('PKCS#7 SignedData', () => {
  it('reads what each signer writes', () => {
    for (const name of ['uki-sbsign', 'uki-osslsigncode', 'addon-pesign', 'addon-systemd-sbsign']) {
      const signed = readSignedData(pkcs7Of(name));
      assert.equal(signed.contentType, OID.spcIndirectData, name);
      assert.deepEqual(signed.digestAlgorithms, [OID.sha256]);
      assert.deepEqual(
        signed.certificates.map((bytes) => Buffer.from(bytes)),
        [Buffer.from(vectorCertificate('rsa2048'))],
      );
      const types = signed.signer.attributes?.map(({ type }) => type) ?? [];
      for (const type of [OID.contentType, OID.messageDigest, OID.signingTime])
        assert.ok(types.includes(type), name);
      assert.equal(signed.signer.signature.length, 256);
    }
  });

  it('gives back what was written', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(bytes, bytes, fc.boolean(), (content, signature, withAttributes) => {
        const attributes = [
          encodeAttribute(OID.messageDigest, der.octetString(content)),
          encodeAttribute(OID.contentType, der.oid(OID.data)),
        ];
        const encoded = encodeSignedData({
          contentType: OID.data,
          content: der.octetString(content),
          certificates,
          signerCertificate,
          signature,
          ...(withAttributes ? { attributes } : {}),
        });
        const signed = readSignedData(encoded);
        assert.deepEqual(Buffer.from(signed.content!.contents), Buffer.from(content));
        assert.deepEqual(Buffer.from(signed.signer.signature), Buffer.from(signature));
        assert.deepEqual(Buffer.from(signed.signer.serial), Buffer.from(signerCertificate.serial));
        assert.equal(signed.certificates.length, 2);
        const covered = signed.signer.signedAttributes;
        assert.deepEqual(
          covered && Buffer.from(covered),
          withAttributes ? Buffer.from(encodeSignedAttributes(attributes)) : undefined,
        );
      }),
    );
  });

  it('refuses other numbers of signers, other versions and other objects', () => {
    const good = { contentType: OID.data, certificates, signerCertificate, signature: new Uint8Array(256) };
    const [oid, wrapped] = readChildren(readDer(encodeSignedData(good)));
    const parts = readChildren(readChildren(wrapped)[0]).map(({ encoded }) => encoded);
    const rebuilt = (change: (fields: Uint8Array[]) => void) => {
      const fields = [...parts];
      change(fields);
      return der.sequence(oid.encoded, der.context(0, der.sequence(...fields)));
    };
    const signer = readChildren(readDer(parts.at(-1)!))[0].encoded;
    assert.equal(readSignedData(rebuilt(() => undefined)).signer.signature.length, 256);
    const refused = (code: string, change: (fields: Uint8Array[]) => void) =>
      assert.throws(() => readSignedData(rebuilt(change)), { code });
    refused('pkcs7/signer-count', (fields) => (fields[fields.length - 1] = der.setOf()));
    refused('pkcs7/signer-count', (fields) => (fields[fields.length - 1] = der.setOf(signer, signer)));
    refused('pkcs7/version', (fields) => (fields[0] = der.integer(3)));
    refused('der/unexpected', (fields) => fields.push(der.nullValue()));
    refused('der/missing', (fields) => fields.pop());
    refused('pkcs7/too-many-certificates', (fields) => {
      fields[3] = der.context(0, ...Array.from({ length: 65 }, () => certificates[0]));
    });
    const data = der.sequence(der.oid(OID.data), der.context(0, der.octetString(new Uint8Array(1))));
    assert.throws(() => readSignedData(data), { code: 'pkcs7/not-signed-data' });
  });
});
