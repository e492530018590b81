/** One sigstore signature against the keys, the image's digest and the identity rule: crypto first, then what it says. */
import { isBootsealError, type ErrorCode } from '../../errors.ts';
import { parsePayload, type SigningPayload } from '../../formats/cosign/payload.ts';
import { SIGNATURE_ANNOTATION, type SigstoreSignature } from '../../formats/cosign/signature.ts';
import type { Digest } from '../../formats/oci/digest.ts';
import type { IdentityMatch } from '../../formats/policy-json/policy.ts';
import type { DockerReference } from '../../formats/reference/docker-reference.ts';
import { decodeGoBase64 } from '../../formats/strict-json/go-base64.ts';
import { goQuote } from '../../formats/strict-json/go-quote.ts';
import { matchesIdentity } from '../identity.ts';
import type { SignatureVerdict } from '../verdict.ts';
import type { TrustedKey } from './sigstore-keys.ts';
import { checkSignature } from './verify-bytes.ts';

export interface SigstoreQuestion {
  readonly keys: readonly TrustedKey[];
  readonly identityRule: IdentityMatch;
  readonly image: DockerReference | undefined;
  readonly manifestDigest: Digest;
}

export function judgeSigstoreSignature(
  signature: SigstoreSignature,
  question: SigstoreQuestion,
): SignatureVerdict {
  // 1. The signature itself, over the payload bytes as they are.
  const encoded = signature.annotations.get(SIGNATURE_ANNOTATION);
  if (encoded === undefined) {
    return refused('trust/malformed-signature', `missing ${SIGNATURE_ANNOTATION} annotation`);
  }
  const decoded = decodeGoBase64(encoded);
  if (typeof decoded === 'number') {
    return refused(
      'trust/malformed-signature',
      `base64 decoding: illegal base64 data at input byte ${decoded}`,
    );
  }
  const reasons: string[] = [];
  let signer: TrustedKey | undefined;
  for (const trusted of question.keys) {
    const reason = checkSignature(trusted.key, signature.payload, decoded);
    if (reason === undefined) {
      signer = trusted;
      break;
    }
    reasons.push(reason);
  }
  if (signer === undefined) {
    return refused(
      'trust/bad-signature',
      `cryptographic signature verification failed: ${reasons.join(', ')}`,
    );
  }
  const key = { keyFingerprint: signer.key.fingerprint, keySource: signer.source };

  // 2. What was signed, read from those same bytes.
  let payload: SigningPayload;
  try {
    payload = parsePayload(signature.payload);
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    return { ...refused('trust/malformed-payload', error.message), ...key };
  }
  const said = { ...key, identity: shortened(payload.dockerReference) };
  if (payload.manifestDigest !== question.manifestDigest) {
    const message = `Signature for digest ${payload.manifestDigest} does not match`;
    return { ...refused('trust/digest-mismatch', message), ...said };
  }
  if (!matchesIdentity(question.identityRule, question.image, payload.dockerReference)) {
    const message = `Signature for identity ${goQuote(payload.dockerReference)} is not accepted`;
    return { ...refused('trust/identity-mismatch', message), ...said };
  }
  return { accepted: true, ...said };
}

/** No reference is longer, so what is cut could not have been accepted. */
const MAX_IDENTITY = 1000;

function shortened(identity: string): string {
  return identity.length <= MAX_IDENTITY ? identity : `${identity.slice(0, MAX_IDENTITY)}…`;
}

function refused(code: ErrorCode, message: string): SignatureVerdict {
  return { accepted: false, code, message };
}
