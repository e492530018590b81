/** The names that a certificate speaks for: subjectAltName, RFC 5280 section 4.2.1.6. */
import { decodeLatin1 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import { contextTag, readConstructed, readDer, TAG } from '../../formats/der/reader.ts';

export interface AlternativeNames {
  readonly emails: readonly string[];
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
  /** 4 or 16 bytes each. */
  readonly addresses: readonly Uint8Array[];
}

export const NO_NAMES: AlternativeNames = { emails: [], dnsNames: [], uris: [], addresses: [] };

/** The implicit tags of GeneralName that are read; others are skipped. */
export const GENERAL_NAME = {
  email: contextTag(1, false),
  dnsName: contextTag(2, false),
  uri: contextTag(6, false),
  address: contextTag(7, false),
} as const;

/** `value`: the DER of the extension. Throws `x509/alternative-names`, `der/…`. */
export function readAlternativeNames(value: Uint8Array): AlternativeNames {
  const emails: string[] = [];
  const dnsNames: string[] = [];
  const uris: string[] = [];
  const addresses: Uint8Array[] = [];
  for (const { tag, contents } of readConstructed(readDer(value), TAG.sequence, 'subjectAltName')) {
    switch (tag) {
      case GENERAL_NAME.email:
        emails.push(readIa5(contents, 'rfc822Name'));
        break;
      case GENERAL_NAME.dnsName:
        dnsNames.push(readIa5(contents, 'dNSName'));
        break;
      case GENERAL_NAME.uri: {
        const uri = readIa5(contents, 'uniformResourceIdentifier');
        if (hostOfUri(uri) === undefined)
          throw bad(`cannot parse URI ${JSON.stringify(uri.slice(0, 200))}: invalid domain`);
        uris.push(uri);
        break;
      }
      case GENERAL_NAME.address:
        if (contents.length !== 4 && contents.length !== 16) {
          throw bad(`cannot parse IP address of length ${contents.length}`);
        }
        addresses.push(contents);
        break;
      default:
        break;
    }
  }
  return { emails, dnsNames, uris, addresses };
}

/** An absolute URI: scheme, an authority where there is one, and only characters of RFC 3986. */
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:(?:\/\/([^/?#]*))?[!#$&-;=?-Z_a-z~%[\]]*$/;
const AUTHORITY = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=:%]*@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._]*)(?::\d*)?$/;

/** Empty for a URI without one, undefined for what is no URI or has a host that is no name. */
export function hostOfUri(uri: string): string | undefined {
  const match = URI.exec(uri);
  if (match === null || /%(?![0-9A-Fa-f]{2})/.test(uri)) return undefined;
  if (match[1] === undefined) return '';
  const authority = AUTHORITY.exec(match[1]);
  if (authority === null) return undefined;
  const host = authority[1];
  return host === '' || host.startsWith('[') || reverseLabels(host) !== undefined ? host : undefined;
}

/** The labels of a domain, last first; undefined where one is empty (also after a final dot) or not printable. */
export function reverseLabels(domain: string): string[] | undefined {
  if (domain === '') return [];
  const labels = domain.split('.').toReversed();
  return labels.every((label) => /^[\x21-\x7e]+$/.test(label)) ? labels : undefined;
}

export function readIa5(contents: Uint8Array, what: string): string {
  if (contents.some((byte) => byte >= 0x80)) throw bad(`SAN ${what} is malformed`);
  return decodeLatin1(contents);
}

function bad(message: string): BootsealError {
  return new BootsealError('x509/alternative-names', `x509: ${message}`);
}
