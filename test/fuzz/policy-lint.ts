/** policy lint: it says something about a file if and only if the strict reader refuses it, whatever the bytes are. */
import assert from 'node:assert/strict';
import { isBootsealError } from '../../src/errors.ts';
import { parseStrictJson } from '../../src/formats/strict-json/parser.ts';
import { readTolerantJson } from '../../src/formats/strict-json/tolerant.ts';
import { lintPolicy } from '../../src/trust/lint/lint.ts';
import type { FuzzTarget } from './harness.ts';
import { target as policy } from './policy-json.ts';

const LIMITS = { maxSize: 1024 * 1024 };

function isStrict(bytes: Uint8Array): boolean {
  try {
    parseStrictJson(bytes, LIMITS);
    return true;
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    return false;
  }
}

export const target: FuzzTarget = {
  name: 'policy-lint',
  seeds: () => policy.seeds(),
  run(bytes) {
    assert.equal(readTolerantJson(bytes, LIMITS).problems.length === 0, isStrict(bytes));
    const { findings, refusal } = lintPolicy(bytes, 'policy.json');
    if (refusal !== undefined) assert.ok(findings.some(({ severity }) => severity === 'error'));
    for (const { offset } of findings) assert.ok(offset >= 0 && offset <= bytes.length);
  },
};
