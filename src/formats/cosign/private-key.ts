/**
 * Encrypted private keys that skopeo and cosign share: a PEM block around the JSON of go-securesystemslib's
 * `encrypted` package, scrypt → XSalsa20-Poly1305 ("nacl/secretbox") → PKCS #8.
 */
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js';
import { createPrivateKey, createPublicKey, randomBytes, scryptSync, type KeyObject } from 'node:crypto';
import { encodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError, isBootsealError } from '../../errors.ts';
import { exactMembers, goBytes, goString } from '../strict-json/go-decode.ts';
import type { JsonNode } from '../strict-json/json-node.ts';
import { parseStrictJson } from '../strict-json/parser.ts';
import { goQuote } from '../strict-json/go-quote.ts';
import { encodePem, findPemBlock, MAX_KEY_FILE_SIZE } from './pem.ts';
import { publicKeyFromSpki, type SigstorePublicKey } from './public-key.ts';

/** What containers/image writes; both are read by everybody. */
const WRITTEN_LABEL = 'ENCRYPTED COSIGN PRIVATE KEY';
const LABELS: readonly string[] = [WRITTEN_LABEL, 'ENCRYPTED SIGSTORE PRIVATE KEY'];

const SALT_SIZE = 32;
const NONCE_SIZE = 24;
const BOX_KEY_SIZE = 32;
const SCRYPT_R = 8;
const SCRYPT_P = 1;
/** Legacy, standard (written) and OWASP strength. No other cost is read, so a file cannot ask for gigabytes. */
const SCRYPT_COSTS: readonly number[] = [32768, 65536, 131072];
const WRITTEN_COST = 65536;

export interface SigstorePrivateKey {
  readonly key: KeyObject;
  readonly publicKey: SigstorePublicKey;
}

/** Throws `cosign/bad-private-key` for the file and `cosign/wrong-passphrase` for the passphrase. Neither quotes any secret. */
export function decryptPrivateKey(file: Uint8Array, passphrase: Uint8Array): SigstorePrivateKey {
  const box = parsePrivateKeyBox(file);
  const key = deriveKey(passphrase, box.salt, box.cost);
  let der: Uint8Array;
  try {
    der = xsalsa20poly1305(key, box.nonce).decrypt(box.ciphertext);
  } catch {
    throw new BootsealError('cosign/wrong-passphrase', 'decrypt: encrypted: decryption failed', {
      hint: 'give the passphrase of this key with --sign-passphrase-file',
    });
  }
  try {
    return privateKeyFromPkcs8(der);
  } finally {
    // The library has its own copy; these need not stay in memory.
    der.fill(0);
    key.fill(0);
  }
}

/** PKCS #8 → key pair. Throws `cosign/bad-private-key`. */
function privateKeyFromPkcs8(der: Uint8Array): SigstorePrivateKey {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
  } catch {
    // The cause may quote the key.
    throw bad('parsing private key: the decrypted bytes are no PKCS #8 key');
  }
  return { key, publicKey: publicKeyFromSpki(createPublicKey(key).export({ type: 'spki', format: 'der' })) };
}

/** The encrypted file of a private key. `random` is replaced in tests only. */
export function encryptPrivateKey(
  key: KeyObject,
  passphrase: Uint8Array,
  random: (size: number) => Uint8Array = randomBytes,
): string {
  const salt = random(SALT_SIZE);
  const nonce = random(NONCE_SIZE);
  const der = key.export({ type: 'pkcs8', format: 'der' });
  const ciphertext = xsalsa20poly1305(deriveKey(passphrase, salt, WRITTEN_COST), nonce).encrypt(der);
  const document = {
    kdf: { name: 'scrypt', params: { N: WRITTEN_COST, r: SCRYPT_R, p: SCRYPT_P }, salt: base64(salt) },
    cipher: { name: 'nacl/secretbox', nonce: base64(nonce) },
    ciphertext: base64(ciphertext),
  };
  return encodePem(WRITTEN_LABEL, encodeUtf8(JSON.stringify(document)));
}

export interface PrivateKeyBox {
  /** scrypt N. */
  readonly cost: number;
  readonly salt: Uint8Array;
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/** The file up to the encrypted box, which only the passphrase opens. Throws `cosign/bad-private-key`. */
export function parsePrivateKeyBox(file: Uint8Array): PrivateKeyBox {
  const block = findPemBlock(file);
  if (block === undefined) throw bad('invalid pem block', 'the private key file is not PEM');
  if (!LABELS.includes(block.label)) {
    throw bad(
      `unsupported pem type: ${goQuote(block.label).slice(1, -1)}`,
      'make an encrypted key: bootseal key generate sigstore --output-prefix NAME',
    );
  }
  return parseBox(block.bytes);
}

function parseBox(bytes: Uint8Array): PrivateKeyBox {
  try {
    const top = exactMembers(parseStrictJson(bytes, { maxSize: MAX_KEY_FILE_SIZE, maxDepth: 8 }), [
      'kdf',
      'cipher',
      'ciphertext',
    ]);
    const kdf = exactMembers(top.kdf, ['name', 'params', 'salt']);
    const params = exactMembers(kdf.params, ['N', 'r', 'p']);
    const cipher = exactMembers(top.cipher, ['name', 'nonce']);
    if (goString(kdf.name) !== 'scrypt') throw bad('unknown kdf name');
    if (goString(cipher.name) !== 'nacl/secretbox') throw bad('unknown cipher name');
    const cost = integer(params.N);
    if (!SCRYPT_COSTS.includes(cost) || integer(params.r) !== SCRYPT_R || integer(params.p) !== SCRYPT_P) {
      throw bad('unsupported scrypt parameters');
    }
    return {
      cost,
      salt: sized(kdf.salt, SALT_SIZE, 'salt'),
      nonce: sized(cipher.nonce, NONCE_SIZE, 'nonce'),
      ciphertext: goBytes(top.ciphertext) ?? new Uint8Array(0),
    };
  } catch (error) {
    if (!isBootsealError(error) || error.code === 'cosign/bad-private-key') throw error;
    throw bad(`encrypted private key: ${error.message}`);
  }
}

function integer(node: JsonNode): number {
  return node.kind === 'number' && /^\d{1,9}$/.test(node.text) ? Number(node.text) : -1;
}

function sized(node: JsonNode, size: number, what: string): Uint8Array {
  const bytes = goBytes(node);
  if (bytes?.length !== size) throw bad(`${what} is not ${size} bytes long`);
  return bytes;
}

function deriveKey(passphrase: Uint8Array, salt: Uint8Array, cost: number): Uint8Array {
  // OpenSSL wants to be told that it may use the memory that these costs need, 128·N·r bytes and a little.
  const maxmem = 128 * cost * SCRYPT_R + 1024 * 1024;
  return scryptSync(passphrase, salt, BOX_KEY_SIZE, { N: cost, r: SCRYPT_R, p: SCRYPT_P, maxmem });
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function bad(message: string, hint?: string): BootsealError {
  return new BootsealError('cosign/bad-private-key', message, hint === undefined ? {} : { hint });
}
