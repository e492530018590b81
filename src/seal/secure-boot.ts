/** Signing of boot programs, each signature checked at once by our own verifier before anything is written. */
import type { Parts } from '../bytes/rope.ts';
import { BootsealError } from '../errors.ts';
import { signImage, type Signer } from '../formats/authenticode/sign.ts';
import { verifyPe } from '../formats/authenticode/verify.ts';

export interface SecureBootKey {
  readonly signer: Signer;
  /** DER, the signer's own first. */
  readonly certificates: readonly Uint8Array[];
}

export interface SignedProgram {
  readonly parts: Parts;
  /** Subject of the certificate. */
  readonly signedBy: string;
}

export async function signProgram(program: Parts, key: SecureBootKey, what: string): Promise<SignedProgram> {
  const { parts, digest } = await signImage(program, key);
  // Signing does not change what is hashed, so a large UKI is read once for both.
  const verdict = verifyPe(parts, { anchors: key.certificates, digest });
  const signature = verdict.signatures.find(({ accepted }) => accepted);
  if (!verdict.accepted || signature === undefined) {
    const reasons = verdict.reasons.map(({ message }) => message).join('; ');
    throw new BootsealError(
      'seal/signature-unusable',
      `${what}: firmware would refuse this signature: ${reasons}`,
    );
  }
  return { parts, signedBy: signature.subject ?? 'a certificate without subject' };
}
