/** Keys of the policy vectors. */
import { readFileSync } from 'node:fs';
import { parsePublicKey, type SigstorePublicKey } from '../../src/formats/cosign/public-key.ts';
import { vectorPath } from './project.ts';

export function publicKeyOfVector(name: string): SigstorePublicKey {
  return parsePublicKey(readFileSync(vectorPath('policy', 'keys', name)));
}
