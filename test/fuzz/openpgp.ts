/** Signed messages and keyrings: everything of them that is read before any cryptography. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { parseKeyring, parseSignedMessage } from '../../src/formats/openpgp/index.ts';
import { vectorPath } from '../support/project.ts';
import type { FuzzTarget } from './harness.ts';

export const target: FuzzTarget = {
  name: 'openpgp',
  seeds() {
    return ['signatures', 'keys']
      .flatMap((folder) => {
        return readdirSync(vectorPath('policy', folder))
          .filter((name) => name.startsWith('gpg-') && !name.endsWith('.json'))
          .map((name) => readFileSync(vectorPath('policy', folder, name)));
      })
      .sort((a, b) => a.length - b.length);
  },
  run(bytes) {
    if (isKeyring(bytes)) {
      for (const { fingerprint, components } of parseKeyring(bytes)) {
        assert.match(fingerprint, /^[0-9A-F]{40}$/);
        assert(components.length < bytes.length);
      }
      return;
    }
    const { signature, signed, content } = parseSignedMessage(bytes);
    assert(content.length <= signed.length);
    assert(signature.issuers.every((issuer) => /^[0-9A-F]*$/.test(issuer)));
  },
};

/** Text, or a packet with a key. */
function isKeyring(bytes: Uint8Array): boolean {
  const first = bytes[0] ?? 0;
  const tag = (first & 0x40) === 0 ? (first >> 2) & 0x0f : first & 0x3f;
  return first < 0x80 || tag === 5 || tag === 6;
}
