/** One signature over bytes with one public key, with the algorithms that containers/image fixes: SHA-256 always. */
import { constants, verify } from 'node:crypto';
import type { SigstorePublicKey } from '../../formats/cosign/public-key.ts';
import { readEcdsaSignature } from './ecdsa-encoding.ts';

/** Undefined when the signature is good; otherwise why not, in the words of the sigstore library. */
export function checkSignature(
  key: SigstorePublicKey,
  data: Uint8Array,
  signature: Uint8Array,
): string | undefined {
  switch (key.algorithm) {
    case 'ecdsa':
      return checkEcdsa(key, data, signature);
    case 'rsa': {
      // PKCS #1 v1.5. Never parsed here: the library compares the whole padded block.
      const options = { key: key.key, padding: constants.RSA_PKCS1_PADDING };
      return accepts(() => verify('sha256', data, options, signature))
        ? undefined
        : 'crypto/rsa: verification error';
    }
    case 'ed25519':
    default:
      // Pure Ed25519 over the payload, not Ed25519ph.
      return accepts(() => verify(null, data, key.key, signature)) ? undefined : 'failed to verify signature';
  }
}

function checkEcdsa(key: SigstorePublicKey, data: Uint8Array, signature: Uint8Array): string | undefined {
  const read = readEcdsaSignature(signature, key.fieldSize ?? 0);
  switch (read.form) {
    case 'bad-der':
      return 'invalid signature when validating ASN.1 encoded signature';
    case 'bad-p1363':
      return 'ecdsa: Invalid IEEE_P1363 encoded bytes';
    case 'der':
    case 'p1363':
    default: {
      const options = { key: key.key, dsaEncoding: 'ieee-p1363' as const };
      if (accepts(() => verify('sha256', data, options, read.p1363))) return undefined;
      return `invalid signature when validating ${read.form === 'der' ? 'ASN.1' : 'IEEE_P1363'} encoded signature`;
    }
  }
}

/** ECDSA in DER and in no other form, as logs and certificates have it. */
export function verifiesEcdsaDer(
  { key, fieldSize = 0 }: SigstorePublicKey,
  hash: string,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  const read = readEcdsaSignature(signature, fieldSize);
  if (read.form !== 'der') return false;
  return accepts(() => verify(hash, data, { key, dsaEncoding: 'ieee-p1363' }, read.p1363));
}

/** OpenSSL throws for some malformed signatures instead of saying no. */
function accepts(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}
