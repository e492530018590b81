/** Who takes what was signed: each tool by its own rule, and what to add where one refuses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acceptances, acceptanceSteps, type SignatureForm } from '../../src/sign/acceptance.ts';

/** podman and skopeo, bootc, cosign 3, cosign 2: `+` accepts, `-` refuses. */
function verdicts(
  forms: readonly SignatureForm[],
  more: { kind?: 'image' | 'index'; all?: boolean; hasBundles?: boolean } = {},
): string {
  const { kind = 'image', all = false, hasBundles = forms.includes('bundle') } = more;
  return acceptances({ forms, kind, all, hasBundles })
    .map(({ accepts }) => (accepts ? '+' : '-'))
    .join('');
}

test('each form, and all of them', () => {
  assert.equal(verdicts(['attachment']), '++++');
  assert.equal(verdicts(['bundle']), '--+-');
  assert.equal(verdicts(['simple']), '++--');
  assert.equal(verdicts(['attachment', 'bundle']), '++++');
  assert.equal(verdicts(['bundle', 'simple']), '+++-');
});

test('an index without its instances is for bootc and cosign', () => {
  assert.equal(verdicts(['attachment', 'bundle'], { kind: 'index' }), '-+++');
  assert.equal(verdicts(['attachment', 'bundle'], { kind: 'index', all: true }), '++++');
});

test('bundles by others hide an attachment from cosign 3', () => {
  assert.equal(verdicts(['attachment'], { hasBundles: true }), '++-+');
});

test('every refusal has its reason and what would mend it', () => {
  const judged = acceptances({ forms: ['simple'], kind: 'index', all: false, hasBundles: false });
  const steps = acceptanceSteps(judged);
  assert.deepEqual(
    steps.map(({ state, code }) => [state, code]),
    [
      ['passed', undefined],
      ['warning', 'sign/tool-refuses'],
      ['warning', 'sign/tool-refuses'],
      ['warning', 'sign/tool-refuses'],
    ],
  );
  assert(steps.slice(1).every(({ hint }) => hint?.startsWith('sign with --')));
});
