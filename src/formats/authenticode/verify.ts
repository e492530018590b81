/**
 * Verifies the Authenticode signatures of a PE file against trusted certificates. The verdict is never more
 * lenient than UEFI firmware's: what OVMF denies is denied here, and each reason is named on its own.
 */
import { encodeHex } from '../../bytes/hex.ts';
import type { Parts } from '../../bytes/rope.ts';
import { checkLayout, readPe, type PeImage } from '../pe/reader.ts';
import { computeCheckSum } from '../pe/writer.ts';
import { certificateFingerprint, parseCertificate, type Certificate } from '../x509/certificate.ts';
import { authenticodeDigest, type ImageHash } from './digest.ts';
import { STRICT } from './rules.ts';
import { checkSignature, reasonOf, type CheckedSignature, type Reason } from './signature.ts';
import { readCertificateTable } from './table.ts';

export type { Reason } from './signature.ts';

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
      const checked = checkSignature(entry.pkcs7, { digestOf, anchors, rules: STRICT });
      warnings.push(...dateWarnings(checked.path, options.at));
      return describeSignature(entry.offset, checked);
    });
    const accepted = signatures.some((signature) => signature.accepted);
    const reasons = accepted ? [] : signatures.flatMap((signature) => signature.reasons);
    return { accepted, authenticodeSha256, signatures, reasons, warnings };
  } catch (error) {
    return { accepted: false, authenticodeSha256, signatures: [], reasons: [reasonOf(error)], warnings };
  }
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

/** A checked signature as part of a verdict. */
export function describeSignature(
  offset: number,
  { signer, path, reasons }: CheckedSignature,
): SignatureVerdict {
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

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}
