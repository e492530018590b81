/**
 * SpcIndirectDataContent: what an Authenticode signature signs.
 *
 *     SpcIndirectDataContent ::= SEQUENCE {
 *       data          SEQUENCE { type OID 1.3.6.1.4.1.311.2.1.15, value SpcPeImageData },
 *       messageDigest SEQUENCE { digestAlgorithm AlgorithmIdentifier, digest OCTET STRING } }
 *     SpcPeImageData ::= SEQUENCE { flags BIT STRING, file [0] { [2] { [0] BMPString } } }
 *
 * PKCS#7 version 1.5 puts it directly into the `[0]` of the content, not into an OCTET STRING as CMS does.
 */
import { BootsealError } from '../../errors.ts';
import { OID } from '../der/oid.ts';
import { DerFields, readBitString, readOid, TAG, type DerElement } from '../der/reader.ts';
import { algorithm, bitString, context, encodeElement, octetString, oid, sequence } from '../der/writer.ts';

/** The file name that signers write since page hashes went out of use. */
const OBSOLETE = '<<<Obsolete>>>';

export interface SpcContent {
  /** Object identifier of the digest of the image. */
  readonly digestAlgorithm: string;
  readonly digest: Uint8Array;
}

/** The content for an image with this SHA-256, as sbsign writes it. */
export function encodeSpcContent(digest: Uint8Array): Uint8Array {
  const fileName = encodeElement(contextPrimitive(0), utf16BigEndian(OBSOLETE));
  return sequence(
    sequence(
      oid(OID.spcPeImageData),
      sequence(bitString(new Uint8Array(0)), context(0, context(2, fileName))),
    ),
    sequence(algorithm(OID.sha256), octetString(digest)),
  );
}

/**
 * The digest inside. SpcPeImageData stays unread: its flags are malformed in pesign's signatures, its page
 * hashes have broken parsers before, and firmware acts on neither. The signature covers the bytes anyway.
 * `validFlags` refuses malformed flags, as OpenSSL 3.6 does.
 */
export function readSpcContent(content: DerElement, validFlags = false): SpcContent {
  const fields = new DerFields(content, TAG.sequence, 'SpcIndirectDataContent');
  const data = new DerFields(fields.take(TAG.sequence, 'data'), TAG.sequence, 'data');
  const type = readOid(data.take(TAG.oid, 'type'));
  if (type !== OID.spcPeImageData) {
    throw new BootsealError('authenticode/content-type', 'the signature is not for a PE image', {
      offset: content.offset,
    });
  }
  const value = data.takeAny('value');
  if (validFlags)
    readBitString(new DerFields(value, TAG.sequence, 'SpcPeImageData').take(TAG.bitString, 'flags'));
  data.end();
  const info = new DerFields(fields.take(TAG.sequence, 'messageDigest'), TAG.sequence, 'messageDigest');
  const algorithmFields = new DerFields(
    info.take(TAG.sequence, 'digestAlgorithm'),
    TAG.sequence,
    'digestAlgorithm',
  );
  const digestAlgorithm = readOid(algorithmFields.take(TAG.oid, 'identifier'));
  algorithmFields.optional(TAG.null);
  algorithmFields.end();
  const digest = info.take(TAG.octetString, 'digest').contents;
  info.end();
  fields.end();
  return { digestAlgorithm, digest };
}

function contextPrimitive(number: number): number {
  return 0x80 | number;
}

function utf16BigEndian(text: string): Uint8Array {
  return Buffer.from(text, 'utf16le').swap16();
}
