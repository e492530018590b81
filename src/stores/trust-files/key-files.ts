/** Public key files that a policy names. Relative names are relative to the working directory, as for the peers. */
import { resolve } from 'node:path';
import { MAX_KEY_FILE_SIZE } from '../../formats/cosign/pem.ts';
import { withDetails, type BootsealError } from '../../errors.ts';
import { readSmallFile } from './read-file.ts';

export interface KeyFiles {
  /** `maxSize` in bytes: that of a sigstore key unless given. */
  read(path: string, maxSize?: number): Promise<Uint8Array>;
}

/** `folder`: what relative names start from. */
export function keyFiles(folder: string = process.cwd()): KeyFiles {
  return {
    async read(path, maxSize = MAX_KEY_FILE_SIZE) {
      try {
        // An empty name is no file, although it resolves to the folder.
        return await readSmallFile(path === '' ? '' : resolve(folder, path), {
          maxSize,
          code: 'trust-files/key-unreadable',
          shown: path,
        });
      } catch (error) {
        throw withDetails(error as BootsealError, {
          hint: `check the key file that the policy names: ${path}`,
        });
      }
    },
  };
}
