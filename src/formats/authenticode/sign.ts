/**
 * Signs PE files for Secure Boot (Authenticode; UEFI specification section 32.2.4). The file comes and goes as
 * pieces: only the headers and the certificate table are copied. Without a signing time the result depends on
 * nothing but the file, the key and the certificates.
 */
import { createPublicKey, createHash, verify } from 'node:crypto';
import { concatBytes, equalBytes } from '../../bytes/bytes.ts';
import { gatherParts, partsLength, sliceParts, type Parts } from '../../bytes/rope.ts';
import { BootsealError } from '../../errors.ts';
import { OID } from '../der/oid.ts';
import { readDer } from '../der/reader.ts';
import { octetString, oid, time } from '../der/writer.ts';
import { CERTIFICATE_ALIGNMENT, roundUp } from '../pe/format.ts';
import { checkLayout, readPe, unsignedSize, type PeImage } from '../pe/reader.ts';
import { computeCheckSum } from '../pe/writer.ts';
import { encodeAttribute, encodeSignedAttributes, encodeSignedData } from '../pkcs7/signed-data.ts';
import { isAuthority, keyUsages, parseCertificate, type Certificate } from '../x509/certificate.ts';
import { authenticodeDigestInSlices } from './digest.ts';
import type { Signer } from './ports.ts';
import { encodeSpcContent } from './spc.ts';
import { encodeTableEntry, readCertificateTable } from './table.ts';

export type { Signer } from './ports.ts';

export interface SignOptions {
  /** In DER: the signer's own certificate first, then intermediates. */
  readonly certificates: readonly Uint8Array[];
  readonly signer: Signer;
  /** Written into the signature when given. */
  readonly signingTime?: Date;
  /** Further attributes to sign, encoded: what another signer writes besides, for the same bytes as its own. */
  readonly attributes?: readonly Uint8Array[];
}

/**
 * The file with one more signature. An existing certificate table is kept and the new entry appended, as
 * sbsign does. Refuses files that firmware and other signers would hash differently (`pe/gap`, `pe/overlap`),
 * malformed tables, a key that is not the certificate's, and keys that firmware does not accept.
 */
export async function signPe(file: Parts, options: SignOptions): Promise<Parts> {
  return (await signImage(file, options)).parts;
}

export interface SignedImage {
  readonly parts: Parts;
  /** The Authenticode SHA-256, which signing does not change. */
  readonly digest: Uint8Array;
}

/** The same as {@link signPe}, for callers that go on with the hash. */
export async function signImage(file: Parts, options: SignOptions): Promise<SignedImage> {
  const pe = readPe(file);
  checkLayout(pe);
  if (pe.securityEntryOffset === undefined) {
    throw new BootsealError(
      'pe/no-security-directory',
      'the header has no room for a signature: fewer than 5 data directories',
      {
        offset: pe.optionalOffset,
      },
    );
  }
  readCertificateTable(file, pe);
  const certificate = checkSigningCertificate(options);

  const digest = await authenticodeDigestInSlices(file, pe);
  const pkcs7 = await signDigest(digest, certificate, options);
  return { parts: appendSignature(file, pe, pe.securityEntryOffset, encodeTableEntry(pkcs7)), digest };
}

/** The PKCS#7 object for an image with this Authenticode SHA-256. */
async function signDigest(
  digest: Uint8Array,
  certificate: Certificate,
  options: SignOptions,
): Promise<Uint8Array> {
  const content = encodeSpcContent(digest);
  // The digest covers the contents octets: the tag and the length of the SEQUENCE stay out.
  const messageDigest = createHash('sha256').update(readDer(content).contents).digest();
  const attributes = [
    ...(options.attributes ?? []),
    encodeAttribute(OID.contentType, oid(OID.spcIndirectData)),
    encodeAttribute(OID.messageDigest, octetString(messageDigest)),
  ];
  if (options.signingTime !== undefined)
    attributes.push(encodeAttribute(OID.signingTime, time(options.signingTime)));
  const signed = encodeSignedAttributes(attributes);
  const signature = await options.signer.sign(signed);
  const key = createPublicKey({ key: Buffer.from(certificate.spki), format: 'der', type: 'spki' });
  if (!verify('sha256', signed, key, signature)) {
    throw mismatch();
  }
  return encodeSignedData({
    contentType: OID.spcIndirectData,
    content,
    certificates: options.certificates,
    signerCertificate: certificate,
    attributes,
    signature,
  });
}

function appendSignature(file: Parts, pe: PeImage, securityEntryOffset: number, entry: Uint8Array): Parts {
  const bodyEnd = unsignedSize(pe);
  const tableOffset = roundUp(bodyEnd, CERTIFICATE_ALIGNMENT);
  const oldTable = pe.certificateTable.size > 0 ? gatherParts(file, bodyEnd) : new Uint8Array(0);
  const table = concatBytes([oldTable, entry]);
  const headers = Uint8Array.from(pe.headers);
  const view = new DataView(headers.buffer);
  view.setUint32(securityEntryOffset, tableOffset, true);
  view.setUint32(securityEntryOffset + 4, table.length, true);
  const body = sliceParts(file, headers.length, bodyEnd);
  const signed = [headers, ...body, new Uint8Array(tableOffset - bodyEnd), table].filter(
    (part) => part.length > 0,
  );
  if (partsLength(signed) > 0xffff_ffff)
    throw new BootsealError('pe/too-large', 'the signed file exceeds 4 GiB');
  view.setUint32(pe.checkSumOffset, computeCheckSum(signed, pe.checkSumOffset), true);
  return signed;
}

function checkSigningCertificate(options: SignOptions): Certificate {
  const [encoded, ...others] = options.certificates;
  if (encoded === undefined)
    throw new BootsealError('authenticode/no-certificate', 'no certificate to sign with', { exit: 2 });
  for (const other of others) parseCertificate(other);
  const certificate = parseCertificate(encoded);
  if (certificate.keyAlgorithm !== OID.rsaEncryption) {
    throw new BootsealError('authenticode/unsupported-key', 'firmware accepts RSA keys only', {
      hint: 'bootseal key generate secureboot makes suitable keys',
      exit: 2,
    });
  }
  const key = createPublicKey({ key: Buffer.from(certificate.spki), format: 'der', type: 'spki' });
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (bits < 2048 || bits > 4096) {
    throw new BootsealError(
      'authenticode/unsupported-key',
      `an RSA key of ${bits} bits; firmware accepts 2048 to 4096`,
      {
        exit: 2,
      },
    );
  }
  const usages = keyUsages(certificate);
  if (usages !== undefined && !usages.includes('digitalSignature')) {
    throw new BootsealError(
      'authenticode/key-usage',
      `the certificate ${isAuthority(certificate) ? 'of an authority ' : ''}does not allow digital signatures`,
      { exit: 2 },
    );
  }
  const { publicKeySpki } = options.signer;
  if (publicKeySpki !== undefined && !equalBytes(publicKeySpki, certificate.spki)) throw mismatch();
  return certificate;
}

function mismatch(): BootsealError {
  return new BootsealError(
    'authenticode/key-mismatch',
    'the private key does not belong to the certificate',
    {
      hint: 'give the certificate that was issued for this key; the first one in the file counts',
      exit: 2,
    },
  );
}
