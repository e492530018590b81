/**
 * X.509 certificates (RFC 5280 section 4.1), as far as boot signatures need them. Names, the serial number
 * and the public key are kept as their encoded bytes, because those are what signatures and chains compare.
 *
 *     Certificate    ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue BIT STRING }
 *     TBSCertificate ::= SEQUENCE { [0] version, serialNumber, signature, issuer, validity, subject,
 *                                   subjectPublicKeyInfo, [1] issuerUID, [2] subjectUID, [3] extensions }
 */
import { createPublicKey, hash, verify } from 'node:crypto';
import { compareBytes, equalBytes } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import { OID } from '../der/oid.ts';
import {
  contextTag,
  DerFields,
  readBitString,
  readBoolean,
  readConstructed,
  readDer,
  readIntegerBytes,
  readOid,
  readSmallInteger,
  readTime,
  TAG,
  type DerElement,
} from '../der/reader.ts';
import { formatName } from './name.ts';

/** Real certificates stay below 4 KiB; post-quantum ones below 32. */
const MAX_CERTIFICATE_BYTES = 64 * 1024;

export interface CertificateExtension {
  readonly id: string;
  readonly critical: boolean;
  /** Contents of the OCTET STRING: the DER of the extension's own type. */
  readonly value: Uint8Array;
}

export interface Certificate {
  readonly encoded: Uint8Array;
  /** The signed part, with its tag and length. */
  readonly tbs: Uint8Array;
  /** Contents octets of the INTEGER. */
  readonly serial: Uint8Array;
  /** The encoded Name. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** The encoded SubjectPublicKeyInfo. */
  readonly spki: Uint8Array;
  /** Object identifier of the key's algorithm. */
  readonly keyAlgorithm: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly signatureAlgorithm: string;
  /** The encoded AlgorithmIdentifier: RSA-PSS keeps its hash in the parameters. */
  readonly encodedAlgorithm: Uint8Array;
  readonly signature: Uint8Array;
  /** 1, 2 or 3. */
  readonly version: number;
  readonly extensions: readonly CertificateExtension[];
  /** Subject as text, `CN=…,O=…`; untrusted. */
  readonly subjectText: string;
}

/** Parses one certificate in DER. Errors are `x509/…` and `der/…`. */
export function parseCertificate(bytes: Uint8Array): Certificate {
  if (bytes.length > MAX_CERTIFICATE_BYTES) {
    throw new BootsealError('x509/too-large', `a certificate of more than ${MAX_CERTIFICATE_BYTES} bytes`);
  }
  const outer = new DerFields(readDer(bytes), TAG.sequence, 'certificate');
  const tbs = outer.take(TAG.sequence, 'tbsCertificate');
  const outerAlgorithm = outer.take(TAG.sequence, 'signatureAlgorithm');
  const signature = readBitString(outer.take(TAG.bitString, 'signatureValue'));
  outer.end();

  const fields = new DerFields(tbs, TAG.sequence, 'tbsCertificate');
  const versionElement = fields.optional(contextTag(0));
  const version = versionElement === undefined ? 0 : readVersion(versionElement);
  const serial = readIntegerBytes(fields.take(TAG.integer, 'serialNumber'));
  const innerAlgorithm = fields.take(TAG.sequence, 'signature');
  // RFC 5280 section 4.1.1.2: both must name the same algorithm, else the outer one could be swapped.
  if (!equalBytes(innerAlgorithm.encoded, outerAlgorithm.encoded)) {
    throw new BootsealError('x509/algorithm-mismatch', 'the signed and the outer signature algorithm differ');
  }
  const issuer = fields.take(TAG.sequence, 'issuer');
  const validity = new DerFields(fields.take(TAG.sequence, 'validity'), TAG.sequence, 'validity');
  const notBefore = readTime(validity.takeAny('notBefore'));
  const notAfter = readTime(validity.takeAny('notAfter'));
  validity.end();
  const subject = fields.take(TAG.sequence, 'subject');
  const spki = fields.take(TAG.sequence, 'subjectPublicKeyInfo');
  fields.optional(contextTag(1, false));
  fields.optional(contextTag(2, false));
  const extensions = readExtensions(fields.optional(contextTag(3)), version);
  fields.end();

  return {
    encoded: bytes,
    tbs: tbs.encoded,
    serial,
    issuer: issuer.encoded,
    subject: subject.encoded,
    spki: spki.encoded,
    keyAlgorithm: readAlgorithm(readConstructed(spki, TAG.sequence, 'subjectPublicKeyInfo')[0]),
    notBefore,
    notAfter,
    signatureAlgorithm: readAlgorithm(outerAlgorithm),
    encodedAlgorithm: outerAlgorithm.encoded,
    signature: signature.bytes,
    version: version + 1,
    extensions,
    subjectText: formatName(subject),
  };
}

/** The bits that `keyUsage` may set, in the order of RFC 5280 section 4.2.1.3. */
const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;
export type KeyUsage = (typeof KEY_USAGES)[number];

/** The usages allowed, or undefined when the certificate does not restrict them. */
export function keyUsages(certificate: Certificate): readonly KeyUsage[] | undefined {
  const value = extensionValue(certificate, OID.keyUsage);
  if (value === undefined) return undefined;
  const { bytes } = readBitString(readDer(value));
  return KEY_USAGES.filter((_, bit) => ((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0);
}

/** Object identifiers of the extended usages, or undefined without that extension. */
export function extendedKeyUsages(certificate: Certificate): readonly string[] | undefined {
  const value = extensionValue(certificate, OID.extendedKeyUsage);
  if (value === undefined) return undefined;
  return readConstructed(readDer(value), TAG.sequence, 'extendedKeyUsage').map(readOid);
}

/** True when basicConstraints says CA. */
export function isAuthority(certificate: Certificate): boolean {
  const value = extensionValue(certificate, OID.basicConstraints);
  if (value === undefined) return false;
  const fields = new DerFields(readDer(value), TAG.sequence, 'basicConstraints');
  const authority = fields.optional(TAG.boolean);
  fields.optional(TAG.integer);
  fields.end();
  return authority !== undefined && readBoolean(authority);
}

/** SHA-256 of the whole certificate, lower-case hexadecimal. */
export function certificateFingerprint(certificate: Certificate): string {
  return hash('sha256', certificate.encoded, 'hex');
}

export function isSelfIssued(certificate: Certificate): boolean {
  return compareBytes(certificate.issuer, certificate.subject) === 0;
}

const HASH_OF_SIGNATURE: ReadonlyMap<string, string> = new Map([
  [OID.sha1WithRsa, 'sha1'],
  [OID.sha256WithRsa, 'sha256'],
  [OID.sha384WithRsa, 'sha384'],
  [OID.sha512WithRsa, 'sha512'],
  [OID.ecdsaWithSha256, 'sha256'],
  [OID.ecdsaWithSha384, 'sha384'],
  [OID.ecdsaWithSha512, 'sha512'],
]);

/** True when `issuer` is named as the issuer and its key made the signature. Dates and usages: see the caller. */
export function isIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  const digest = HASH_OF_SIGNATURE.get(certificate.signatureAlgorithm);
  if (digest === undefined || !equalBytes(certificate.issuer, issuer.subject)) return false;
  try {
    const key = createPublicKey({ key: Buffer.from(issuer.spki), format: 'der', type: 'spki' });
    return verify(digest, certificate.tbs, key, certificate.signature);
  } catch {
    // A key that the crypto library cannot read has signed nothing that we accept.
    return false;
  }
}

function extensionValue(certificate: Certificate, id: string): Uint8Array | undefined {
  return certificate.extensions.find((extension) => extension.id === id)?.value;
}

function readVersion(element: DerElement): number {
  const inner = new DerFields(element, contextTag(0), 'version');
  const version = readSmallInteger(inner.take(TAG.integer, 'number'));
  inner.end();
  if (version > 2) throw new BootsealError('x509/version', `certificate version ${version + 1} is unknown`);
  return version;
}

function readAlgorithm(element: DerElement | undefined): string {
  const [id] = readConstructed(element, TAG.sequence, 'algorithm');
  if (id === undefined) throw new BootsealError('x509/algorithm', 'an algorithm without an identifier');
  return readOid(id);
}

function readExtensions(element: DerElement | undefined, version: number): CertificateExtension[] {
  if (element === undefined) return [];
  if (version !== 2) throw new BootsealError('x509/version', 'extensions need certificate version 3');
  const wrapper = new DerFields(element, contextTag(3), 'extensions');
  const list = wrapper.take(TAG.sequence, 'list');
  wrapper.end();
  const extensions = readConstructed(list, TAG.sequence, 'extensions').map((item) => {
    const fields = new DerFields(item, TAG.sequence, 'extension');
    const id = readOid(fields.take(TAG.oid, 'identifier'));
    const critical = fields.optional(TAG.boolean);
    const value = fields.take(TAG.octetString, 'value').contents;
    fields.end();
    return { id, critical: critical !== undefined && readBoolean(critical), value };
  });
  if (new Set(extensions.map((extension) => extension.id)).size !== extensions.length) {
    throw new BootsealError('x509/duplicate-extension', 'an extension appears twice');
  }
  return extensions;
}
