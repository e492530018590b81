/**
 * Public keys that containers/image takes for `sigstoreSigned`: PEM `PUBLIC KEY` (SPKI) or `RSA PUBLIC KEY` (PKCS #1),
 * ECDSA on a NIST curve, RSA or Ed25519. The key bytes must be the one DER encoding of that key, so that Go and
 * OpenSSL cannot read two keys from one file.
 */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { equalBytes } from '../../bytes/bytes.ts';
import { decodeHex } from '../../bytes/hex.ts';
import { BootsealError } from '../../errors.ts';
import { goQuote } from '../strict-json/go-quote.ts';
import { encodePem, findPemBlock } from './pem.ts';

export type KeyAlgorithm = 'ecdsa' | 'rsa' | 'ed25519';

export interface SigstorePublicKey {
  readonly algorithm: KeyAlgorithm;
  readonly key: KeyObject;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** `SHA256:` and the unpadded base64 of the SHA-256 of `spki`: names the key in output, as ssh names keys. */
  readonly fingerprint: string;
  /** Bytes of a coordinate, and so of r and of s. ECDSA only. */
  readonly fieldSize?: number;
}

/** SPKI up to the point, with the uncompressed marker: the only forms that Go reads. */
const EC_PREFIXES: readonly { readonly prefix: Uint8Array; readonly fieldSize: number }[] = [
  { prefix: decodeHex('304e301006072a8648ce3d020106052b81040021033a0004'), fieldSize: 28 },
  { prefix: decodeHex('3059301306072a8648ce3d020106082a8648ce3d03010703420004'), fieldSize: 32 },
  { prefix: decodeHex('3076301006072a8648ce3d020106052b8104002203620004'), fieldSize: 48 },
  { prefix: decodeHex('30819b301006072a8648ce3d020106052b810400230381860004'), fieldSize: 66 },
];

/** Go verifies no shorter modulus; above 16384 bits a single verification takes seconds. */
const MIN_RSA_BITS = 1024;
const MAX_RSA_BITS = 16384;
const MAX_RSA_EXPONENT = 2n ** 31n - 1n;

/** Throws `cosign/bad-public-key` with the words of the sigstore library. */
export function parsePublicKey(file: Uint8Array): SigstorePublicKey {
  const block = findPemBlock(file);
  if (block === undefined)
    throw bad('PEM decoding failed', 'a public key file begins with -----BEGIN PUBLIC KEY-----');
  if (block.label === 'PUBLIC KEY') return publicKeyFromSpki(block.bytes);
  if (block.label === 'RSA PUBLIC KEY') {
    const key = importKey(block.bytes, 'pkcs1');
    if (!equalBytes(key.export({ type: 'pkcs1', format: 'der' }), block.bytes))
      throw bad('not canonical DER');
    return publicKeyFromSpki(key.export({ type: 'spki', format: 'der' }));
  }
  const label = goQuote(block.label).slice(1, -1);
  throw bad(
    `unknown Public key PEM file type: ${label}. Are you passing the correct public key?`,
    block.label.includes('PRIVATE') ? 'give the .pub file of the pair' : undefined,
  );
}

/** Throws `cosign/bad-public-key`. */
export function publicKeyFromSpki(spki: Uint8Array): SigstorePublicKey {
  const key = importKey(spki, 'spki');
  if (!equalBytes(key.export({ type: 'spki', format: 'der' }), spki)) throw bad('not canonical DER');
  const fingerprint = `SHA256:${createHash('sha256').update(spki).digest('base64').replaceAll('=', '')}`;
  const common = { key, spki: Uint8Array.from(spki), fingerprint };
  if (key.asymmetricKeyType === 'ed25519') return { algorithm: 'ed25519', ...common };
  if (key.asymmetricKeyType === 'rsa') {
    checkRsa(key);
    return { algorithm: 'rsa', ...common };
  }
  if (key.asymmetricKeyType !== 'ec') throw bad(`unsupported key type ${key.asymmetricKeyType ?? 'unknown'}`);
  const form = EC_PREFIXES.find(({ prefix, fieldSize }) => {
    const named = equalBytes(spki.subarray(0, prefix.length), prefix);
    return named && spki.length === prefix.length + 2 * fieldSize;
  });
  if (form === undefined)
    throw bad('unsupported elliptic curve', 'use a P-256 key: that curve works everywhere');
  return { algorithm: 'ecdsa', ...common, fieldSize: form.fieldSize };
}

function checkRsa(key: KeyObject): void {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < MIN_RSA_BITS || modulusLength > MAX_RSA_BITS) {
    throw bad(`RSA key of ${modulusLength} bits`, `use ${2 * MIN_RSA_BITS} to ${MAX_RSA_BITS} bits`);
  }
  if (publicExponent < 3n || publicExponent > MAX_RSA_EXPONENT || publicExponent % 2n === 0n) {
    throw bad('RSA public exponent out of range');
  }
}

/** The `.pub` file of a key pair. */
export function encodePublicKey(key: SigstorePublicKey): string {
  return encodePem('PUBLIC KEY', key.spki);
}

function importKey(der: Uint8Array, type: 'spki' | 'pkcs1'): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(der), format: 'der', type });
  } catch (cause) {
    throw new BootsealError('cosign/bad-public-key', 'the PEM block holds no public key', { cause });
  }
}

function bad(message: string, hint?: string): BootsealError {
  return new BootsealError('cosign/bad-public-key', message, hint === undefined ? {} : { hint });
}
