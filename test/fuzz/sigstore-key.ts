/** Public keys, and private keys up to the box: opening one costs a fifth of a second, which is no place for a fuzzer. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { findPemBlock } from '../../src/formats/cosign/pem.ts';
import { parsePrivateKeyBox } from '../../src/formats/cosign/private-key.ts';
import { encodePublicKey, parsePublicKey } from '../../src/formats/cosign/public-key.ts';
import { vectorPath } from '../support/project.ts';
import type { FuzzTarget } from './harness.ts';

export const target: FuzzTarget = {
  name: 'sigstore-key',
  seeds() {
    const keys = vectorPath('policy', 'keys');
    const files = [
      ...readdirSync(keys)
        .filter((name) => name.endsWith('.pub'))
        .map((name) => `${keys}/${name}`),
      `${keys}/private/cosign.key`,
      `${keys}/private/skopeo-made.private`,
    ];
    return files.map((path) => readFileSync(path)).sort((a, b) => a.length - b.length);
  },
  run(bytes) {
    if (findPemBlock(bytes)?.label.startsWith('ENCRYPTED') === true) {
      parsePrivateKeyBox(bytes);
      return;
    }
    const key = parsePublicKey(bytes);
    assert.equal(parsePublicKey(Buffer.from(encodePublicKey(key))).fingerprint, key.fingerprint);
  },
};
