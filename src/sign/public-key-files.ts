/** Public key files, as they will be trusted: read and checked before anything is written. */
import { isBootsealError, withDetails } from '../errors.ts';
import { parsePublicKey, type SigstorePublicKey } from '../formats/cosign/public-key.ts';
import { keyFiles } from '../stores/trust-files/key-files.ts';

/** Throws `trust-files/key-unreadable`, `cosign/bad-public-key` with the file in `where`. */
export async function readPublicKeys(paths: readonly string[]): Promise<SigstorePublicKey[]> {
  const reader = keyFiles();
  const keys: SigstorePublicKey[] = [];
  for (const path of paths) {
    try {
      keys.push(parsePublicKey(await reader.read(path)));
    } catch (error) {
      throw isBootsealError(error) ? withDetails(error, { where: path }) : error;
    }
  }
  return keys;
}
