/** Signature files and the payloads in them. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { encodePayload, parsePayload } from '../../src/formats/cosign/payload.ts';
import { encodeStoredSignature, parseStoredSignature } from '../../src/formats/cosign/signature.ts';
import { vectorPath } from '../support/project.ts';
import type { FuzzTarget } from './harness.ts';

export const target: FuzzTarget = {
  name: 'cosign-payload',
  seeds() {
    const folder = vectorPath('policy', 'signatures');
    const files = readdirSync(folder).map((name) => readFileSync(`${folder}/${name}`));
    const payloads = files.flatMap((bytes) => {
      const signature = tryParse(bytes);
      return signature === undefined ? [] : [signature];
    });
    return [...payloads, ...files.filter((bytes) => bytes[0] === 0)].sort((a, b) => a.length - b.length);
  },
  run(bytes) {
    if (bytes[0] !== 0) {
      const payload = parsePayload(bytes);
      const again = parsePayload(encodePayload(payload));
      assert.equal(again.manifestDigest, payload.manifestDigest);
      assert.equal(again.dockerReference, payload.dockerReference);
      return;
    }
    const signature = parseStoredSignature(bytes);
    assert.deepEqual(parseStoredSignature(encodeStoredSignature(signature)), signature);
  },
};

function tryParse(bytes: Uint8Array): Uint8Array | undefined {
  try {
    const signature = parseStoredSignature(bytes);
    return signature.kind === 'sigstore' ? signature.payload : undefined;
  } catch {
    return undefined;
  }
}
