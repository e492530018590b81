/** Steps and verdicts as lines: marks, columns, details, and the same words without a terminal. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome } from '../../../src/cli/command.ts';
import type { CliContext } from '../../../src/cli/context.ts';
import { printOutcome } from '../../../src/cli/render/outcome.ts';
import { renderFacts, renderSteps } from '../../../src/cli/render/steps.ts';
import { plainStyle, richStyle, type Style } from '../../../src/cli/render/style.ts';
import type { Step } from '../../../src/steps.ts';

const steps: readonly Step[] = [
  { id: 'signature', title: 'signature', state: 'passed', summary: 'sigstore key SHA256:Qm3x' },
  {
    id: 'seal',
    title: 'seal',
    state: 'failed',
    summary: 'the UKI says composefs=4f0c\nbut these layers give 1d22',
    details: [{ label: 'changed', value: '/usr/bin/login\u001b[2J' }],
    hint: 'seal again',
  },
  { id: 'secure-boot', title: 'Secure Boot', state: 'skipped', summary: 'the seal is broken' },
];

function bare(lines: readonly string[]): string {
  // oxlint-disable-next-line no-control-regex
  return lines.join('\n').replaceAll(/\u001b\[\d+m/g, '');
}

test('at a terminal: a mark, a column of titles, details under the summary, the hint last', () => {
  assert.equal(
    bare(renderSteps(steps, richStyle)),
    `  ✓ signature    sigstore key SHA256:Qm3x
  ✗ seal         the UKI says composefs=4f0c
                 but these layers give 1d22
                 changed  /usr/bin/login\\x1b[2J
                 hint     seal again
  – Secure Boot  the seal is broken`,
  );
});

test('elsewhere: words in place of the marks', () => {
  assert.equal(
    renderSteps(steps, plainStyle).join('\n'),
    `  ok      signature    sigstore key SHA256:Qm3x
  FAILED  seal         the UKI says composefs=4f0c
                       but these layers give 1d22
                       changed  /usr/bin/login\\x1b[2J
                       hint     seal again
  skipped Secure Boot  the seal is broken`,
  );
});

test('details of what passed are for --verbose, those of what failed for everyone', () => {
  const details = [{ label: 'digest', value: 'sha256:3b1f' }];
  const passed: Step = { id: 'manifest', title: 'manifest', state: 'passed', summary: '5 layers', details };
  assert.deepEqual(renderSteps([passed], plainStyle, false), ['  ok      manifest    5 layers']);
  assert.equal(renderSteps([passed], plainStyle, true).length, 2);
  assert.equal(renderSteps([{ ...passed, state: 'failed' }], plainStyle, false).length, 2);
});

test('a hint without details has its column too', () => {
  const step: Step = {
    id: 'base',
    title: 'base',
    state: 'warning',
    summary: 'not checked',
    hint: 'give --policy',
  };
  assert.equal(renderSteps([step], plainStyle)[1], '                      hint  give --policy');
});

test('facts of a verdict stand in one column', () => {
  assert.deepEqual(renderFacts([{ label: 'digest', value: 'sha256:3b1f' }, { label: 'signed by', value: 'key\nfile' }], plainStyle), [
    '  digest     sha256:3b1f',
    '  signed by  key',
    '             file',
  ]); // prettier-ignore
});

function print(
  outcome: Outcome,
  options: { quiet?: boolean; json?: boolean; style?: Style } = {},
): { stdout: string; stderr: string } {
  const written = { stdout: '', stderr: '' };
  const context = { quiet: false, json: false, style: plainStyle, ...options } as CliContext;
  printOutcome(outcome, context, {
    stdout: (text) => void (written.stdout += text),
    stderr: (text) => void (written.stderr += text),
  });
  return written;
}

const refused: Outcome = {
  ok: false,
  verdict: {
    word: 'refused',
    subject: 'quay.io/acme/os:10',
    reason: 'A signature was required, but no signature exists',
    facts: [{ label: 'policy', value: 'policy.json' }],
    hint: 'sign it',
  },
  steps,
  json: { image: 'quay.io/acme/os:10' },
};

test('a refusal: the answer first, its reason on standard error, then facts and steps', () => {
  const { stdout, stderr } = print(refused);
  assert.equal(stderr, 'A signature was required, but no signature exists\n');
  assert.deepEqual(stdout.split('\n').slice(0, 4), [
    'refused  quay.io/acme/os:10',
    '  policy     policy.json',
    '  hint       sign it',
    '  ok      signature    sigstore key SHA256:Qm3x',
  ]);
});

test('--quiet keeps the answer and the reason', () => {
  const { stdout, stderr } = print(refused, { quiet: true });
  assert.equal(stdout, 'refused  quay.io/acme/os:10\n');
  assert.equal(stderr, 'A signature was required, but no signature exists\n');
});

test('--json is one object with every step', () => {
  const { stdout } = print(refused, { json: true });
  assert.deepEqual(JSON.parse(stdout), { schema: 1, ok: false, image: 'quay.io/acme/os:10', steps });
  assert.ok(!stdout.includes('\u001b'));
});

test('JSON of sizes beyond 2^53, maps and bytes', () => {
  const { stdout } = print(
    { ok: true, json: { size: 2n ** 60n, map: new Map([['a', 1]]), bytes: Uint8Array.of(0xab, 1) } },
    { json: true },
  );
  assert.deepEqual(JSON.parse(stdout), {
    schema: 1,
    ok: true,
    size: '1152921504606846976',
    map: { a: 1 },
    bytes: 'ab01',
  });
});

test('a value stands alone on standard output', () => {
  assert.deepEqual(print({ ok: true, value: '4f0c' }), { stdout: '4f0c\n', stderr: '' });
});

test('work done is told before the verdict', () => {
  const { stdout } = print({
    ok: true,
    steps: steps.slice(0, 1),
    stepsFirst: true,
    verdict: { word: 'sealed', subject: 'x' },
  });
  assert.deepEqual(stdout.split('\n'), ['  ok      signature   sigstore key SHA256:Qm3x', 'sealed  x', '']);
});
