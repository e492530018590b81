/** Whether the bytes of a key or certificate are of any use for the requirement that names them. */
import { isBootsealError } from '../../errors.ts';
import { readPemBlocks } from '../../formats/cosign/pem.ts';
import { parsePublicKey } from '../../formats/cosign/public-key.ts';
import { parseCertificate } from '../../formats/x509/certificate.ts';
import type { Report } from './finding.ts';
import type { NamedKey } from './named-keys.ts';

/** As many certificates as a bundle of a whole distribution has. */
const MAX_BUNDLE_SIZE = 4 * 1024 * 1024;

export async function lintKey(key: NamedKey, bytes: Uint8Array, now: Date, report: Report): Promise<void> {
  const name = key.path ?? key.member;
  const bad = (message: string, hint?: string): void =>
    report({
      severity: 'error',
      code: 'trust/key-unreadable',
      message: `${name}: ${message}`,
      offset: key.offset,
      ...(hint !== undefined && { hint }),
    });
  try {
    switch (key.kind) {
      case 'sigstore':
      case 'rekor':
        parsePublicKey(bytes);
        return;
      case 'certificates':
        lintCertificates(name, key.offset, bytes, now, report, bad);
        return;
      case 'gpg':
      default:
        lintKeyring(bytes, bad);
    }
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    bad(error.message, error.hint);
  }
}

function lintCertificates(
  name: string,
  offset: number,
  bytes: Uint8Array,
  now: Date,
  report: Report,
  bad: (message: string, hint?: string) => void,
): void {
  let count = 0;
  for (const block of readPemBlocks(bytes, MAX_BUNDLE_SIZE)) {
    if (block.label !== 'CERTIFICATE') continue;
    count += 1;
    const { notBefore, notAfter, subjectText } = parseCertificate(block.bytes);
    if (now > notAfter) {
      const message = `${name}: the certificate of ${subjectText} expired on ${notAfter.toISOString().slice(0, 10)}`;
      report({ severity: 'warning', code: 'policy/expired', message, offset });
    } else if (now < notBefore) {
      const message = `${name}: the certificate of ${subjectText} is valid from ${notBefore.toISOString().slice(0, 10)} on`;
      report({ severity: 'warning', code: 'policy/not-yet-valid', message, offset });
    }
  }
  if (count === 0) bad('no certificate in it', 'certificates stand in PEM: -----BEGIN CERTIFICATE-----');
}

function lintKeyring(bytes: Uint8Array, bad: (message: string, hint?: string) => void): void {
  const start = Buffer.from(bytes.subarray(0, 4096)).toString('latin1');
  if (start.includes('BEGIN PGP PRIVATE KEY')) {
    bad(
      'this is a private key',
      'export the public one: gpg --export KEY, and keep this file out of the image',
    );
  } else if (bytes.length === 0) bad('the keyring is empty', 'fill it: gpg --export KEY');
}
