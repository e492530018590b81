/**
 * PKCS#7 version 1.5 SignedData (RFC 2315) with one signer, the form that Authenticode and UEFI's
 * authenticated variables use. CMS libraries insist on the OCTET STRING that RFC 2630 brought and cannot
 * read it.
 *
 *     ContentInfo ::= SEQUENCE { contentType OID, [0] content }
 *     SignedData  ::= SEQUENCE { version 1, digestAlgorithms SET, contentInfo ContentInfo,
 *                                [0] certificates, [1] crls, signerInfos SET }
 *     SignerInfo  ::= SEQUENCE { version 1, issuerAndSerialNumber, digestAlgorithm, [0] authenticatedAttributes,
 *                                digestEncryptionAlgorithm, encryptedDigest, [1] unauthenticatedAttributes }
 */
import { concatBytes } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import { OID } from '../der/oid.ts';
import {
  contextTag,
  DerFields,
  readChildren,
  readConstructed,
  readDer,
  readIntegerBytes,
  readOid,
  readSmallInteger,
  TAG,
  type DerElement,
} from '../der/reader.ts';
import {
  algorithm,
  context,
  encodeElement,
  integer,
  octetString,
  oid,
  sequence,
  setOf,
  sortSet,
} from '../der/writer.ts';
import type { Certificate } from '../x509/certificate.ts';

/** Chains have four at most. Without a limit, thousands of the same name would each be tried as an issuer. */
const MAX_CERTIFICATES = 64;

export interface Attribute {
  readonly type: string;
  readonly values: readonly DerElement[];
}

export interface SignedData {
  /** Object identifiers. */
  readonly digestAlgorithms: readonly string[];
  readonly contentType: string;
  /** The element inside the content's `[0]`; undefined when the content is kept elsewhere. */
  readonly content: DerElement | undefined;
  /** In DER, in the order written; not yet parsed. */
  readonly certificates: readonly Uint8Array[];
  readonly signer: {
    readonly issuer: Uint8Array;
    readonly serial: Uint8Array;
    readonly digestAlgorithm: string;
    readonly signatureAlgorithm: string;
    /** Undefined when the signature covers the content directly. */
    readonly attributes: readonly Attribute[] | undefined;
    /** The attributes as signed: the same bytes under the tag of a SET. */
    readonly signedAttributes: Uint8Array | undefined;
    readonly signature: Uint8Array;
    /** Nobody vouches for these. */
    readonly unauthenticatedAttributes: readonly Attribute[];
  };
}

/** Reads a ContentInfo that holds SignedData with exactly one signer. */
export function readSignedData(bytes: Uint8Array): SignedData {
  const info = new DerFields(readDer(bytes), TAG.sequence, 'ContentInfo');
  const type = readOid(info.take(TAG.oid, 'contentType'));
  if (type !== OID.signedData)
    throw new BootsealError('pkcs7/not-signed-data', 'the object is not SignedData');
  const [signedData, ...rest] = readChildren(info.take(contextTag(0), 'content'));
  info.end();
  if (signedData === undefined || rest.length > 0)
    throw new BootsealError('pkcs7/not-signed-data', 'no SignedData inside');

  const fields = new DerFields(signedData, TAG.sequence, 'SignedData');
  expectVersion(fields.take(TAG.integer, 'version'), 'SignedData');
  const digestAlgorithms = readConstructed(
    fields.take(TAG.set, 'digestAlgorithms'),
    TAG.set,
    'digestAlgorithms',
  );
  const content = new DerFields(fields.take(TAG.sequence, 'contentInfo'), TAG.sequence, 'contentInfo');
  const contentType = readOid(content.take(TAG.oid, 'contentType'));
  const wrapped = content.optional(contextTag(0));
  content.end();
  const certificates = fields.optional(contextTag(0));
  fields.optional(contextTag(1));
  const signers = readConstructed(fields.take(TAG.set, 'signerInfos'), TAG.set, 'signerInfos');
  fields.end();
  if (signers.length !== 1) {
    throw new BootsealError('pkcs7/signer-count', `${signers.length} signers in one signature; expected 1`);
  }
  return {
    digestAlgorithms: digestAlgorithms.map(readAlgorithm),
    contentType,
    content: wrapped === undefined ? undefined : onlyChild(wrapped),
    certificates: certificates === undefined ? [] : readCertificates(certificates),
    signer: readSigner(signers[0]),
  };
}

function readCertificates(element: DerElement): Uint8Array[] {
  const certificates = readChildren(element).map(({ encoded }) => encoded);
  if (certificates.length > MAX_CERTIFICATES) {
    throw new BootsealError('pkcs7/too-many-certificates', `more than ${MAX_CERTIFICATES} certificates`, {
      offset: element.offset,
    });
  }
  return certificates;
}

function readSigner(element: DerElement): SignedData['signer'] {
  const fields = new DerFields(element, TAG.sequence, 'SignerInfo');
  expectVersion(fields.take(TAG.integer, 'version'), 'SignerInfo');
  const identity = new DerFields(fields.take(TAG.sequence, 'issuerAndSerialNumber'), TAG.sequence, 'signer');
  const issuer = identity.take(TAG.sequence, 'issuer').encoded;
  const serial = readIntegerBytes(identity.take(TAG.integer, 'serialNumber'));
  identity.end();
  const digestAlgorithm = readAlgorithm(fields.take(TAG.sequence, 'digestAlgorithm'));
  const attributes = fields.optional(contextTag(0));
  const signatureAlgorithm = readAlgorithm(fields.take(TAG.sequence, 'digestEncryptionAlgorithm'));
  const signature = fields.take(TAG.octetString, 'encryptedDigest').contents;
  const unauthenticated = fields.optional(contextTag(1));
  fields.end();
  return {
    issuer,
    serial,
    digestAlgorithm,
    signatureAlgorithm,
    attributes: attributes === undefined ? undefined : readChildren(attributes).map(readAttribute),
    signedAttributes:
      attributes === undefined
        ? undefined
        : concatBytes([Uint8Array.of(TAG.set), attributes.encoded.subarray(1)]),
    signature,
    unauthenticatedAttributes:
      unauthenticated === undefined ? [] : readChildren(unauthenticated).map(readAttribute),
  };
}

/** Signatures that stand in an attribute of another (osslsigncode -nest). Firmware does not look there. */
export function nestedSignatures(bytes: Uint8Array): Uint8Array[] {
  return readSignedData(bytes)
    .signer.unauthenticatedAttributes.filter(({ type }) => type === OID.nestedSignature)
    .flatMap(({ values }) => values.map(({ encoded }) => encoded));
}

function readAttribute(element: DerElement): Attribute {
  const fields = new DerFields(element, TAG.sequence, 'attribute');
  const type = readOid(fields.take(TAG.oid, 'type'));
  const values = readChildren(fields.take(TAG.set, 'values'));
  fields.end();
  return { type, values };
}

/** Parameters are NULL or absent for every algorithm that we accept; others are left to the caller's list. */
function readAlgorithm(element: DerElement): string {
  const [identifier] = readConstructed(element, TAG.sequence, 'algorithm');
  if (identifier === undefined)
    throw new BootsealError('pkcs7/algorithm', 'an algorithm without an identifier');
  return readOid(identifier);
}

function expectVersion(element: DerElement, what: string): void {
  const version = readSmallInteger(element);
  if (version !== 1) {
    throw new BootsealError('pkcs7/version', `${what} of version ${version}; expected 1`, {
      offset: element.offset,
    });
  }
}

function onlyChild(element: DerElement): DerElement {
  const [child, ...rest] = readChildren(element);
  if (child === undefined || rest.length > 0) {
    throw new BootsealError('pkcs7/content', 'expected one element of content', { offset: element.offset });
  }
  return child;
}

/** An authenticated attribute with one value. */
export function encodeAttribute(type: string, value: Uint8Array): Uint8Array {
  return sequence(oid(type), encodeElement(TAG.set, value));
}

/** The bytes that a signature over attributes covers: their DER SET. */
export function encodeSignedAttributes(attributes: readonly Uint8Array[]): Uint8Array {
  return setOf(...attributes);
}

export interface SignedDataParts {
  readonly contentType: string;
  /** The element to embed; none for a detached signature. */
  readonly content?: Uint8Array;
  readonly certificates: readonly Uint8Array[];
  readonly signerCertificate: Pick<Certificate, 'issuer' | 'serial'>;
  readonly attributes?: readonly Uint8Array[];
  /** RSASSA-PKCS1-v1_5 with SHA-256. */
  readonly signature: Uint8Array;
}

/** SignedData without the ContentInfo around it, as UEFI's authenticated variables want it. */
export function encodeBareSignedData(parts: SignedDataParts): Uint8Array {
  const { signerCertificate } = parts;
  const signerInfo = sequence(
    integer(1),
    sequence(signerCertificate.issuer, encodeElement(TAG.integer, signerCertificate.serial)),
    algorithm(OID.sha256),
    ...(parts.attributes === undefined ? [] : [context(0, ...sortSet(parts.attributes))]),
    algorithm(OID.rsaEncryption),
    octetString(parts.signature),
  );
  return sequence(
    integer(1),
    setOf(algorithm(OID.sha256)),
    sequence(oid(parts.contentType), ...(parts.content === undefined ? [] : [context(0, parts.content)])),
    context(0, ...parts.certificates),
    setOf(signerInfo),
  );
}

/** A ContentInfo that holds the SignedData. */
export function encodeSignedData(parts: SignedDataParts): Uint8Array {
  return sequence(oid(OID.signedData), context(0, encodeBareSignedData(parts)));
}
