/** Certificates of any shape, good and bad, for tests of path validation: ours cannot be made to say such things. */
import { constants, generateKeyPairSync, sign, type KeyObject, type SigningOptions } from 'node:crypto';
import { encodeUtf8 } from '../../src/bytes/bytes.ts';
import { encodePem } from '../../src/formats/cosign/pem.ts';
import { OID } from '../../src/formats/der/oid.ts';
import {
  bitString,
  boolean,
  context,
  encodeElement,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
  time,
  unsignedInteger,
  utf8String,
} from '../../src/formats/der/writer.ts';
import { encodeName } from '../../src/formats/x509/name.ts';

export interface MadeCertificate {
  readonly der: Uint8Array;
  readonly pem: string;
  readonly name: string;
  readonly key: KeyObject;
  readonly publicKey: KeyObject;
}

export interface Extension {
  readonly id: string;
  readonly critical?: boolean;
  readonly value: Uint8Array;
}

export interface CertificateShape {
  readonly name: string;
  /** Who signs; without it the certificate signs itself. */
  readonly issuer?: MadeCertificate;
  /** Claim another issuer than the one that signs. */
  readonly issuerName?: string;
  /** Encoded Names, in place of those texts. */
  readonly encodedSubject?: Uint8Array;
  readonly encodedIssuer?: Uint8Array;
  readonly notBefore?: string;
  readonly notAfter?: string;
  readonly extensions?: readonly Extension[];
  /** 3 unless given. */
  readonly version?: number;
  readonly keys?: { readonly privateKey: KeyObject; readonly publicKey: KeyObject };
  /** Of the issuer's signature. */
  readonly hash?: HashName;
  /** RSA only: PSS padding; `odd` with a salt that no reader takes. */
  readonly pss?: 'plain' | 'odd';
  readonly serial?: number;
}

type HashName = 'sha1' | 'sha256' | 'sha384' | 'sha512';

let serial = 1;

export function makeCertificate(shape: CertificateShape): MadeCertificate {
  const keys = shape.keys ?? generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signingKey = shape.issuer?.key ?? keys.privateKey;
  const { encoded, hash, options } = algorithmOf(signingKey, shape.hash ?? 'sha256', shape.pss);
  const version = shape.version ?? 3;
  const tbs = sequence(
    ...(version === 1 ? [] : [context(0, integer(version - 1))]),
    unsignedInteger(Uint8Array.from([(shape.serial ?? serial++) >> 8, (shape.serial ?? serial) & 0xff])),
    encoded,
    shape.encodedIssuer ?? encodeName(shape.issuerName ?? shape.issuer?.name ?? shape.name),
    sequence(
      time(new Date(shape.notBefore ?? '2020-01-01T00:00:00Z')),
      time(new Date(shape.notAfter ?? '2120-01-01T00:00:00Z')),
    ),
    shape.encodedSubject ?? encodeName(shape.name),
    Uint8Array.from(keys.publicKey.export({ type: 'spki', format: 'der' })),
    ...(shape.extensions === undefined || shape.extensions.length === 0
      ? []
      : [context(3, sequence(...shape.extensions.map(encodeExtension)))]),
  );
  const der = sequence(tbs, encoded, bitString(sign(hash, tbs, { key: signingKey, ...options })));
  return {
    der,
    pem: encodePem('CERTIFICATE', der),
    name: shape.name,
    key: keys.privateKey,
    publicKey: keys.publicKey,
  };
}

function encodeExtension({ id, critical = false, value }: Extension): Uint8Array {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value));
}

interface MadeAlgorithm {
  readonly encoded: Uint8Array;
  readonly hash: string | null;
  readonly options?: SigningOptions;
}

/** RFC 4055 section 3.1. */
function pssAlgorithm(hash: HashName, kind: 'plain' | 'odd'): MadeAlgorithm {
  const ids = { sha1: OID.sha1, sha256: OID.sha256, sha384: OID.sha384, sha512: OID.sha512 };
  const sizes = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 };
  const saltLength = kind === 'odd' ? 20 : sizes[hash];
  const own = sequence(oid(ids[hash]), nullValue());
  const masks = sequence(oid(OID.mgf1), own);
  return {
    encoded: sequence(
      oid(OID.rsaPss),
      sequence(context(0, own), context(1, masks), context(2, integer(saltLength))),
    ),
    hash,
    options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength },
  };
}

/** A hash and a salt of SHA-512 do not fit into 1024 bits. */
function shortEnough(key: KeyObject, hash: HashName): HashName {
  return hash === 'sha512' && (key.asymmetricKeyDetails?.modulusLength ?? 0) < 1040 ? 'sha384' : hash;
}

function algorithmOf(key: KeyObject, hash: HashName, pss: CertificateShape['pss']): MadeAlgorithm {
  if (key.asymmetricKeyType === 'ed25519') return { encoded: sequence(oid(OID.ed25519)), hash: null };
  if (key.asymmetricKeyType === 'rsa') {
    if (pss !== undefined) return pssAlgorithm(shortEnough(key, hash), pss);
    const ids = {
      sha1: OID.sha1WithRsa,
      sha256: OID.sha256WithRsa,
      sha384: OID.sha384WithRsa,
      sha512: OID.sha512WithRsa,
    };
    return { encoded: sequence(oid(ids[hash]), nullValue()), hash };
  }
  const ids = {
    sha1: OID.ecdsaWithSha1,
    sha256: OID.ecdsaWithSha256,
    sha384: OID.ecdsaWithSha384,
    sha512: OID.ecdsaWithSha512,
  };
  return { encoded: sequence(oid(ids[hash])), hash };
}

/** basicConstraints, critical. */
export function ca(authority = true, pathLength?: number): Extension {
  const value = sequence(
    ...(authority ? [boolean(true)] : []),
    ...(pathLength === undefined ? [] : [integer(pathLength)]),
  );
  return { id: OID.basicConstraints, critical: true, value };
}

/** keyUsage: bit 0 digitalSignature, bit 5 keyCertSign. */
export function usage(...bits: readonly number[]): Extension {
  let byte = 0;
  for (const bit of bits) byte |= 0x80 >> bit;
  const unused = bits.length === 0 ? 0 : 7 - Math.max(...bits);
  return { id: OID.keyUsage, critical: true, value: bitString(Uint8Array.of(byte), unused) };
}

export const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
export const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
export const ANY_USAGE = '2.5.29.37.0';

export function extendedUsage(...ids: readonly string[]): Extension {
  return { id: OID.extendedKeyUsage, value: sequence(...ids.map((id) => oid(id))) };
}

export interface Names {
  readonly emails?: readonly string[];
  readonly dns?: readonly string[];
  readonly uris?: readonly string[];
  readonly addresses?: readonly Uint8Array[];
  /** otherName, which nothing reads. */
  readonly other?: boolean;
}

export function alternativeNames(names: Names, critical = false): Extension {
  return { id: OID.subjectAlternativeName, critical, value: sequence(...generalNames(names)) };
}

function generalNames({ emails = [], dns = [], uris = [], addresses = [], other = false }: Names) {
  return [
    ...emails.map((text) => encodeElement(0x81, encodeUtf8(text))),
    ...dns.map((text) => encodeElement(0x82, encodeUtf8(text))),
    ...uris.map((text) => encodeElement(0x86, encodeUtf8(text))),
    ...addresses.map((bytes) => encodeElement(0x87, bytes)),
    ...(other ? [context(0, oid('1.3.6.1.4.1.57264.1.7'), context(0, utf8String('x')))] : []),
  ];
}

export function nameConstraints(
  { permitted, excluded }: { readonly permitted?: Names; readonly excluded?: Names },
  critical = true,
): Extension {
  const subtrees = (names: Names) => generalNames(names).map((name) => sequence(name));
  const value = sequence(
    ...(permitted ? [context(0, ...subtrees(permitted))] : []),
    ...(excluded ? [context(1, ...subtrees(excluded))] : []),
  );
  return { id: OID.nameConstraints, critical, value };
}

/** An extension that nobody knows. */
export function unknownExtension(critical: boolean): Extension {
  return { id: '1.3.6.1.4.1.99999.1', critical, value: utf8String('x') };
}

/** The OIDC issuer as Fulcio writes it: old (raw text) and new (DER). */
export function oidcIssuer(text: string): readonly Extension[] {
  return [
    { id: '1.3.6.1.4.1.57264.1.1', value: encodeUtf8(text) },
    { id: '1.3.6.1.4.1.57264.1.8', value: utf8String(text) },
  ];
}
