/**
 * A bundle signed with a short-lived certificate: who that is (issuer and identity), proven by an authority, a log and
 * timestamps of a trusted root. The library checks logs, timestamps, the certificate's own log and the signature; the
 * path, the identity and what the log entry is about are checked here, because there it is lenient (identities as
 * unanchored patterns, no extended key usage, an entry by another certificate).
 */
import { BootsealError, isBootsealError, type ErrorCode } from '../../errors.ts';
import { OID } from '../../formats/der/oid.ts';
import { matchesPattern, type IdentityPattern } from '../../formats/bundle-policy/identity-pattern.ts';
import { findPemBlock } from '../../formats/cosign/pem.ts';
import type { Digest } from '../../formats/oci/digest.ts';
import type { SigstoreBundle } from '../../formats/sigstore-bundle/format.ts';
import { goQuote } from '../../formats/strict-json/go-quote.ts';
import { plainValue } from '../../formats/strict-json/plain.ts';
import { decodeUtf8, equalBytes } from '../../bytes/bytes.ts';
import { issuerOf } from '../signatures/certificates.ts';
import type { SignatureVerdict } from '../verdict.ts';
import { buildPath } from '../x509/build-path.ts';
import { readPathCertificate, type PathCertificate } from '../x509/path-certificate.ts';
import { statementFault } from './statement-about.ts';
import type { CertificateAuthority, TrustedRoot } from './trusted-root.ts';

export interface KeylessQuestion {
  readonly root: TrustedRoot;
  /** File that the root came from. */
  readonly source: string;
  readonly issuer: string;
  readonly identity: string | IdentityPattern;
  readonly image: Digest;
}

export async function judgeKeylessBundle(
  bundle: SigstoreBundle,
  question: KeylessQuestion,
): Promise<SignatureVerdict> {
  if (bundle.signer.kind !== 'certificate') {
    return refused('trust/bad-signature', 'the bundle is signed with a key, not with a certificate');
  }
  const { certificate } = bundle.signer;
  // 1. The certificate by our own, strict reader first: the library's takes more, and recurses without a limit.
  let leaf: PathCertificate;
  try {
    leaf = readPathCertificate(certificate);
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    return refused('trust/bad-certificate', error.message);
  }
  // 2. Evidence and signature.
  let times: readonly number[];
  try {
    times = await verifyEvidence(bundle, certificate, question.root);
  } catch (error) {
    // Whatever the library throws, it has not said yes.
    return refused('trust/bad-evidence', error instanceof Error ? error.message : String(error));
  }
  try {
    // 3. The certificate, at every time that was proven.
    for (const at of times) checkPath(leaf, question.root.authorities, at);
    const by = {
      ...(leaf.publicKey && { keyFingerprint: leaf.publicKey.fingerprint }),
      keySource: question.source,
    };
    // 4. Whose it is, whole against whole.
    const issuer = issuerOf(leaf);
    if (issuer !== question.issuer) {
      return {
        ...refused('trust/other-signer', `issuer ${goQuote(issuer)} is not ${goQuote(question.issuer)}`),
        ...by,
      };
    }
    const identities = [...leaf.names.uris, ...leaf.names.emails];
    const identity = identities.find((each) => isWanted(each, question.identity));
    if (identity === undefined) {
      const wanted = typeof question.identity === 'string' ? question.identity : question.identity.source;
      const found = identities.slice(0, 3).map(goQuote).join(', ') || 'nobody';
      return { ...refused('trust/other-signer', `identity ${found} is not ${goQuote(wanted)}`), ...by };
    }
    // 5. What was signed.
    const fault = statementFault(bundle.envelope, question.image);
    return fault === undefined
      ? { accepted: true, ...by, identity }
      : { accepted: false, ...fault, ...by, identity };
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    return refused('trust/bad-certificate', error.message);
  }
}

/** Times, in milliseconds since 1970, that logs and timestamp authorities have vouched for. Throws anything. */
async function verifyEvidence(
  bundle: SigstoreBundle,
  certificate: Uint8Array,
  { material }: TrustedRoot,
): Promise<readonly number[]> {
  const [{ bundleFromJSON }, { toSignedEntity, Verifier }] = await Promise.all([
    import('@sigstore/bundle'),
    import('@sigstore/verify'),
  ]);
  const entity = toSignedEntity(bundleFromJSON(plainValue(bundle.document)));
  new Verifier(material, { tlogThreshold: 1, ctlogThreshold: 1, timestampThreshold: 1 }).verify(entity);
  for (const { canonicalizedBody } of entity.tlogEntries) checkEntry(canonicalizedBody, certificate);
  return entity.timestamps.flatMap((stamp) => {
    if (stamp.$case === 'timestamp-authority') return stamp.timestamp.signingTime.getTime();
    // Without the promise of the log nobody has signed the time in an entry.
    const { inclusionPromise, integratedTime } = stamp.tlogEntry;
    return inclusionPromise === undefined ? [] : Number(integratedTime) * 1000;
  });
}

/** The entry names the signer that the log has seen: it must be the certificate of the bundle, and no other. */
function checkEntry(body: Uint8Array, certificate: Uint8Array): void {
  const signers = signersOf(JSON.parse(decodeUtf8(body) ?? '') as Entry);
  const same = signers.length > 0 && signers.every((signer) => equalBytes(signer, certificate));
  if (!same) throw new Error('the log entry is about another certificate');
}

interface Entry {
  readonly kind?: unknown;
  readonly apiVersion?: unknown;
  readonly spec?: {
    readonly signatures?: readonly { readonly verifier?: unknown }[];
    readonly signature?: { readonly publicKey?: { readonly content?: unknown } };
    readonly dsseV002?: { readonly signatures?: readonly EntrySignature[] };
    readonly hashedRekordV002?: { readonly signature?: EntrySignature };
  };
}

interface EntrySignature {
  readonly verifier?: { readonly x509Certificate?: { readonly rawBytes?: unknown } };
}

/** Rekor v1: PEM in base64. v2: DER in base64. Other kinds of entries have no signer that we would know. */
function signersOf({ kind, apiVersion, spec }: Entry): readonly Uint8Array[] {
  const der = (each: EntrySignature | undefined): Uint8Array =>
    decoded(each?.verifier?.x509Certificate?.rawBytes);
  switch (`${String(kind)} ${String(apiVersion)}`) {
    case 'dsse 0.0.1':
      return (spec?.signatures ?? []).map(({ verifier }) => pem(verifier));
    case 'hashedrekord 0.0.1':
      return [pem(spec?.signature?.publicKey?.content)];
    case 'dsse 0.0.2':
      return (spec?.dsseV002?.signatures ?? []).map(der);
    case 'hashedrekord 0.0.2':
      return [der(spec?.hashedRekordV002?.signature)];
    default:
      return [];
  }
}

function decoded(value: unknown): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value, 'base64') : new Uint8Array(0);
}

function pem(value: unknown): Uint8Array {
  return findPemBlock(decoded(value))?.bytes ?? new Uint8Array(0);
}

function checkPath(
  certificate: PathCertificate,
  authorities: readonly CertificateAuthority[],
  at: number,
): void {
  // The alternative names are critical and compared by the caller.
  const unhandled = certificate.unhandled.filter((id) => id !== OID.subjectAlternativeName);
  const leaf = { ...certificate, unhandled };
  let reason: unknown = new BootsealError('x509/unknown-authority', 'no authority was in office then');
  for (const { root, intermediates, from, until } of authorities) {
    if (at < from || at > until) continue;
    try {
      buildPath({ leaf, intermediates, roots: [root], at, usage: OID.codeSigning });
      return;
    } catch (error) {
      reason = error;
    }
  }
  throw reason;
}

function isWanted(identity: string, wanted: string | IdentityPattern): boolean {
  return typeof wanted === 'string' ? identity === wanted : matchesPattern(wanted, identity);
}

function refused(code: ErrorCode, message: string): SignatureVerdict {
  return { accepted: false, code, message };
}
