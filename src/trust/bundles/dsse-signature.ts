/**
 * The signature of an envelope with one public key. Written is what `cosign verify --key` accepts without further
 * options: ECDSA over SHA-256 whatever the curve, pure Ed25519, RSA PKCS #1 v1.5. Read is also ECDSA with the hash that
 * belongs to the curve, which is how cosign signs.
 */
import { constants, sign, verify } from 'node:crypto';
import type { SigstorePrivateKey } from '../../formats/cosign/private-key.ts';
import type { SigstorePublicKey } from '../../formats/cosign/public-key.ts';
import { preAuthEncoding, type Envelope } from '../../formats/dsse/envelope.ts';
import { readEcdsaSignature } from '../signatures/ecdsa-encoding.ts';

export type DsseHash = 'sha256' | 'sha384' | 'sha512';

/** By bytes of a coordinate: P-224, P-256, P-384, P-521. */
const CURVE_HASH: Readonly<Record<number, DsseHash>> = {
  28: 'sha256',
  32: 'sha256',
  48: 'sha384',
  66: 'sha512',
};

/** The hash that belongs to a key: of its curve, or SHA-256. */
function hashOfKey(key: SigstorePublicKey): DsseHash {
  return CURVE_HASH[key.fieldSize ?? 0] ?? 'sha256';
}

/** Whether the key made the signature, with one of the hashes given. */
export function checkEnvelope(
  key: SigstorePublicKey,
  { payloadType, payload, signature }: Envelope,
  hashes: readonly DsseHash[] = [hashOfKey(key), 'sha256'],
): boolean {
  const data = preAuthEncoding(payloadType, payload);
  switch (key.algorithm) {
    case 'ecdsa': {
      const read = readEcdsaSignature(signature, key.fieldSize ?? 0);
      // DER only: it is what every signer of bundles writes.
      if (read.form !== 'der') return false;
      const options = { key: key.key, dsaEncoding: 'ieee-p1363' as const };
      return [...new Set(hashes)].some((hash) => accepts(() => verify(hash, data, options, read.p1363)));
    }
    case 'rsa':
      return accepts(() =>
        verify('sha256', data, { key: key.key, padding: constants.RSA_PKCS1_PADDING }, signature),
      );
    case 'ed25519':
    default:
      return accepts(() => verify(null, data, key.key, signature));
  }
}

export function signEnvelope(key: SigstorePrivateKey, payloadType: string, payload: Uint8Array): Envelope {
  const data = preAuthEncoding(payloadType, payload);
  const hash = key.publicKey.algorithm === 'ed25519' ? null : 'sha256';
  return { payloadType, payload, signature: sign(hash, data, { key: key.key, dsaEncoding: 'der' }) };
}

/** OpenSSL throws for some malformed signatures instead of saying no. */
function accepts(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}
