/** Whether the bytes of a key or certificate are of any use for the requirement that names them. */
import { isBootsealError } from '../../errors.ts';
import { readPemBlocks } from '../../formats/cosign/pem.ts';
import { parsePublicKey } from '../../formats/cosign/public-key.ts';
import { parseCertificate } from '../../formats/x509/certificate.ts';
import { MAX_POOL_SIZE } from '../x509/limits.ts';
import type { Report } from './finding.ts';
import type { NamedKey } from './named-keys.ts';

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
        await lintKeyring(name, key.offset, bytes, now, report, bad);
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
  for (const block of readPemBlocks(bytes, MAX_POOL_SIZE)) {
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

/** A key that cannot sign any more does no harm beside one that can. */
async function lintKeyring(
  name: string,
  offset: number,
  bytes: Uint8Array,
  now: Date,
  report: Report,
  bad: (message: string, hint?: string) => void,
): Promise<void> {
  const { openKeyring, parseKeyring } = await import('../../formats/openpgp/index.ts');
  const { keys } = await openKeyring(parseKeyring(bytes));
  if (keys.length === 0)
    return bad('no public key in it', 'export it once more: gpg --export FINGERPRINT > FILE');
  const signing = keys.filter(({ maySign }) => maySign);
  const isOver = ({ expires }: (typeof keys)[number]): boolean =>
    expires !== undefined && expires * 1000 < now.getTime();
  for (const key of signing) {
    const what = key.fingerprint === key.primaryFingerprint ? 'the key' : 'the subkey';
    const end = isOver(key) ? new Date((key.expires ?? 0) * 1000).toISOString().slice(0, 10) : undefined;
    const state = key.revoked ? 'is revoked' : end === undefined ? undefined : `expired on ${end}`;
    if (state === undefined) continue;
    const message = `${name}: ${what} ${key.fingerprint} ${state}`;
    report({ severity: 'warning', code: 'policy/expired', message, offset });
  }
  if (!signing.some((key) => !key.revoked && !isOver(key))) {
    bad('none of its keys can sign: every image is refused', 'give the policy a key that is valid');
  }
}
