import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { contextTag, readChildren, readDer } from '../../../src/formats/der/reader.ts';
import { context, encodeElement, sequence } from '../../../src/formats/der/writer.ts';
import { buildCertificate } from '../../../src/formats/x509/build.ts';
import {
  certificateFingerprint,
  extendedKeyUsages,
  isAuthority,
  isIssuedBy,
  isSelfIssued,
  keyUsages,
  parseCertificate,
} from '../../../src/formats/x509/certificate.ts';
import { isTestCertificate, refuseTestName } from '../../../src/formats/x509/test-keys.ts';
import { nestedElements } from '../../support/nested-elements.ts';
import { vectorCertificate, vectorKeyPem } from '../../support/uki-vectors.ts';

const NAMES = [
  'rsa2048',
  'rsa3072',
  'rsa4096',
  'ec',
  'root',
  'inter',
  'leaf',
  'code',
  'expired',
  'future',
  'plain',
  'pk',
  'kek',
];

describe('x509 certificate', () => {
  it('agrees with OpenSSL on every field', () => {
    for (const name of NAMES) {
      const bytes = vectorCertificate(name);
      const ours = parseCertificate(bytes);
      const theirs = new X509Certificate(bytes);
      assert.equal(certificateFingerprint(ours), theirs.fingerprint256.replaceAll(':', '').toLowerCase());
      assert.equal(ours.subjectText, theirs.subject.split('\n').toReversed().join(','));
      assert.equal(ours.notBefore.getTime(), Date.parse(theirs.validFrom));
      assert.equal(ours.notAfter.getTime(), Date.parse(theirs.validTo));
      assert.equal(isAuthority(ours), theirs.ca);
      assert.deepEqual(Buffer.from(ours.spki), theirs.publicKey.export({ type: 'spki', format: 'der' }));
      assert.equal(
        BigInt(`0x${Buffer.from(ours.serial).toString('hex')}`),
        BigInt(`0x${theirs.serialNumber}`),
      );
    }
  });

  it('knows who issued whom', () => {
    const [root, inter, leaf, other] = ['root', 'inter', 'leaf', 'other'].map((name) =>
      parseCertificate(vectorCertificate(name)),
    );
    assert.ok(isIssuedBy(leaf, inter));
    assert.ok(isIssuedBy(inter, root));
    assert.ok(isIssuedBy(root, root) && isSelfIssued(root));
    assert.ok(!isIssuedBy(leaf, root));
    assert.ok(!isIssuedBy(leaf, other));
    // The name alone is not enough.
    assert.ok(!isIssuedBy(leaf, { ...inter, spki: other.spki }));
  });

  it('reads usages', () => {
    const leaf = parseCertificate(vectorCertificate('leaf'));
    assert.deepEqual(keyUsages(leaf), ['digitalSignature']);
    assert.deepEqual(extendedKeyUsages(leaf), ['1.3.6.1.5.5.7.3.3']);
    assert.deepEqual(keyUsages(parseCertificate(vectorCertificate('root'))), ['keyCertSign', 'cRLSign']);
    assert.equal(keyUsages(parseCertificate(vectorCertificate('plain'))), undefined);
  });

  it('refuses every prefix, and bytes after the end', () => {
    const bytes = vectorCertificate('leaf');
    for (let length = 0; length < bytes.length; length += 1) {
      assert.throws(() => parseCertificate(bytes.subarray(0, length)), { name: 'BootsealError' });
    }
    assert.throws(() => parseCertificate(Buffer.concat([bytes, Uint8Array.of(0)])), {
      code: 'der/trailing-data',
    });
  });

  it('builds certificates that OpenSSL verifies', () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const request = {
      commonName: 'Acme, Inc. = Größe',
      organization: 'Acme',
      publicKey,
      signingKey: privateKey,
      notBefore: new Date('2026-01-01T00:00:00Z'),
      notAfter: new Date('2056-01-01T00:00:00Z'),
    };
    const bytes = buildCertificate(request);
    const theirs = new X509Certificate(bytes);
    assert.ok(theirs.verify(publicKey));
    assert.ok(theirs.checkPrivateKey(privateKey));
    assert.equal(theirs.ca, false);
    assert.equal(Date.parse(theirs.validTo), Date.parse('2056-01-01T00:00:00Z'));
    const ours = parseCertificate(bytes);
    assert.equal(ours.subjectText, 'CN=Acme\\, Inc. \\= Größe,O=Acme');
    assert.deepEqual(keyUsages(ours), ['digitalSignature']);
    assert.ok(isIssuedBy(ours, ours));

    const issuerKey = createPrivateKey(vectorKeyPem('inter'));
    const inter = parseCertificate(vectorCertificate('inter'));
    const issued = buildCertificate({
      ...request,
      issuer: { encodedName: inter.subject },
      signingKey: issuerKey,
    });
    assert.ok(isIssuedBy(parseCertificate(issued), inter));
    assert.ok(new X509Certificate(issued).checkIssued(new X509Certificate(inter.encoded)));
    assert.throws(() => buildCertificate({ ...request, commonName: 'x'.repeat(65) }), {
      code: 'x509/name-length',
    });
    assert.throws(() => buildCertificate({ ...request, commonName: '' }), { code: 'x509/name-length' });
  });

  it('js-asn1: optional fields in the wrong place, twice, or of a version that has none', () => {
    const bytes = vectorCertificate('rsa2048');
    const [tbs, ...rest] = readChildren(readDer(bytes));
    const fields = readChildren(tbs).map(({ encoded }) => encoded);
    const parse = (...elements: readonly Uint8Array[]) =>
      parseCertificate(sequence(sequence(...elements), ...rest.map(({ encoded }) => encoded)));
    assert.equal(parse(...fields).version, 3);
    const [version, ...others] = fields;
    const last = fields.at(-1)!;
    const unique = encodeElement(contextTag(1, false), Uint8Array.of(0, 1));
    const wrong: readonly (readonly Uint8Array[])[] = [
      [...others.slice(0, 1), version, ...others.slice(1)],
      [version, ...fields],
      others,
      [...fields, last],
      [last, ...fields.slice(0, -1)],
      [...fields, unique],
      [...fields.slice(0, -1), unique, unique, last],
      [...fields.slice(0, -1), version],
    ];
    for (const [at, elements] of wrong.entries()) {
      assert.throws(() => parse(...elements), { name: 'BootsealError' }, String(at));
    }
    assert.throws(() => parseCertificate(nestedElements(10_000)), { name: 'BootsealError' });
    const deep = [...fields.slice(0, -1), context(3, nestedElements(10_000))];
    assert.throws(() => parse(...deep), { name: 'BootsealError' });
  });

  it('refuses a certificate whose two algorithms differ', () => {
    const bytes = Buffer.from(vectorCertificate('rsa2048'));
    // The last arc of sha256WithRSAEncryption, 11, in the outer copy: 12 is SHA-384.
    const outer = bytes.lastIndexOf(Buffer.from('2a864886f70d01010b', 'hex'));
    bytes[outer + 8] = 12;
    assert.throws(() => parseCertificate(bytes), { code: 'x509/algorithm-mismatch' });
  });

  it('sb-test-key: knows published keys, and makes none', () => {
    assert.ok(isTestCertificate(parseCertificate(vectorCertificate('pk'))));
    assert.ok(isTestCertificate({ subjectText: 'CN=DO NOT TRUST - AMI Test PK' }));
    assert.ok(isTestCertificate({ subjectText: 'CN=Do Not Ship' }));
    assert.ok(!isTestCertificate({ subjectText: 'CN=Acme db' }));
    assert.throws(() => refuseTestName('DO NOT TRUST - Acme'), { code: 'x509/test-key', exit: 2 });
  });
});
