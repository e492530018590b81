/** Names of certificates: as text they are for people; whoever compares them compares their bytes. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { OID } from '../../../src/formats/der/oid.ts';
import { readDer, TAG } from '../../../src/formats/der/reader.ts';
import { encodeElement, oid, sequence, setOf, utf8String } from '../../../src/formats/der/writer.ts';
import { parseCertificate } from '../../../src/formats/x509/certificate.ts';
import { attributesOf, formatName } from '../../../src/formats/x509/name.ts';
import { makeCertificate } from '../../support/x509-maker.ts';

type Part = readonly [id: string, text: string];

function nameOf(...sets: readonly (readonly Part[])[]): Uint8Array {
  return sequence(
    ...sets.map((parts) => setOf(...parts.map(([id, text]) => sequence(oid(id), utf8String(text))))),
  );
}

const textOf = (name: Uint8Array): string => formatName(readDer(name));

test('js-rdn: no value reads like another attribute', () => {
  assert.equal(textOf(nameOf([[OID.organization, 'Acme,CN=root']])), 'O=Acme\\,CN\\=root');
  assert.equal(textOf(nameOf([[OID.organization, 'Acme+CN=root']])), 'O=Acme\\+CN\\=root');
  assert.equal(textOf(nameOf([[OID.organization, 'Acme\\']], [[OID.commonName, 'x']])), 'CN=x,O=Acme\\\\');
  assert.equal(textOf(nameOf([[OID.commonName, '#04024869']])), 'CN=\\#04024869');
  assert.equal(textOf(nameOf([[OID.commonName, ' x ']])), 'CN=\\ x\\ ');
  assert.equal(textOf(nameOf([[OID.commonName, 'a\0b']])), 'CN=a\\00b');
  // Two attributes in one part are not two parts.
  const joined = nameOf([
    [OID.commonName, 'x'],
    [OID.organization, 'y'],
  ]);
  assert.equal(textOf(joined), 'CN=x+O=y');
  assert.deepEqual(attributesOf(nameOf([[OID.organization, 'Acme,CN=root']]), OID.commonName), []);
  assert.deepEqual(attributesOf(joined, OID.commonName), ['x']);
  const wide = sequence(
    setOf(sequence(oid(OID.commonName), encodeElement(TAG.bmpString, Buffer.from('0141', 'hex')))),
  );
  assert.equal(textOf(wide), 'CN=Ł');
});

test('js-rdn: names that differ have texts that differ, and OpenSSL reads the same values', () => {
  const values = fc.stringMatching(/^[ a#,+="\\<>;CNO\0]{1,6}$/);
  const names = fc.array(
    fc.array(fc.tuple(fc.constantFrom(OID.commonName, OID.organization), values), {
      minLength: 1,
      maxLength: 2,
    }),
    {
      minLength: 1,
      maxLength: 3,
    },
  );
  fc.assert(
    fc.property(names, names, (left, right) => {
      const [a, b] = [nameOf(...left), nameOf(...right)];
      assert.equal(textOf(a) === textOf(b), Buffer.compare(a, b) === 0);
    }),
    { numRuns: 2000 },
  );
  const encodedSubject = nameOf([[OID.organization, 'Acme,CN=root']], [[OID.commonName, 'x']]);
  const { der } = makeCertificate({ name: 'x', encodedSubject });
  const theirs = new X509Certificate(der).toLegacyObject().subject as unknown as Record<string, string>;
  assert.deepEqual([theirs['CN'], theirs['O']], ['x', 'Acme,CN=root']);
  assert.deepEqual(attributesOf(parseCertificate(der).subject, OID.commonName), ['x']);
});

test('js-dn: a name of many or large parts makes no more text than four times its bytes, at once', () => {
  const started = performance.now();
  for (const name of [
    nameOf([[OID.commonName, '=#']]),
    nameOf([[OID.commonName, '=#'.repeat(30_000)]]),
    nameOf(...Array.from({ length: 4000 }, (): Part[] => [[OID.commonName, '=#']])),
    nameOf(Array.from({ length: 4000 }, (): Part => ['2.5.4.99', '#='])),
    sequence(setOf(sequence(encodeElement(TAG.oid, new Uint8Array(60_000).fill(1)), utf8String('x')))),
  ]) {
    const text = textOf(name);
    assert(text.length <= 4 * name.length, `${text.length} of ${name.length}`);
    const { der } = makeCertificate({ name: 'x', encodedSubject: name });
    if (der.length > 64 * 1024) assert.throws(() => parseCertificate(der), { code: 'x509/too-large' });
    else assert.equal(parseCertificate(der).subjectText, text);
  }
  assert(performance.now() - started < 3000);
});
