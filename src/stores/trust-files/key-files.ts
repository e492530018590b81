/** Public key files that a policy names. Relative names are relative to the working directory, as for the peers. */
import { resolve } from 'node:path';
import { MAX_KEY_FILE_SIZE } from '../../formats/cosign/pem.ts';
import { readSmallFile } from './read-file.ts';

export interface KeyFiles {
  /** `maxSize` in bytes: that of a sigstore key unless given. */
  read(path: string, maxSize?: number): Promise<Uint8Array>;
}

/** `folder`: what relative names start from. */
export function keyFiles(folder: string = process.cwd()): KeyFiles {
  return {
    read(path, maxSize = MAX_KEY_FILE_SIZE) {
      // An empty name is no file, although it resolves to the folder.
      return readSmallFile(path === '' ? '' : resolve(folder, path), {
        maxSize,
        code: 'trust-files/key-unreadable',
        shown: path,
        hint: 'check the name of the key file, and who may read it',
      });
    },
  };
}
