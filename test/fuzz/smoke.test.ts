/** Every fuzz target for a moment, always with the same inputs. Longer runs: `npm run fuzz -- TARGET SECONDS`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz, loadTargets } from './harness.ts';

const SEED = 20260;
const INPUTS = 2000;
const MILLISECONDS = 1000;

for (const target of await loadTargets()) {
  test(`fuzz ${target.name}`, () => {
    const { inputs, taken, findings } = fuzz(target, {
      seed: SEED,
      milliseconds: MILLISECONDS,
      inputs: INPUTS,
    });
    assert.ok(inputs > 0);
    assert.ok(taken > 0, 'no seed is valid, so nothing behind the first check is tested');
    assert.deepEqual(
      findings.map((finding) => `input ${finding.index}: ${finding.problem}`),
      [],
    );
  });
}

test('the harness sees a crash', () => {
  const run = (bytes: Uint8Array): void => {
    if (bytes[0] === 0xff) throw new TypeError('crash');
  };
  const target = { name: 'self-check', seeds: () => [Uint8Array.of(0x7f)], run };
  const { findings } = fuzz(target, { seed: SEED, milliseconds: MILLISECONDS, inputs: INPUTS });
  assert.ok(findings.length > 0);
  assert.ok(
    findings.every((finding) => finding.input[0] === 0xff && finding.problem.includes('TypeError: crash')),
  );
});
