/** Private RSA keys for boot signatures: PEM (PKCS#8, encrypted or not, or PKCS#1) or DER (PKCS#8). */
import { createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto';
import { decodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import type { Signer } from '../../formats/authenticode/ports.ts';
import { readSmallFile } from '../trust-files/read-file.ts';

/** An RSA-4096 key in PEM has 3.2 KiB. */
const MAX_FILE_BYTES = 64 * 1024;

/**
 * A signer that uses the key in this file. Nothing of the file's contents gets into an error. Throws `key/unreadable`,
 * `key/needs-passphrase`, `key/wrong-passphrase`, `key/not-private`, `key/unsupported`.
 */
export async function readSigningKey(path: string, passphrase?: string | Uint8Array): Promise<Signer> {
  const bytes = await readSmallFile(path, { maxSize: MAX_FILE_BYTES, code: 'key/unreadable' });
  return signerOf(loadKey(path, bytes, passphrase), path);
}

/** True when the file needs a passphrase, so that it can be asked for before anything is done. */
export async function isEncryptedKey(path: string): Promise<boolean> {
  const bytes = await readSmallFile(path, { maxSize: MAX_FILE_BYTES, code: 'key/unreadable' });
  return needsPassphrase(decodeUtf8(bytes) ?? '');
}

/** A signer around a key that is already in memory. */
export function signerOf(key: KeyObject, where?: string): Signer {
  if (key.asymmetricKeyType !== 'rsa') {
    throw new BootsealError('key/unsupported', 'the key is not RSA; firmware verifies no other', {
      ...(where === undefined ? {} : { where }),
      hint: 'make one with bootseal key generate secureboot',
      exit: 2,
    });
  }
  const publicKeySpki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return {
    publicKeySpki: Uint8Array.from(publicKeySpki),
    sign: async (data) => signWith(key, data, where),
  };
}

function signWith(key: KeyObject, data: Uint8Array, where: string | undefined): Uint8Array {
  try {
    return sign('sha256', data, key);
  } catch {
    // Numbers that do not belong together; the library's error is dropped, as below.
    throw new BootsealError(
      'key/damaged',
      'the private key does not work: its numbers do not fit each other',
      {
        ...(where === undefined ? {} : { where }),
        exit: 2,
      },
    );
  }
}

function loadKey(path: string, bytes: Uint8Array, passphrase: string | Uint8Array | undefined): KeyObject {
  const text = decodeUtf8(bytes);
  const pem = text !== undefined && text.includes('-----BEGIN ');
  if (pem && !/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) {
    throw notPrivate(path, /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text)?.[1]);
  }
  const encrypted = pem && needsPassphrase(text);
  if (encrypted && passphrase === undefined) {
    throw new BootsealError('key/needs-passphrase', 'the key is encrypted', { where: path, exit: 2 });
  }
  const secret = passphrase === undefined ? {} : { passphrase: Buffer.from(passphrase) };
  try {
    return pem
      ? createPrivateKey({ key: text, format: 'pem', ...secret })
      : createPrivateKey({ key: Buffer.from(bytes), format: 'der', type: 'pkcs8' });
  } catch {
    // The library's error is dropped: it says nothing to a person, and must not quote the key.
    if (encrypted) {
      throw new BootsealError('key/wrong-passphrase', 'the passphrase does not open the key', {
        where: path,
        exit: 2,
      });
    }
    throw notPrivate(path, undefined);
  }
}

function needsPassphrase(text: string): boolean {
  return text.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----') || text.includes('Proc-Type: 4,ENCRYPTED');
}

function notPrivate(path: string, found: string | undefined): BootsealError {
  const what =
    found === undefined
      ? 'the file holds no usable private key'
      : `the file holds a ${found}, not a private key`;
  return new BootsealError('key/not-private', what, {
    where: path,
    hint: 'give the private key in PEM, as openssl or bootseal key generate secureboot write it',
    exit: 2,
  });
}
