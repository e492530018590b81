/** One sigstore signature against the keys, the image's digest and the identity rule: crypto first, then what it says. */
import type { ErrorCode } from '../../errors.ts';
import { parsePayload } from '../../formats/cosign/payload.ts';
import { SIGNATURE_ANNOTATION, type SigstoreSignature } from '../../formats/cosign/signature.ts';
import { decodeGoBase64 } from '../../formats/strict-json/go-base64.ts';
import type { SignatureVerdict } from '../verdict.ts';
import { judgeClaims, type ClaimsQuestion } from './claims.ts';
import type { TrustedKey } from './sigstore-keys.ts';
import { checkSignature } from './verify-bytes.ts';

export interface SigstoreQuestion extends ClaimsQuestion {
  readonly keys: readonly TrustedKey[];
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
  return judgeClaims(() => parsePayload(signature.payload), key, question);
}

function refused(code: ErrorCode, message: string): SignatureVerdict {
  return { accepted: false, code, message };
}
