/** What a signed payload says against the image at hand: the same for sigstore and for simple signing. */
import { isBootsealError, type ErrorCode } from '../../errors.ts';
import type { SigningPayload } from '../../formats/cosign/payload.ts';
import type { Digest } from '../../formats/oci/digest.ts';
import type { IdentityMatch } from '../../formats/policy-json/policy.ts';
import type { DockerReference } from '../../formats/reference/docker-reference.ts';
import { goQuote } from '../../formats/strict-json/go-quote.ts';
import { matchesIdentity } from '../identity.ts';
import type { SignatureVerdict } from '../verdict.ts';

export interface ClaimsQuestion {
  readonly identityRule: IdentityMatch;
  readonly image: DockerReference | undefined;
  readonly manifestDigest: Digest;
}

/** `readPayload` parses bytes whose signature has been checked already, by the key that `signer` names. */
export function judgeClaims(
  readPayload: () => SigningPayload,
  signer: Pick<SignatureVerdict, 'keyFingerprint' | 'keySource' | 'loggedAt'>,
  { identityRule, image, manifestDigest }: ClaimsQuestion,
): SignatureVerdict {
  let payload: SigningPayload;
  try {
    payload = readPayload();
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    return { ...refused('trust/malformed-payload', error.message), ...signer };
  }
  const said = { ...signer, identity: shortened(payload.dockerReference) };
  if (payload.manifestDigest !== manifestDigest) {
    const message = `Signature for digest ${payload.manifestDigest} does not match`;
    return { ...refused('trust/digest-mismatch', message), ...said };
  }
  if (!matchesIdentity(identityRule, image, payload.dockerReference)) {
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
