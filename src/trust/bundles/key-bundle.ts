/** One bundle against public keys and the digest of the image. A bundle names no image: only the digest binds it. */
import type { Digest } from '../../formats/oci/digest.ts';
import type { SigstoreBundle } from '../../formats/sigstore-bundle/format.ts';
import type { TrustedKey } from '../signatures/sigstore-keys.ts';
import type { SignatureVerdict } from '../verdict.ts';
import { checkEnvelope, type DsseHash } from './dsse-signature.ts';
import { statementFault } from './statement-about.ts';

export interface KeyBundleQuestion {
  readonly keys: readonly TrustedKey[];
  readonly image: Digest;
  /** Default: that of the curve, and SHA-256. */
  readonly hashes?: readonly DsseHash[];
  /** Take any signed statement about the image for a signature, as cosign does. */
  readonly anyPredicate?: boolean;
}

/**
 * The hint in the bundle is nobody's word and is not looked at, and neither is a certificate: the key is the
 * verifier's own. Log entries are carried along and not needed.
 */
export function judgeKeyBundle(bundle: SigstoreBundle, question: KeyBundleQuestion): SignatureVerdict {
  const { keys, image, hashes, anyPredicate } = question;
  // 1. The signature, over the statement and its type.
  const signer = keys.find(({ key }) => checkEnvelope(key, bundle.envelope, hashes));
  if (signer === undefined) {
    const message = 'cryptographic signature verification failed: the bundle is not signed by the key';
    return { accepted: false, code: 'trust/bad-signature', message };
  }
  const by = { keyFingerprint: signer.key.fingerprint, keySource: signer.source };
  // 2. What was signed, from those same bytes.
  const fault = statementFault(bundle.envelope, image, anyPredicate);
  return fault === undefined ? { accepted: true, ...by } : { accepted: false, ...fault, ...by };
}
