/**
 * Verifies the Authenticode signatures of a PE file against trusted certificates. The verdict is never more
 * lenient than UEFI firmware's: what OVMF denies is denied here, and each reason is named on its own.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { equalBytes } from '../../bytes/bytes.ts';
import { encodeHex } from '../../bytes/hex.ts';
import type { Parts } from '../../bytes/rope.ts';
import { BootsealError, isBootsealError, type ErrorCode } from '../../errors.ts';
import { OID } from '../der/oid.ts';
import { readOid, TAG, type DerElement } from '../der/reader.ts';
import { checkLayout, readPe, type PeImage } from '../pe/reader.ts';
import { computeCheckSum } from '../pe/writer.ts';
import { readSignedData, type SignedData } from '../pkcs7/signed-data.ts';
import {
  certificateFingerprint,
  keyUsages,
  parseCertificate,
  type Certificate,
} from '../x509/certificate.ts';
import { findChain } from './chain.ts';
import { authenticodeDigest, type ImageHash } from './digest.ts';
import { readSpcContent } from './spc.ts';
import { readCertificateTable } from './table.ts';

export interface Reason {
  readonly code: ErrorCode;
  /** One line. Names from certificates in it are untrusted. */
  readonly message: string;
  readonly offset?: number;
}

export interface SignatureVerdict {
  readonly accepted: boolean;
  /** Offset of the table entry in the file. */
  readonly offset: number;
  /** Subject of the signer, untrusted text; undefined when the signature names nobody that it carries. */
  readonly subject: string | undefined;
  /** SHA-256 of the signer's certificate, hexadecimal. */
  readonly fingerprintSha256: string | undefined;
  /** Subjects from the signer to the trusted certificate. */
  readonly chain: readonly string[];
  /** Why it is not accepted. */
  readonly reasons: readonly Reason[];
}

export interface PeVerdict {
  /** At least one signature leads to an anchor, and nothing about the file is doubtful. */
  readonly accepted: boolean;
  /** Undefined when the file cannot be hashed in one way only. */
  readonly authenticodeSha256: string | undefined;
  readonly signatures: readonly SignatureVerdict[];
  /** Why the file is not accepted. */
  readonly reasons: readonly Reason[];
  /** What firmware does not mind: an expired certificate, a stale CheckSum. */
  readonly warnings: readonly Reason[];
}

export interface VerifyOptions {
  /** Trusted certificates in DER, as `db` holds them. */
  readonly anchors: readonly Uint8Array[];
  /** When the certificates should be valid; only warnings come of it, as firmware has no trusted clock. */
  readonly at?: Date;
  /**
   * The Authenticode SHA-256 of these very bytes, when the caller has just computed it. Then neither it nor CheckSum is
   * computed again.
   */
  readonly digest?: Uint8Array;
}

const IMAGE_HASHES: ReadonlyMap<string, ImageHash> = new Map([
  [OID.sha256, 'sha256'],
  [OID.sha384, 'sha384'],
  [OID.sha512, 'sha512'],
]);
const SIGNATURE_ALGORITHMS: ReadonlyMap<string, readonly ImageHash[]> = new Map([
  [OID.rsaEncryption, ['sha256', 'sha384', 'sha512']],
  [OID.sha256WithRsa, ['sha256']],
  [OID.sha384WithRsa, ['sha384']],
  [OID.sha512WithRsa, ['sha512']],
]);

/**
 * The verdict over a file given whole or in pieces. Throws only when an anchor is not a certificate; whatever
 * is wrong with the file is a reason in the verdict.
 */
export function verifyPe(input: Uint8Array | Parts, options: VerifyOptions): PeVerdict {
  const anchors = options.anchors.map(parseCertificate);
  const file: Parts = input instanceof Uint8Array ? [input] : input;
  const warnings: Reason[] = [];
  let authenticodeSha256: string | undefined;
  try {
    const pe = readPe(file);
    checkLayout(pe);
    const entries = readCertificateTable(file, pe);
    const digest = options.digest ?? authenticodeDigest(file, pe);
    authenticodeSha256 = encodeHex(digest);
    if (
      options.digest === undefined &&
      pe.checkSum !== 0 &&
      pe.checkSum !== computeCheckSum(file, pe.checkSumOffset)
    ) {
      warnings.push({ code: 'pe/stale-checksum', message: 'the CheckSum field does not fit the file' });
    }
    if (entries.length === 0) {
      const reasons: Reason[] = [{ code: 'authenticode/unsigned', message: 'the file carries no signature' }];
      return { accepted: false, authenticodeSha256, signatures: [], reasons, warnings };
    }
    const digestOf = imageDigests(file, pe, digest);
    const signatures = entries.map((entry) => {
      const checked = verifySignature(entry.pkcs7, digestOf, anchors);
      warnings.push(...dateWarnings(checked.path, options.at));
      return describe(entry.offset, checked);
    });
    const accepted = signatures.some((signature) => signature.accepted);
    const reasons = accepted ? [] : signatures.flatMap((signature) => signature.reasons);
    return { accepted, authenticodeSha256, signatures, reasons, warnings };
  } catch (error) {
    return { accepted: false, authenticodeSha256, signatures: [], reasons: [reasonOf(error)], warnings };
  }
}

interface CheckedSignature {
  readonly signer: Certificate | undefined;
  readonly path: readonly Certificate[];
  readonly reasons: readonly Reason[];
}

/** Checks one PKCS#7 object. All failing checks are reported, not only the first. */
function verifySignature(
  pkcs7: Uint8Array,
  digestOf: (algorithm: ImageHash) => Uint8Array,
  anchors: readonly Certificate[],
): CheckedSignature {
  let signed: SignedData;
  let embedded: Certificate[];
  try {
    signed = readSignedData(pkcs7);
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
  check(() => checkImageDigest(signed, digestOf));
  // 2. The attributes say what was signed, each exactly once.
  check(() => checkAttribute(signed, OID.contentType, checkContentType));
  check(() => checkAttribute(signed, OID.messageDigest, checkMessageDigest));
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
  check(() => checkKey(signer));
  // 4. Its key made the signature.
  check(() => checkSignatureBytes(signed, signer));
  // 5. It leads to a trusted certificate.
  const path = findChain(signer, embedded, anchors);
  if (path === undefined) {
    reasons.push({
      code: 'authenticode/untrusted-signer',
      message: `signed by ${signer.subjectText}, which no trusted certificate issued`,
    });
  }
  return { signer, path: path ?? [signer], reasons };
}

function checkImageDigest(
  signed: SignedData,
  digestOf: (algorithm: ImageHash) => Uint8Array,
): Reason | undefined {
  if (signed.contentType !== OID.spcIndirectData || signed.content === undefined) {
    return { code: 'authenticode/content-type', message: 'the signature does not hold an image hash' };
  }
  const spc = readSpcContent(signed.content);
  const algorithm = IMAGE_HASHES.get(spc.digestAlgorithm);
  if (algorithm === undefined) {
    return {
      code: 'authenticode/weak-digest',
      message: `the image hash is ${spc.digestAlgorithm}, not SHA-2`,
    };
  }
  // Firmware picks the hash by digestAlgorithms, verifiers by the content: they must agree, and so must the signer.
  const [stated, ...others] = signed.digestAlgorithms;
  if (stated !== spc.digestAlgorithm || others.length > 0 || signed.signer.digestAlgorithm !== stated) {
    return {
      code: 'authenticode/algorithm-mismatch',
      message: 'the signature names different digest algorithms',
    };
  }
  const digest = digestOf(algorithm);
  if (!equalBytes(spc.digest, digest)) {
    return {
      code: 'authenticode/hash-mismatch',
      message: `signed for an image with ${algorithm} ${encodeHex(spc.digest.subarray(0, 64))}, this one has ${encodeHex(digest)}`,
    };
  }
  return undefined;
}

/** Without attributes the signature covers the content directly, which is as good. */
function checkAttribute(
  signed: SignedData,
  type: string,
  checkValue: (signed: SignedData, value: DerElement) => Reason | undefined,
): Reason | undefined {
  const { attributes } = signed.signer;
  if (attributes === undefined) return undefined;
  const found = attributes
    .filter((attribute) => attribute.type === type)
    .flatMap((attribute) => attribute.values);
  const [value] = found;
  if (value === undefined || found.length !== 1) {
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
  const algorithm = IMAGE_HASHES.get(signed.signer.digestAlgorithm);
  if (algorithm !== undefined && signed.content !== undefined && value.tag === TAG.octetString) {
    const digest = createHash(algorithm).update(signed.content.contents).digest();
    if (equalBytes(value.contents, digest)) return undefined;
  }
  return {
    code: 'authenticode/message-digest',
    message: 'the signed message digest is not that of the content',
  };
}

function checkKey(signer: Certificate): Reason | undefined {
  if (signer.keyAlgorithm !== OID.rsaEncryption) {
    return {
      code: 'authenticode/unsupported-key',
      message: 'the signer has no RSA key; firmware denies others',
    };
  }
  const key = createPublicKey({ key: Buffer.from(signer.spki), format: 'der', type: 'spki' });
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (bits < 2048) {
    return { code: 'authenticode/unsupported-key', message: `an RSA key of ${bits} bits is too short` };
  }
  const usages = keyUsages(signer);
  if (usages !== undefined && !usages.includes('digitalSignature')) {
    return { code: 'authenticode/key-usage', message: 'the certificate does not allow digital signatures' };
  }
  return undefined;
}

function checkSignatureBytes(signed: SignedData, signer: Certificate): Reason | undefined {
  const algorithm = IMAGE_HASHES.get(signed.signer.digestAlgorithm);
  const suitable = SIGNATURE_ALGORITHMS.get(signed.signer.signatureAlgorithm);
  if (algorithm === undefined || suitable?.includes(algorithm) !== true) {
    return {
      code: 'authenticode/unsupported-algorithm',
      message: `signature algorithm ${signed.signer.signatureAlgorithm} with ${signed.signer.digestAlgorithm}`,
    };
  }
  const covered = signed.signer.signedAttributes ?? signed.content?.contents;
  const key = createPublicKey({ key: Buffer.from(signer.spki), format: 'der', type: 'spki' });
  const valid =
    covered !== undefined &&
    key.asymmetricKeyType === 'rsa' &&
    verify(algorithm, covered, key, signed.signer.signature);
  return valid ? undefined : { code: 'authenticode/bad-signature', message: 'the signature does not verify' };
}

function dateWarnings(path: readonly Certificate[], at: Date | undefined): Reason[] {
  if (at === undefined) return [];
  return path
    .filter((certificate) => at < certificate.notBefore || at > certificate.notAfter)
    .map((certificate) => ({
      code: 'authenticode/expired' as const,
      message: `${certificate.subjectText} is valid from ${day(certificate.notBefore)} to ${day(certificate.notAfter)}; firmware does not mind`,
    }));
}

function describe(offset: number, { signer, path, reasons }: CheckedSignature): SignatureVerdict {
  return {
    accepted: reasons.length === 0,
    offset,
    subject: signer?.subjectText,
    fingerprintSha256: signer === undefined ? undefined : certificateFingerprint(signer),
    chain: path.map((certificate) => certificate.subjectText),
    reasons,
  };
}

/** Each digest of the image is computed once, however many signatures ask for it. */
function imageDigests(file: Parts, pe: PeImage, sha256: Uint8Array): (algorithm: ImageHash) => Uint8Array {
  const known = new Map<ImageHash, Uint8Array>([['sha256', sha256]]);
  return (algorithm) => {
    const digest = known.get(algorithm) ?? authenticodeDigest(file, pe, algorithm);
    known.set(algorithm, digest);
    return digest;
  };
}

function reasonOf(error: unknown): Reason {
  if (isBootsealError(error)) {
    return {
      code: error.code,
      message: error.message,
      ...(error.offset === undefined ? {} : { offset: error.offset }),
    };
  }
  // node:crypto refuses keys and signatures that it cannot decode with errors of its own.
  const message = error instanceof Error ? error.message : String(error);
  return new BootsealError('authenticode/malformed', `the signature cannot be decoded: ${message}`);
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}
