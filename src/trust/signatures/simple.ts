/** One simple signature against the keyring, the image's digest and the identity rule: crypto first, then what it says. */
import { verifyMessage } from '../../formats/openpgp/index.ts';
import { parseSimplePayload } from '../../formats/simple-signing/payload.ts';
import type { SignatureVerdict } from '../verdict.ts';
import { judgeClaims, type ClaimsQuestion } from './claims.ts';
import type { TrustedKeyring } from './openpgp-keys.ts';

export interface SimpleQuestion extends ClaimsQuestion {
  readonly keyring: TrustedKeyring;
  /** Seconds since 1970: keys and signatures expire. */
  readonly now: number;
}

export async function judgeSimpleSignature(
  bytes: Uint8Array,
  question: SimpleQuestion,
): Promise<SignatureVerdict> {
  const { keyring, now } = question;
  // 1. The signature, and whether its key counts today.
  const verdict = await verifyMessage(bytes, keyring, now);
  const keyFingerprint = verdict.primaryFingerprint;
  const keySource = keyFingerprint === undefined ? undefined : keyring.sources.get(keyFingerprint);
  const signer = {
    ...(keyFingerprint !== undefined && { keyFingerprint }),
    ...(keySource !== undefined && { keySource }),
  };
  if (!verdict.valid) return { accepted: false, code: verdict.code, message: verdict.message, ...signer };
  // 2. What was signed, read from the bytes that were verified.
  return judgeClaims(() => parseSimplePayload(verdict.content), signer, question);
}
