/**
 * The attribute certificate table at the end of a signed PE file: WIN_CERTIFICATE entries, each padded with
 * zeros to 8 bytes. Errors are `authenticode/…`.
 */
import { concatBytes } from '../../bytes/bytes.ts';
import { gatherParts, type Parts } from '../../bytes/rope.ts';
import { BootsealError } from '../../errors.ts';
import { readDerPrefix } from '../der/reader.ts';
import {
  CERTIFICATE_ALIGNMENT,
  roundUp,
  WIN_CERTIFICATE,
  WIN_CERT_REVISION_2,
  WIN_CERT_TYPE_PKCS_SIGNED_DATA,
} from '../pe/format.ts';
import type { PeImage } from '../pe/reader.ts';

/** Firmware stacks read a few; shim-signed files carry two. */
const MAX_SIGNATURES = 32;
/** A certificate chain of RSA-4096 with a full S/MIME list is below 10 KiB. */
const MAX_TABLE_BYTES = 4 * 1024 * 1024;

export interface CertificateTableEntry {
  /** Offset of the entry in the file. */
  readonly offset: number;
  /** The PKCS#7 object, without padding. */
  readonly pkcs7: Uint8Array;
}

/** The PKCS#7 entries, in file order. Empty when the file is unsigned. Anything doubtful is refused. */
export function readCertificateTable(file: Parts, pe: PeImage): CertificateTableEntry[] {
  const { offset, size } = pe.certificateTable;
  if (offset === 0 && size === 0) return [];
  if (offset === 0 || size === 0)
    throw fail('bad-table', 'the certificate table has an offset or a size, not both', offset);
  if (offset % CERTIFICATE_ALIGNMENT !== 0)
    throw fail('bad-table', 'the certificate table is not aligned to 8', offset);
  if (offset < pe.sizeOfHeaders)
    throw fail('bad-table', 'the certificate table overlaps the headers', offset);
  if (size > MAX_TABLE_BYTES) throw fail('bad-table', `a certificate table of ${size} bytes`, offset);
  if (offset + size > pe.fileSize)
    throw fail('bad-table', 'the certificate table reaches beyond the file', offset);
  if (offset + size < pe.fileSize) {
    throw fail(
      'trailing-data',
      `${pe.fileSize - offset - size} bytes follow the certificate table`,
      offset + size,
    );
  }
  const table = gatherParts(file, offset, offset + size);
  const view = new DataView(table.buffer, table.byteOffset, table.length);
  const entries: CertificateTableEntry[] = [];
  for (let at = 0; at < table.length;) {
    if (entries.length === MAX_SIGNATURES)
      throw fail('bad-table', 'more signatures than any firmware reads', offset + at);
    if (table.length - at < WIN_CERTIFICATE.headerSize)
      throw fail('bad-table', 'an entry is cut off', offset + at);
    const length = view.getUint32(at + WIN_CERTIFICATE.length, true);
    // An entry is longer than its header, so that the loop always moves on.
    if (length <= WIN_CERTIFICATE.headerSize || length > table.length - at) {
      throw fail(
        'bad-table',
        `an entry says it is ${length} bytes long, ${table.length - at} remain`,
        offset + at,
      );
    }
    const revision = view.getUint16(at + WIN_CERTIFICATE.revision, true);
    const type = view.getUint16(at + WIN_CERTIFICATE.type, true);
    if (revision !== WIN_CERT_REVISION_2 || type !== WIN_CERT_TYPE_PKCS_SIGNED_DATA) {
      throw fail('bad-table', `an entry of revision ${revision} and type ${type}`, offset + at);
    }
    const end = Math.min(at + roundUp(length, CERTIFICATE_ALIGNMENT), table.length);
    const body = table.subarray(at + WIN_CERTIFICATE.headerSize, end);
    const pkcs7 = readDerPrefix(body).encoded;
    // Signers differ in whether dwLength counts the padding; either way only zeros may follow the object.
    const slack = body.subarray(pkcs7.length);
    if (pkcs7.length > length - WIN_CERTIFICATE.headerSize || slack.length >= CERTIFICATE_ALIGNMENT) {
      throw fail('bad-table', 'the length of an entry does not fit its PKCS#7 object', offset + at);
    }
    if (slack.some((byte) => byte !== 0)) {
      throw fail('bad-padding', 'the padding behind a signature is not zero', offset + at);
    }
    entries.push({ offset: offset + at, pkcs7 });
    at = end;
  }
  if (table.length % CERTIFICATE_ALIGNMENT !== 0) {
    throw fail('bad-table', 'the certificate table is not padded to 8', offset);
  }
  return entries;
}

/** One entry around a PKCS#7 object, with its padding. dwLength leaves the padding out, as sbsign's does. */
export function encodeTableEntry(pkcs7: Uint8Array): Uint8Array {
  const length = WIN_CERTIFICATE.headerSize + pkcs7.length;
  const header = new Uint8Array(WIN_CERTIFICATE.headerSize);
  const view = new DataView(header.buffer);
  view.setUint32(WIN_CERTIFICATE.length, length, true);
  view.setUint16(WIN_CERTIFICATE.revision, WIN_CERT_REVISION_2, true);
  view.setUint16(WIN_CERTIFICATE.type, WIN_CERT_TYPE_PKCS_SIGNED_DATA, true);
  return concatBytes([header, pkcs7, new Uint8Array(roundUp(length, CERTIFICATE_ALIGNMENT) - length)]);
}

function fail(what: string, message: string, offset: number): BootsealError {
  return new BootsealError(`authenticode/${what}`, message, { offset });
}
