/** A private key file and its passphrase, from a file or asked for. Neither ever appears in an error. */
import { decryptPrivateKey, type SigstorePrivateKey } from '../formats/cosign/private-key.ts';
import { MAX_KEY_FILE_SIZE } from '../formats/cosign/pem.ts';
import { encodeUtf8 } from '../bytes/bytes.ts';
import { isBootsealError, withDetails } from '../errors.ts';
import { readSmallFile } from '../stores/trust-files/read-file.ts';

export interface PrivateKeyRequest {
  readonly keyFile: string;
  /** First line, without its newline: skopeo's rule. */
  readonly passphraseFile?: string;
}

/** Asks for a passphrase without showing it. */
export type AskPassphrase = (question: string) => Promise<string>;

/** Throws `key/unreadable`, `cosign/bad-private-key`, `cosign/wrong-passphrase`. */
export async function loadPrivateKey(
  request: PrivateKeyRequest,
  ask?: AskPassphrase,
): Promise<SigstorePrivateKey> {
  const { keyFile, passphraseFile } = request;
  const file = await readSmallFile(keyFile, { maxSize: MAX_KEY_FILE_SIZE, code: 'key/unreadable' });
  if (passphraseFile !== undefined) return decrypt(file, await readPassphraseFile(passphraseFile), keyFile);
  // A key without a passphrase must not ask for one; this try costs a fifth of a second.
  try {
    return decrypt(file, new Uint8Array(0), keyFile);
  } catch (error) {
    if (!isBootsealError(error) || error.code !== 'cosign/wrong-passphrase' || ask === undefined) throw error;
  }
  return decrypt(file, encodeUtf8(await ask(`Passphrase for key ${keyFile}: `)), keyFile);
}

/** 1 KiB is more than anybody types; the limit stops a key given in place of the passphrase. */
const MAX_PASSPHRASE_FILE = 64 * 1024;

export async function readPassphraseFile(path: string): Promise<Uint8Array> {
  const bytes = await readSmallFile(path, { maxSize: MAX_PASSPHRASE_FILE, code: 'key/unreadable' });
  const newline = bytes.indexOf(0x0a);
  return newline < 0 ? bytes : bytes.subarray(0, newline);
}

function decrypt(file: Uint8Array, passphrase: Uint8Array, keyFile: string): SigstorePrivateKey {
  try {
    return decryptPrivateKey(file, passphrase);
  } catch (error) {
    throw isBootsealError(error) ? withDetails(error, { where: keyFile }) : error;
  }
}
