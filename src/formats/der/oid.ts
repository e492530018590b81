/** Object identifiers: dotted text ⇄ contents octets (X.690 section 8.19), and the ones in use here. */
import { BootsealError } from '../../errors.ts';

export const OID = {
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingTime: '1.2.840.113549.1.9.5',
  rsaEncryption: '1.2.840.113549.1.1.1',
  rsaPss: '1.2.840.113549.1.1.10',
  mgf1: '1.2.840.113549.1.1.8',
  md5WithRsa: '1.2.840.113549.1.1.4',
  sha256WithRsa: '1.2.840.113549.1.1.11',
  sha384WithRsa: '1.2.840.113549.1.1.12',
  sha512WithRsa: '1.2.840.113549.1.1.13',
  sha1WithRsa: '1.2.840.113549.1.1.5',
  ecPublicKey: '1.2.840.10045.2.1',
  ecdsaWithSha1: '1.2.840.10045.4.1',
  ed25519: '1.3.101.112',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  ecdsaWithSha384: '1.2.840.10045.4.3.3',
  ecdsaWithSha512: '1.2.840.10045.4.3.4',
  sha1: '1.3.14.3.2.26',
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
  spcIndirectData: '1.3.6.1.4.1.311.2.1.4',
  spcPeImageData: '1.3.6.1.4.1.311.2.1.15',
  nestedSignature: '1.3.6.1.4.1.311.2.4.1',
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  organizationalUnit: '2.5.4.11',
  country: '2.5.4.6',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  crlDistributionPoints: '2.5.29.31',
  certificatePolicies: '2.5.29.32',
  policyMappings: '2.5.29.33',
  authorityKeyIdentifier: '2.5.29.35',
  policyConstraints: '2.5.29.36',
  extendedKeyUsage: '2.5.29.37',
  anyExtendedKeyUsage: '2.5.29.37.0',
  inhibitAnyPolicy: '2.5.29.54',
  authorityInformationAccess: '1.3.6.1.5.5.7.1.1',
  codeSigning: '1.3.6.1.5.5.7.3.3',
} as const;

/** Contents octets as dotted text. Refuses cut-off and padded arcs, and arcs above 2^53. */
export function formatOid(contents: Uint8Array, offset = 0): string {
  const arcs: number[] = [];
  let arc = 0;
  let fresh = true;
  for (const octet of contents) {
    if (fresh && octet === 0x80) throw bad('an arc with superfluous octets', offset);
    arc = arc * 128 + (octet & 0x7f);
    if (!Number.isSafeInteger(arc)) throw bad('an arc too large', offset);
    fresh = octet < 0x80;
    if (!fresh) continue;
    if (arcs.length === 0) {
      const first = Math.min(Math.floor(arc / 40), 2);
      arcs.push(first, arc - first * 40);
    } else {
      arcs.push(arc);
    }
    arc = 0;
  }
  if (!fresh || arcs.length === 0) throw bad('cut off', offset);
  return arcs.join('.');
}

/** Dotted text as contents octets. The text comes from this program, not from outside. */
export function encodeOid(text: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  return Uint8Array.from([first * 40 + second, ...rest].flatMap(encodeArc));
}

function encodeArc(arc: number): number[] {
  const octets = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128))
    octets.unshift((rest % 128) + 128);
  return octets;
}

function bad(message: string, offset: number): BootsealError {
  return new BootsealError('der/bad-oid', `object identifier: ${message}`, { offset });
}
