/**
 * A certificate with every extension decoded that path validation looks at. One that is malformed is refused at once,
 * as Go's x509 refuses it, even where the path would not need it.
 */
import { isBootsealError, BootsealError } from '../../errors.ts';
import { publicKeyFromSpki, type SigstorePublicKey } from '../../formats/cosign/public-key.ts';
import { OID } from '../../formats/der/oid.ts';
import {
  contextTag,
  DerFields,
  readBoolean,
  readConstructed,
  readDer,
  readSmallInteger,
  TAG,
} from '../../formats/der/reader.ts';
import {
  extendedKeyUsages,
  keyUsages,
  parseCertificate,
  type Certificate,
  type KeyUsage,
} from '../../formats/x509/certificate.ts';
import { NO_NAMES, readAlternativeNames, type AlternativeNames } from './alternative-names.ts';
import { readNameConstraints, type NameConstraints } from './name-constraints.ts';

export interface PathCertificate {
  readonly certificate: Certificate;
  /** Undefined for a key of an algorithm that we do not verify with. */
  readonly publicKey: SigstorePublicKey | undefined;
  readonly names: AlternativeNames;
  /** Encoded; undefined without the extension. */
  readonly encodedNames: Uint8Array | undefined;
  readonly constraints: NameConstraints | undefined;
  readonly basicConstraints: { readonly authority: boolean; readonly pathLength?: number } | undefined;
  readonly keyUsages: readonly KeyUsage[] | undefined;
  readonly extendedKeyUsages: readonly string[];
  readonly subjectKeyId: Uint8Array | undefined;
  readonly authorityKeyId: Uint8Array | undefined;
  /** Extensions that say "refuse me if you do not understand this", and that we do not. */
  readonly unhandled: readonly string[];
}

/** The object identifiers of the keys that {@link publicKeyFromSpki} reads. */
const KEY_ALGORITHMS: readonly string[] = [OID.rsaEncryption, OID.ecPublicKey, OID.ed25519];

/** Read here, or of no weight in a path from a policy that asks for none (policies, revocation lists). */
const HANDLED: ReadonlySet<string> = new Set([
  OID.subjectKeyIdentifier,
  OID.keyUsage,
  OID.basicConstraints,
  OID.crlDistributionPoints,
  OID.certificatePolicies,
  OID.authorityKeyIdentifier,
  OID.extendedKeyUsage,
  OID.authorityInformationAccess,
]);

/** RFC 5280 says that these are never critical; Go refuses the certificate. */
const NEVER_CRITICAL: ReadonlyMap<string, string> = new Map([
  [OID.subjectKeyIdentifier, 'subject key identifier'],
  [OID.authorityKeyIdentifier, 'authority key identifier'],
  [OID.authorityInformationAccess, 'authority info access'],
]);

/** They make a path need a policy tree (RFC 5280 section 6.1.2), which is not built here: critical or not. */
const POLICY_TREE: readonly string[] = [OID.policyMappings, OID.policyConstraints, OID.inhibitAnyPolicy];

/** Throws `x509/…`, `der/…`, `cosign/bad-public-key`. */
export function readPathCertificate(der: Uint8Array): PathCertificate {
  const certificate = parseCertificate(der);
  if (certificate.serial[0] >= 0x80) throw bad('negative serial number');
  const values = new Map(certificate.extensions.map(({ id, value }) => [id, value]));
  const read = <T>(id: string, decode: (value: Uint8Array) => T): T | undefined => {
    const value = values.get(id);
    return value && decode(value);
  };
  for (const { id, critical } of certificate.extensions) {
    const name = NEVER_CRITICAL.get(id);
    if (critical && name !== undefined) throw bad(`${name} incorrectly marked critical`);
  }
  const encodedNames = values.get(OID.subjectAlternativeName);
  const names = encodedNames === undefined ? NO_NAMES : readAlternativeNames(encodedNames);
  const constraints = read(OID.nameConstraints, readNameConstraints);
  const unhandled = certificate.extensions.flatMap(({ id, critical }) => {
    if (POLICY_TREE.includes(id)) return id;
    if (!critical || HANDLED.has(id)) return [];
    if (id === OID.subjectAlternativeName && Object.values(names).some((kind) => kind.length > 0)) return [];
    if (id === OID.nameConstraints && constraints?.complete === true) return [];
    return id;
  });
  return {
    certificate,
    publicKey: readKey(certificate),
    names,
    encodedNames,
    constraints,
    basicConstraints: read(OID.basicConstraints, readBasicConstraints),
    keyUsages: keyUsages(certificate),
    extendedKeyUsages: extendedKeyUsages(certificate) ?? [],
    subjectKeyId: read(OID.subjectKeyIdentifier, readSubjectKeyId),
    authorityKeyId: read(OID.authorityKeyIdentifier, readAuthorityKeyId),
    unhandled,
  };
}

function readKey({ keyAlgorithm, spki }: Certificate): SigstorePublicKey | undefined {
  if (!KEY_ALGORITHMS.includes(keyAlgorithm)) return undefined;
  try {
    return publicKeyFromSpki(spki);
  } catch (error) {
    if (isBootsealError(error)) throw bad(`public key: ${error.message}`);
    throw error;
  }
}

function readBasicConstraints(value: Uint8Array): PathCertificate['basicConstraints'] {
  const fields = new DerFields(readDer(value), TAG.sequence, 'basicConstraints');
  const authority = fields.optional(TAG.boolean);
  const pathLength = fields.optional(TAG.integer);
  fields.end();
  return {
    authority: authority !== undefined && readBoolean(authority),
    ...(pathLength !== undefined && { pathLength: readSmallInteger(pathLength) }),
  };
}

function readSubjectKeyId(value: Uint8Array): Uint8Array {
  const element = readDer(value);
  if (element.tag !== TAG.octetString) throw bad('invalid subject key identifier');
  return element.contents;
}

function readAuthorityKeyId(value: Uint8Array): Uint8Array | undefined {
  const [first] = readConstructed(readDer(value), TAG.sequence, 'authorityKeyIdentifier');
  return first?.tag === contextTag(0, false) ? first.contents : undefined;
}

function bad(message: string): BootsealError {
  return new BootsealError('x509/malformed', `x509: ${message}`);
}
