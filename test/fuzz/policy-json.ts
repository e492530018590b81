/** policy.json, from its bytes to a policy; what is read must be writable and read back the same. */
import assert from 'node:assert/strict';
import { parsePolicy } from '../../src/formats/policy-json/reader.ts';
import { encodePolicy } from '../../src/formats/policy-json/writer.ts';
import { policyCases } from '../support/policy-vectors.ts';
import type { FuzzTarget } from './harness.ts';

export const target: FuzzTarget = {
  name: 'policy-json',
  seeds() {
    const texts = policyCases().flatMap(({ files }) => files?.['policy.json'] ?? []);
    const distinct = [...new Set(texts)].filter((text) => text.length < 4000);
    return distinct.sort((a, b) => a.length - b.length).map((text) => Buffer.from(text));
  },
  run(bytes) {
    const policy = parsePolicy(bytes, { file: 'policy.json' });
    const written = encodePolicy(policy);
    assert.deepEqual(encodePolicy(parsePolicy(written, { file: 'written' })), written);
  },
};
