/** One simple signature against one manifest, one name and a list of fingerprints, without a policy: `standalone-verify`. */
import { isBootsealError, type ErrorCode } from '../../errors.ts';
import { digestOf, type Digest } from '../../formats/oci/digest.ts';
import { verifyMessage, type Keyring } from '../../formats/openpgp/index.ts';
import {
  formatReference,
  parseDockerReference,
  type DockerReference,
} from '../../formats/reference/docker-reference.ts';
import { parseSimplePayload } from '../../formats/simple-signing/payload.ts';
import type { SigningPayload } from '../../formats/cosign/payload.ts';
import { goQuote } from '../../formats/strict-json/go-quote.ts';

export interface StandaloneQuestion {
  readonly manifest: Uint8Array;
  /** As given; compared after normalisation, without a default tag. */
  readonly reference: string;
  /** Full fingerprints in capitals, of primary keys or of subkeys; `any` accepts every key of the keyring. */
  readonly fingerprints: readonly string[] | 'any';
  readonly keyring: Keyring;
  /** Seconds since 1970. */
  readonly now: number;
}

export type StandaloneVerdict =
  | { readonly accepted: true; readonly fingerprint: string; readonly digest: Digest }
  | { readonly accepted: false; readonly code: ErrorCode; readonly message: string };

/** Never throws for what the signature holds. Throws `reference/…` for a name that is none. */
export async function judgeStandalone(
  signature: Uint8Array,
  question: StandaloneQuestion,
): Promise<StandaloneVerdict> {
  const wanted = parseDockerReference(question.reference);
  // 1. Whose it is.
  const verdict = await verifyMessage(signature, question.keyring, question.now);
  if (!verdict.valid) return refused(verdict.code, verdict.message);
  const { fingerprint: own, primaryFingerprint: primary } = verdict;
  const { fingerprints } = question;
  const fingerprint =
    fingerprints === 'any' ? primary : [own, primary].find((each) => fingerprints.includes(each));
  if (fingerprint === undefined) {
    return refused('trust/unknown-key', `signature by key ${own} of ${primary} is not accepted`);
  }
  // 2. What it says.
  let payload: SigningPayload;
  try {
    payload = parseSimplePayload(verdict.content);
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    return refused('trust/malformed-payload', error.message);
  }
  const { manifestDigest, dockerReference } = payload;
  const digest = digestOf(question.manifest);
  if (manifestDigest !== digest) {
    return refused(
      'trust/digest-mismatch',
      `Signature for docker digest ${goQuote(manifestDigest)} does not match`,
    );
  }
  if (!sameName(dockerReference, wanted)) {
    return refused(
      'trust/identity-mismatch',
      `Docker reference ${goQuote(dockerReference)} does not match ${goQuote(question.reference)}`,
    );
  }
  return { accepted: true, fingerprint, digest };
}

function sameName(text: string, wanted: DockerReference): boolean {
  try {
    return formatReference(parseDockerReference(text)) === formatReference(wanted);
  } catch (error) {
    if (isBootsealError(error)) return false;
    throw error;
  }
}

function refused(code: ErrorCode, message: string): StandaloneVerdict {
  return { accepted: false, code, message };
}
