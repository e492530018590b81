/** The report as text: escaping, digests in full, and what is said about the chain. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, property, string } from 'fast-check';
import { renderReport } from '../../src/serve/report/page.ts';
import type { Step } from '../../src/steps.ts';
import {
  brokenChain,
  goodChain,
  hostileChain,
  hostileText,
  MANIFEST_DIGEST,
  TREE_DIGEST,
  warnedChain,
} from '../support/chains.ts';

const image = 'docker://quay.io/acme/os:10-sealed';

function page(ok: boolean, steps: readonly Step[]): string {
  return renderReport({ image, digest: MANIFEST_DIGEST, ok, steps });
}

test('the same result gives the same bytes', () => {
  assert.equal(page(true, goodChain), page(true, goodChain));
});

test('a whole chain is called unbroken, with its digests in full', () => {
  const text = page(true, goodChain);
  assert.match(text, /<h1>.*Unbroken<\/h1>/);
  assert.match(text, /All 6 links hold\./);
  assert.match(text, /<body class="good">/);
  assert.ok(text.includes(`<code class="digest">${TREE_DIGEST}</code>`));
  assert.ok(text.includes(`<code class="digest">${MANIFEST_DIGEST}</code>`));
});

test('a broken chain names the broken link, why, and what was not checked', () => {
  const text = page(false, brokenChain);
  assert.match(text, /<h1>.*Broken<\/h1>/);
  assert.match(text, /Link 5 of 6, <a href="#link-5">seal<\/a>, is broken\. 1 link was not checked\./);
  assert.ok(text.includes('seal/digest-mismatch'));
});

test('every broken link is named', () => {
  const failed = goodChain.map((step, at): Step =>
    at === 3 || at === 5 ? { ...step, state: 'failed' } : step,
  );
  const text = page(false, failed);
  assert.match(
    text,
    /2 of 6 links are broken: <a href="#link-4">UKI<\/a>, <a href="#link-6">bootloader<\/a>\./,
  );
});

test('a chain with a warning, or with a link that was not checked, is not green', () => {
  const warned = page(true, warnedChain);
  assert.match(warned, /<body class="mixed">/);
  assert.match(warned, /Unbroken, with warnings<\/h1>/);
  assert.match(warned, /4 links hold, 2 with a warning: <a href="#link-1">signature<\/a>, <a /);
  // An unverified signature proves nothing.
  assert.doesNotMatch(warned, /vouches for exactly this manifest/);
  const [first, ...others] = goodChain;
  const gap = page(true, [
    { ...first, state: 'skipped', summary: 'not checked: no policy asked for' },
    ...others,
  ]);
  assert.match(gap, /<body class="mixed">/);
  assert.match(gap, /Not fully checked<\/h1>/);
  assert.match(gap, /5 links hold, 1 not checked\./);
});

test('a result without a failed step is still not called whole when it is not ok', () => {
  const text = page(false, goodChain.slice(0, 2));
  assert.match(text, /Broken<\/h1>/);
  assert.match(text, /did not come to an end/);
});

test('text from an image never becomes markup', () => {
  const text = renderReport({ image: hostileText, digest: hostileText, when: hostileText, ok: false, steps: hostileChain, command: hostileText, generator: hostileText }); // prettier-ignore
  assert.ok(!text.includes('<script'));
  assert.ok(!text.includes('<img'));
  assert.equal(text.match(/<style>/g)?.length, 1);
  // oxlint-disable-next-line no-control-regex
  assert.doesNotMatch(text, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  assert.ok(text.includes('&quot;&gt;&lt;script&gt;'));
});

test('the page asks for nothing from anywhere', () => {
  const text = page(true, goodChain);
  assert.doesNotMatch(text, /\b(src|srcset|action|style)=|url\(|@import|<link|<script|<iframe|<object/);
  assert.match(text, /default-src 'none'|default-src &#39;none&#39;/);
});

test('whatever a text holds, the page has the same tags', () => {
  const tagsOf = (text: string): number => {
    const step: Step = {
      id: text,
      title: text,
      state: 'failed',
      summary: text,
      hint: text,
      details: [{ label: text, value: text }],
    };
    const html = renderReport({
      image: text,
      digest: `${text}.`,
      when: text,
      ok: false,
      steps: [step],
      command: text,
      generator: text,
    });
    return html.split('<').length + html.split('>').length + html.split('"').length;
  };
  const plain = tagsOf('x');
  check(
    property(string({ unit: 'binary' }), (text) => {
      // A line end becomes a line break, which is a tag by right.
      assert.equal(tagsOf(text.replaceAll('\n', ' ')), plain);
    }),
    { numRuns: 300 },
  );
});
