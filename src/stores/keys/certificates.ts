/** Certificate files: PEM with one or several, or DER. */
import { decodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError, isBootsealError, withDetails } from '../../errors.ts';
import { parseCertificate } from '../../formats/x509/certificate.ts';
import { readSmallFile } from '../trust-files/read-file.ts';

/** A bundle of all public authorities has 250 KiB; a chain for signing has 10. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** The certificates of a file in DER, in order; each parses. Errors are `certificate/…`, `x509/…` and `der/…`. */
export async function readCertificates(path: string): Promise<Uint8Array[]> {
  const bytes = await readSmallFile(path, { maxSize: MAX_FILE_BYTES, code: 'certificate/unreadable' });
  const certificates = bytes[0] === 0x30 ? [bytes] : pemCertificates(path, bytes);
  for (const certificate of certificates) {
    try {
      parseCertificate(certificate);
    } catch (error) {
      throw isBootsealError(error) ? withDetails(error, { where: path }) : error;
    }
  }
  return certificates;
}

function pemCertificates(path: string, bytes: Uint8Array): Uint8Array[] {
  const text = decodeUtf8(bytes) ?? '';
  const blocks = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \1-----/g)];
  const found = blocks
    .filter(
      ([, label]) =>
        label === 'CERTIFICATE' || label === 'X509 CERTIFICATE' || label === 'TRUSTED CERTIFICATE',
    )
    .map(([, , body = '']) => decodeBase64(path, body));
  if (found.length > 0) return found;
  const other = blocks[0]?.[1];
  throw new BootsealError(
    'certificate/not-a-certificate',
    other === undefined ? 'the file holds no certificate' : `the file holds a ${other}, not a certificate`,
    { where: path, hint: 'give a certificate in PEM (-----BEGIN CERTIFICATE-----) or DER', exit: 2 },
  );
}

function decodeBase64(path: string, body: string): Uint8Array {
  const compact = body.replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(compact) || compact.length % 4 !== 0) {
    throw new BootsealError('certificate/bad-base64', 'a certificate is not valid base64', { where: path });
  }
  return Uint8Array.from(Buffer.from(compact, 'base64'));
}
