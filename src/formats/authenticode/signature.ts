/** Checks one PKCS#7 object of a PE file by a verifier's rules. Every failing check is a reason of its own. */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { equalBytes } from '../../bytes/bytes.ts';
import { encodeHex } from '../../bytes/hex.ts';
import { isBootsealError, type ErrorCode } from '../../errors.ts';
import { normaliseLengths } from '../der/normalise.ts';
import { OID } from '../der/oid.ts';
import { readDer, readOid, TAG, type DerElement } from '../der/reader.ts';
import { readSignedData, type SignedData } from '../pkcs7/signed-data.ts';
import {
  isIssuedBy,
  isSelfIssued,
  keyUsages,
  parseCertificate,
  type Certificate,
} from '../x509/certificate.ts';
import { findChain } from './chain.ts';
import type { ImageHash } from './digest.ts';
import type { SignatureRules } from './rules.ts';
import { readSpcContent } from './spc.ts';

export interface Reason {
  readonly code: ErrorCode;
  /** One line. Names from certificates in it are untrusted. */
  readonly message: string;
  readonly offset?: number;
}

export interface CheckedSignature {
  readonly signer: Certificate | undefined;
  /** From the signer to the trusted certificate; the signer alone when there is no such path. */
  readonly path: readonly Certificate[];
  readonly reasons: readonly Reason[];
}

export interface SignatureContext {
  /** The image hash by algorithm. */
  readonly digestOf: (algorithm: ImageHash) => Uint8Array;
  readonly anchors: readonly Certificate[];
  readonly rules: SignatureRules;
  /** For rules that look at dates. */
  readonly at?: Date;
}

const SIGNER_HASHES: ReadonlyMap<string, ImageHash> = new Map([
  [OID.sha1, 'sha1'],
  [OID.sha256, 'sha256'],
  [OID.sha384, 'sha384'],
  [OID.sha512, 'sha512'],
]);
/** Signature algorithms, and the hashes that each goes with: `any` where the name says none. */
const SIGNATURE_ALGORITHMS: ReadonlyMap<string, ImageHash | 'any'> = new Map([
  [OID.rsaEncryption, 'any'],
  [OID.sha1WithRsa, 'sha1'],
  [OID.sha256WithRsa, 'sha256'],
  [OID.sha384WithRsa, 'sha384'],
  [OID.sha512WithRsa, 'sha512'],
  [OID.ecPublicKey, 'any'],
  [OID.ecdsaWithSha256, 'sha256'],
  [OID.ecdsaWithSha384, 'sha384'],
  [OID.ecdsaWithSha512, 'sha512'],
]);

export function checkSignature(pkcs7: Uint8Array, context: SignatureContext): CheckedSignature {
  const { anchors, rules } = context;
  let signed: SignedData;
  let embedded: Certificate[];
  try {
    const read = readSignedData(rules.longLengths ? normaliseLengths(pkcs7) : pkcs7);
    signed = rules.octetString ? unwrapContent(read) : read;
    embedded = signed.certificates.map(parseCertificate);
  } catch (error) {
    return { signer: undefined, path: [], reasons: [reasonOf(error)] };
  }
  const reasons: Reason[] = [];
  const check = (step: () => Reason | undefined): void => {
    try {
      const reason = step();
      if (reason !== undefined) reasons.push(reason);
    } catch (error) {
      reasons.push(reasonOf(error));
    }
  };
  // 1. The content is the hash of this image.
  check(() => checkImageDigest(signed, context));
  // 2. The attributes say what was signed, each exactly once.
  if (!rules.looseAttributes) check(() => checkAttribute(signed, rules, OID.contentType, checkContentType));
  check(() => checkAttribute(signed, rules, OID.messageDigest, checkMessageDigest));
  // 3. The signer is one of the certificates inside.
  const signer = embedded.find(
    (candidate) =>
      equalBytes(candidate.issuer, signed.signer.issuer) &&
      equalBytes(candidate.serial, signed.signer.serial),
  );
  if (signer === undefined) {
    reasons.push({
      code: 'authenticode/no-signer-certificate',
      message: "the signer's certificate is not embedded; firmware does not look it up in db",
    });
    return { signer, path: [], reasons };
  }
  check(() => checkKey(signer, rules));
  // 4. Its key made the signature.
  check(() => checkSignatureBytes(signed, signer));
  // 5. It leads to a trusted certificate.
  const path = findChain(signer, embedded, rules.trust === 'root' ? anchors.filter(isRoot) : anchors);
  if (path === undefined) {
    reasons.push({
      code: 'authenticode/untrusted-signer',
      message: `signed by ${signer.subjectText}, which no trusted certificate issued`,
    });
  } else if (rules.dates) {
    check(() => checkDates(path, context.at ?? new Date()));
  }
  return { signer, path: path ?? [signer], reasons };
}

/** What an error says, as a reason. */
export function reasonOf(error: unknown): Reason {
  if (isBootsealError(error)) {
    const offset = error.offset === undefined ? {} : { offset: error.offset };
    return { code: error.code, message: error.message, ...offset };
  }
  // node:crypto refuses keys and signatures that it cannot decode with errors of its own.
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'authenticode/malformed', message: `the signature cannot be decoded: ${message}` };
}

function checkImageDigest(signed: SignedData, { digestOf, rules }: SignatureContext): Reason | undefined {
  if (signed.contentType !== OID.spcIndirectData || signed.content === undefined) {
    return { code: 'authenticode/content-type', message: 'the signature does not hold an image hash' };
  }
  const spc = readSpcContent(signed.content, rules.validFlags);
  const algorithm = rules.imageHashes.get(spc.digestAlgorithm);
  if (algorithm === undefined) {
    return {
      code: 'authenticode/weak-digest',
      message: `the image hash is ${spc.digestAlgorithm}, not SHA-2`,
    };
  }
  // Firmware picks the hash by digestAlgorithms, verifiers by the content: they must agree, and so must the signer.
  const listed = signed.digestAlgorithms.includes(signed.signer.digestAlgorithm);
  const same =
    listed && signed.digestAlgorithms.length === 1 && signed.digestAlgorithms[0] === spc.digestAlgorithm;
  if (!(rules.algorithms === 'same' ? same : listed)) {
    return {
      code: 'authenticode/algorithm-mismatch',
      message: 'the signature names different digest algorithms',
    };
  }
  const digest = digestOf(algorithm);
  const stated = rules.hashPrefix ? spc.digest.subarray(0, digest.length) : spc.digest;
  if (!equalBytes(stated, digest)) {
    const shown = encodeHex(spc.digest.subarray(0, 64));
    return {
      code: 'authenticode/hash-mismatch',
      message: `signed for an image with ${algorithm} ${shown}, this one has ${encodeHex(digest)}`,
    };
  }
  return undefined;
}

/** Without attributes the signature covers the content directly, which is as good. */
function checkAttribute(
  signed: SignedData,
  rules: SignatureRules,
  type: string,
  checkValue: (signed: SignedData, value: DerElement) => Reason | undefined,
): Reason | undefined {
  const { attributes } = signed.signer;
  if (attributes === undefined) return undefined;
  const found = attributes
    .filter((attribute) => attribute.type === type)
    .flatMap((attribute) => attribute.values);
  const [value] = found;
  if (value === undefined || (found.length !== 1 && !rules.looseAttributes)) {
    return {
      code: 'authenticode/bad-attributes',
      message: `attribute ${type} appears ${found.length} times, not once`,
    };
  }
  return checkValue(signed, value);
}

function checkContentType(signed: SignedData, value: DerElement): Reason | undefined {
  if (readOid(value) === signed.contentType) return undefined;
  return { code: 'authenticode/content-type', message: 'the signed content type is another' };
}

function checkMessageDigest(signed: SignedData, value: DerElement): Reason | undefined {
  const algorithm = SIGNER_HASHES.get(signed.signer.digestAlgorithm);
  if (algorithm !== undefined && signed.content !== undefined && value.tag === TAG.octetString) {
    const digest = createHash(algorithm).update(signed.content.contents).digest();
    if (equalBytes(value.contents, digest)) return undefined;
  }
  return {
    code: 'authenticode/message-digest',
    message: 'the signed message digest is not that of the content',
  };
}

function checkKey(signer: Certificate, rules: SignatureRules): Reason | undefined {
  const isRsa = signer.keyAlgorithm === OID.rsaEncryption;
  if (!isRsa && !(rules.ecdsa && signer.keyAlgorithm === OID.ecPublicKey)) {
    return {
      code: 'authenticode/unsupported-key',
      message: 'the signer has no RSA key; firmware denies others',
    };
  }
  const key = createPublicKey({ key: Buffer.from(signer.spki), format: 'der', type: 'spki' });
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (isRsa && bits < 2048) {
    return { code: 'authenticode/unsupported-key', message: `an RSA key of ${bits} bits is too short` };
  }
  const usages = keyUsages(signer);
  if (usages !== undefined && !usages.includes('digitalSignature')) {
    return { code: 'authenticode/key-usage', message: 'the certificate does not allow digital signatures' };
  }
  return undefined;
}

function checkSignatureBytes(signed: SignedData, signer: Certificate): Reason | undefined {
  const { digestAlgorithm, signatureAlgorithm, signature } = signed.signer;
  const algorithm = SIGNER_HASHES.get(digestAlgorithm);
  const suitable = SIGNATURE_ALGORITHMS.get(signatureAlgorithm);
  if (algorithm === undefined || (suitable !== 'any' && suitable !== algorithm)) {
    return {
      code: 'authenticode/unsupported-algorithm',
      message: `signature algorithm ${signatureAlgorithm} with ${digestAlgorithm}`,
    };
  }
  const covered = signed.signer.signedAttributes ?? signed.content?.contents;
  const key = createPublicKey({ key: Buffer.from(signer.spki), format: 'der', type: 'spki' });
  const known = key.asymmetricKeyType === 'rsa' || key.asymmetricKeyType === 'ec';
  const valid = covered !== undefined && known && verify(algorithm, covered, key, signature);
  return valid ? undefined : { code: 'authenticode/bad-signature', message: 'the signature does not verify' };
}

function checkDates(path: readonly Certificate[], at: Date): Reason | undefined {
  const outdated = path.find(({ notBefore, notAfter }) => at < notBefore || at > notAfter);
  if (outdated === undefined) return undefined;
  return { code: 'authenticode/expired', message: `${outdated.subjectText} is not valid at this time` };
}

function isRoot(certificate: Certificate): boolean {
  return isSelfIssued(certificate) && isIssuedBy(certificate, certificate);
}

/** CMS puts the content into an OCTET STRING; its contents are then what is signed. */
function unwrapContent(signed: SignedData): SignedData {
  if (signed.content?.tag !== TAG.octetString) return signed;
  return { ...signed, content: readDer(signed.content.contents) };
}
