/**
 * The verdicts of other verifiers, as far as they were observed: OVMF, sbverify and osslsigncode. For people who must
 * know why one accepts what another refuses; nothing here decides on trust.
 */
import { encodeHex } from '../../bytes/hex.ts';
import { normaliseLengths } from '../der/normalise.ts';
import {
  CERTIFICATE_ALIGNMENT,
  roundUp,
  WIN_CERTIFICATE,
  WIN_CERT_REVISION_2,
  WIN_CERT_TYPE_PKCS_SIGNED_DATA,
} from '../pe/format.ts';
import { nestedSignatures } from '../pkcs7/signed-data.ts';
import { parseCertificate, type Certificate } from '../x509/certificate.ts';
import type { ImageHash } from './digest.ts';
import { hashFlat, hashSections, readLooseImage, unreadable, type LooseImage } from './loose-image.ts';
import { FIRMWARE, OSSLSIGNCODE, SBVERIFY, type SignatureRules } from './rules.ts';
import { checkSignature, reasonOf, type CheckedSignature } from './signature.ts';
import { describeSignature, type PeVerdict, type VerifyOptions } from './verify.ts';

export type Verifier = 'firmware' | 'sbverify' | 'osslsigncode';

const MAX_SIGNATURES = 32;

interface Entry {
  readonly offset: number;
  readonly pkcs7: Uint8Array;
}

interface Behaviour {
  readonly rules: SignatureRules;
  readonly hash: (image: LooseImage, algorithm: ImageHash) => Uint8Array;
  /** Signatures in the order in which they are tried. Throws where the program gives up. */
  readonly entries: (image: LooseImage) => Iterable<Entry>;
  /** A signature for another image ends the search with a refusal. */
  readonly stopsAtOtherImage: boolean;
}

const BEHAVIOURS: Readonly<Record<Verifier, Behaviour>> = {
  firmware: { rules: FIRMWARE, hash: hashSections, entries: firmwareEntries, stopsAtOtherImage: false },
  sbverify: { rules: SBVERIFY, hash: hashSections, entries: sbverifyEntries, stopsAtOtherImage: true },
  osslsigncode: { rules: OSSLSIGNCODE, hash: hashFlat, entries: firstAndNested, stopsAtOtherImage: false },
};

/** What that program would say of the file with these certificates trusted. */
export function verifyAs(verifier: Verifier, bytes: Uint8Array, options: VerifyOptions): PeVerdict {
  const anchors = options.anchors.map(parseCertificate);
  const behaviour = BEHAVIOURS[verifier];
  const checked: (CheckedSignature & { readonly offset: number })[] = [];
  let authenticodeSha256: string | undefined;
  try {
    const image = readLooseImage(bytes);
    authenticodeSha256 = encodeHex(behaviour.hash(image, 'sha256'));
    for (const result of checkEntries(image, behaviour, anchors, options.at)) {
      checked.push(result);
      if (result.reasons.length === 0) break;
      const otherImage = result.reasons.some(({ code }) => code === 'authenticode/hash-mismatch');
      if (behaviour.stopsAtOtherImage && otherImage) break;
    }
  } catch (error) {
    const reasons = [...checked.flatMap((result) => result.reasons), reasonOf(error)];
    const signatures = checked.map((result) => describeSignature(result.offset, result));
    return { accepted: false, authenticodeSha256, signatures, reasons, warnings: [] };
  }
  const accepted = checked.some(({ reasons }) => reasons.length === 0);
  const unsigned = checked.length === 0;
  const reasons = unsigned
    ? [{ code: 'authenticode/unsigned' as const, message: 'the file carries no signature' }]
    : checked.flatMap((result) => result.reasons);
  return {
    accepted,
    authenticodeSha256,
    signatures: checked.map((result) => describeSignature(result.offset, result)),
    reasons: accepted ? [] : reasons,
    warnings: [],
  };
}

function* checkEntries(
  image: LooseImage,
  { rules, hash, entries }: Behaviour,
  anchors: readonly Certificate[],
  at: Date | undefined,
): Generator<CheckedSignature & { readonly offset: number }> {
  const digestOf = (algorithm: ImageHash) => hash(image, algorithm);
  for (const { offset, pkcs7 } of entries(image)) {
    const context = { digestOf, anchors, rules, ...(at === undefined ? {} : { at }) };
    yield { offset, ...checkSignature(pkcs7, context) };
  }
}

/** edk2: the table must be walked to its end, which must be that of the file; entries of other types are passed over. */
function firmwareEntries(image: LooseImage): Entry[] {
  const { bytes, table } = image;
  if (table.size === 0) return [];
  const end = table.offset + table.size;
  if (end !== bytes.length) throw unreadable('the certificate table does not end with the file');
  const found: Entry[] = [];
  let at = table.offset;
  while (end - at > WIN_CERTIFICATE.headerSize && found.length < MAX_SIGNATURES) {
    const entry = readEntry(bytes, at);
    if (entry.length <= WIN_CERTIFICATE.headerSize || entry.length > end - at) break;
    if (entry.type === WIN_CERT_TYPE_PKCS_SIGNED_DATA) found.push({ offset: at, pkcs7: entry.body });
    at += roundUp(entry.length, CERTIFICATE_ALIGNMENT);
  }
  if (at !== end) throw unreadable('the certificate table is corrupt');
  return found;
}

/** sbverify: the first entry must be in order, later ones are read as they come. */
function* sbverifyEntries(image: LooseImage): Generator<Entry> {
  const { bytes, table } = image;
  if (table.size === 0 || table.offset === 0) return;
  const end = table.offset + table.size;
  if (end > bytes.length) throw unreadable('the certificate table reaches beyond the file');
  let at = table.offset;
  for (let count = 0; at < end && count < MAX_SIGNATURES; count += 1) {
    if (at + WIN_CERTIFICATE.headerSize > end) throw unreadable('an entry is cut off');
    const entry = readEntry(bytes, at);
    if (entry.revision !== WIN_CERT_REVISION_2 || entry.type !== WIN_CERT_TYPE_PKCS_SIGNED_DATA) {
      throw unreadable('an entry of an unknown kind');
    }
    if (entry.length <= WIN_CERTIFICATE.headerSize || entry.length > end - at) {
      throw unreadable('the length of an entry lies');
    }
    yield { offset: at, pkcs7: entry.body };
    at += roundUp(entry.length, CERTIFICATE_ALIGNMENT);
  }
}

/** osslsigncode: the first entry, and the signatures nested in it; the sizes of all entries must add up. */
function* firstAndNested(image: LooseImage): Generator<Entry> {
  const { bytes, table } = image;
  if (table.size === 0 || table.offset === 0) return;
  if (table.offset + table.size !== bytes.length)
    throw unreadable('the certificate table does not end with the file');
  let sum = 0;
  while (sum < table.size) {
    if (sum + WIN_CERTIFICATE.headerSize > table.size) throw unreadable('an entry is cut off');
    const { length } = readEntry(bytes, table.offset + sum);
    if (length <= WIN_CERTIFICATE.headerSize) throw unreadable('the length of an entry lies');
    sum += roundUp(length, CERTIFICATE_ALIGNMENT);
  }
  if (sum !== table.size) throw unreadable('the lengths of the entries do not add up');
  const first = readEntry(bytes, table.offset);
  if (first.revision !== WIN_CERT_REVISION_2 || first.type !== WIN_CERT_TYPE_PKCS_SIGNED_DATA) {
    throw unreadable('the entry is of an unknown kind');
  }
  yield { offset: table.offset, pkcs7: first.body };
  for (const pkcs7 of nestedSignatures(normaliseLengths(first.body))) yield { offset: table.offset, pkcs7 };
}

function readEntry(
  bytes: Uint8Array,
  at: number,
): { length: number; revision: number; type: number; body: Uint8Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = view.getUint32(at + WIN_CERTIFICATE.length, true);
  return {
    length,
    revision: view.getUint16(at + WIN_CERTIFICATE.revision, true),
    type: view.getUint16(at + WIN_CERTIFICATE.type, true),
    body: bytes.subarray(at + WIN_CERTIFICATE.headerSize, at + length),
  };
}
