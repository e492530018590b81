/** Signers that prove who they are with a certificate: Fulcio's, short-lived and logged, or those of one's own PKI. */
import { decodeUtf8, encodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError, isBootsealError } from '../../errors.ts';
import { OID } from '../../formats/der/oid.ts';
import { readDerPrefix, TAG } from '../../formats/der/reader.ts';
import { CERTIFICATE_ANNOTATION, type SigstoreSignature } from '../../formats/cosign/signature.ts';
import type { SigstorePublicKey } from '../../formats/cosign/public-key.ts';
import { goQuote } from '../../formats/strict-json/go-quote.ts';
import { buildPath } from '../x509/build-path.ts';
import { checkHostname } from '../x509/hostname.ts';
import type { PathCertificate } from '../x509/path-certificate.ts';
import { readSignatureCertificates } from '../x509/pem-certificates.ts';

const CHAIN_ANNOTATION = 'dev.sigstore.cosign/chain';

/** Fulcio's extensions for the OIDC issuer: the text itself, and later the same as a DER string. */
const ISSUER_V1 = '1.3.6.1.4.1.57264.1.1';
const ISSUER_V2 = '1.3.6.1.4.1.57264.1.8';

export interface FulcioTrust {
  readonly roots: readonly PathCertificate[];
  readonly oidcIssuer: string;
  readonly subjectEmail: string;
}

export interface PkiTrust {
  readonly roots: readonly PathCertificate[];
  readonly intermediates: readonly PathCertificate[];
  /** At least one of the two. */
  readonly subjectEmail?: string;
  readonly subjectHostname?: string;
}

/**
 * The key of the certificate beside a signature, valid at `at` (milliseconds since 1970: when the log saw it) and
 * issued to this person by this provider. No SCT is asked for, as upstream. Throws `trust/bad-certificate`,
 * `trust/other-signer`.
 */
export function fulcioKey(
  signature: SigstoreSignature,
  { roots, oidcIssuer, subjectEmail }: FulcioTrust,
  at: number,
): SigstorePublicKey {
  return described(() => {
    const leaf = verifyLeaf(signature, roots, [], at);
    const issuer = issuerOf(leaf);
    if (issuer !== oidcIssuer) throw otherSigner(`Unexpected Fulcio OIDC issuer ${goQuote(issuer)}`);
    requireEmail(leaf, subjectEmail);
    return keyOf(leaf);
  });
}

/** The key of the certificate beside a signature, valid at `at` and for this email and host. Throws as {@link fulcioKey}. */
export function pkiKey(signature: SigstoreSignature, trust: PkiTrust, at: number): SigstorePublicKey {
  return described(() => {
    const leaf = verifyLeaf(signature, trust.roots, trust.intermediates, at);
    if (trust.subjectEmail !== undefined) requireEmail(leaf, trust.subjectEmail);
    if (trust.subjectHostname !== undefined) {
      try {
        checkHostname(leaf, trust.subjectHostname);
      } catch (error) {
        throw isBootsealError(error) ? otherSigner(`Unexpected subject hostname: ${error.message}`) : error;
      }
    }
    return keyOf(leaf);
  });
}

/** The leaf, after its path was found. The last of the chain is the root, which only the policy can name. */
function verifyLeaf(
  { annotations }: SigstoreSignature,
  roots: readonly PathCertificate[],
  trustedIntermediates: readonly PathCertificate[],
  at: number,
): PathCertificate {
  const chain = prefixed('loading certificate chain: ', () =>
    readSignatureCertificates(encodeUtf8(annotations.get(CHAIN_ANNOTATION) ?? '')),
  );
  const leaves = prefixed('parsing leaf certificate: ', () =>
    readSignatureCertificates(encodeUtf8(annotations.get(CERTIFICATE_ANNOTATION) ?? '')),
  );
  if (leaves.length === 0) throw bad('no certificate found in signature certificate data');
  if (leaves.length > 1) throw bad('unexpected multiple certificates present in signature certificate data');
  // Names of a kind that path validation does not read may be critical: who the signer is, is compared below.
  const unhandled = leaves[0].unhandled.filter((id) => id !== OID.subjectAlternativeName);
  const leaf = { ...leaves[0], unhandled };
  const intermediates = [...trustedIntermediates, ...chain.slice(0, -1)];
  prefixed('veryfing leaf certificate failed: ', () =>
    buildPath({ leaf, intermediates, roots, at, usage: OID.codeSigning }),
  );
  return leaf;
}

/** Both spellings must agree where both are there. */
export function issuerOf({ certificate }: PathCertificate): string {
  const value = (id: string): Uint8Array | undefined =>
    certificate.extensions.find((extension) => extension.id === id)?.value;
  const v1 = value(ISSUER_V1);
  const v2 = value(ISSUER_V2);
  const first = v1 && readText(v1);
  const second = v2 && readIssuerString(v2);
  if (first !== undefined && second !== undefined && first !== second) {
    const both = `v1 ${goQuote(first)}, v2 ${goQuote(second)}`;
    throw bad(`inconsistent OIDC issuer extension values: ${both}`);
  }
  const issuer = first ?? second;
  if (issuer === undefined) throw bad('Fulcio certificate is missing the issuer extension');
  return issuer;
}

function readIssuerString(value: Uint8Array): string {
  const { tag, contents, encoded } = prefixed('invalid ASN.1 in OIDC issuer v2 extension: ', () =>
    readDerPrefix(value),
  );
  if (encoded.length < value.length) throw bad('invalid ASN.1 in OIDC issuer v2 extension, trailing data');
  const text = readText(contents);
  if (tag === TAG.utf8String) return text;
  if (tag === TAG.printableString && /^[A-Za-z0-9 '()+,\-./:=?*&]*$/.test(text)) return text;
  throw bad('invalid ASN.1 in OIDC issuer v2 extension: no text');
}

/** Replacement characters would make two texts one. */
function readText(bytes: Uint8Array): string {
  const text = decodeUtf8(bytes);
  if (text === undefined) throw bad('the OIDC issuer in the certificate is not UTF-8');
  return text;
}

function requireEmail({ names }: PathCertificate, email: string): void {
  if (names.emails.includes(email)) return;
  throw otherSigner(
    `Required email ${goQuote(email)} not found (got [${names.emails.map(goQuote).join(' ')}])`,
  );
}

function keyOf({ publicKey }: PathCertificate): SigstorePublicKey {
  if (publicKey === undefined) throw bad('unsupported public key type');
  return publicKey;
}

function described<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!isBootsealError(error) || error.code.startsWith('trust/')) throw error;
    throw bad(error.message);
  }
}

function prefixed<T>(prefix: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw isBootsealError(error) ? bad(prefix + error.message) : error;
  }
}

function otherSigner(message: string): BootsealError {
  return new BootsealError('trust/other-signer', message);
}

function bad(message: string): BootsealError {
  return new BootsealError('trust/bad-certificate', message);
}
