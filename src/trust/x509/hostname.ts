/** Whether a certificate is for a host, as Go's VerifyHostname decides: subjectAltName only, never the common name. */
import { equalBytes } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import { OID } from '../../formats/der/oid.ts';
import { attributesOf } from '../../formats/x509/name.ts';
import { addressText, normalAddress, parseAddress } from './ip-address.ts';
import type { PathCertificate } from './path-certificate.ts';

/** Go names no more of them in an error. */
const MAX_NAMES = 100;

/** Throws `x509/hostname`. An address may be written in brackets, a name with a final dot. */
export function checkHostname(certificate: PathCertificate, hostname: string): void {
  const { dnsNames, addresses } = certificate.names;
  const bare = /^\[.+\]$/.test(hostname) ? hostname.slice(1, -1) : hostname;
  const address = parseAddress(bare);
  if (address !== undefined) {
    if (addresses.some((own) => equalBytes(normalAddress(own), address))) return;
    throw mismatch(addressMessage(addresses, bare));
  }
  // Perfect matches always pass; wildcards and final dots are for names that are names.
  const wanted = lowerAscii(hostname);
  const isName = isValidHostname(wanted, false);
  for (const own of dnsNames) {
    const pattern = lowerAscii(own);
    const byPattern = isName && isValidHostname(pattern, true);
    if (byPattern ? matches(pattern, wanted) : isExact(pattern, wanted)) return;
  }
  throw mismatch(nameMessage(certificate, hostname));
}

function isExact(pattern: string, wanted: string): boolean {
  return pattern === wanted && pattern !== '' && pattern !== '.';
}

/** A star stands for the whole first label and nothing else. */
function matches(pattern: string, wanted: string): boolean {
  const own = pattern.split('.');
  const labels = withoutFinalDot(wanted).split('.');
  if (own.length !== labels.length) return false;
  return own.every((label, at) => (at === 0 && label === '*') || label === labels[at]);
}

function isValidHostname(text: string, isPattern: boolean): boolean {
  const name = isPattern ? text : withoutFinalDot(text);
  if (name === '' || name === '*') return false;
  return name
    .split('.')
    .every((label, at) => (isPattern && at === 0 && label === '*') || /^[a-z0-9_][a-z0-9_-]*$/.test(label));
}

function withoutFinalDot(text: string): string {
  return text.endsWith('.') ? text.slice(0, -1) : text;
}

/** Only A to Z: other letters have no case here. */
function lowerAscii(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function addressMessage(addresses: readonly Uint8Array[], wanted: string): string {
  if (addresses.length === 0)
    return `cannot validate certificate for ${wanted} because it doesn't contain any IP SANs`;
  if (addresses.length >= MAX_NAMES)
    return `certificate is valid for ${addresses.length} IP SANs, but none matched ${wanted}`;
  return `certificate is valid for ${addresses.map(addressText).join(', ')}, not ${wanted}`;
}

function nameMessage({ names, encodedNames, certificate }: PathCertificate, wanted: string): string {
  const commonName = attributesOf(certificate.subject, OID.commonName).at(-1);
  if (
    encodedNames === undefined &&
    commonName !== undefined &&
    matches(lowerAscii(commonName), lowerAscii(wanted))
  )
    return 'certificate relies on legacy Common Name field, use SANs instead';
  if (names.dnsNames.length === 0)
    return `certificate is not valid for any names, but wanted to match ${wanted}`;
  if (names.dnsNames.length >= MAX_NAMES)
    return `certificate is valid for ${names.dnsNames.length} names, but none matched ${wanted}`;
  return `certificate is valid for ${names.dnsNames.join(', ')}, not ${wanted}`;
}

function mismatch(message: string): BootsealError {
  return new BootsealError('x509/hostname', `x509: ${message}`);
}
