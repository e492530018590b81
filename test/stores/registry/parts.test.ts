import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { isInternalAddress, isLinkLocal, isLoopback } from '../../../src/stores/registry/address.ts';
import { parseChallenges } from '../../../src/stores/registry/challenge.ts';
import { safeText, safeUrl } from '../../../src/stores/registry/redact.ts';
import { makeRetry, parseRetryAfter } from '../../../src/stores/registry/retry.ts';
import { BootsealError } from '../../../src/errors.ts';

describe('challenge', () => {
  const read = (header: string): unknown =>
    parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

  it('reads one and several', () => {
    assert.deepEqual(read('Bearer realm="https://a/t",service="s",scope="repository:x:pull,push"'), [
      ['bearer', { realm: 'https://a/t', service: 's', scope: 'repository:x:pull,push' }],
    ]);
    assert.deepEqual(read('Basic realm="a, b=\\"c", , Bearer realm = tok,service="s"'), [
      ['basic', { realm: 'a, b="c' }],
      ['bearer', { realm: 'tok', service: 's' }],
    ]);
    assert.deepEqual(read('Negotiate'), [['negotiate', {}]]);
    assert.deepEqual(read(''), []);
  });

  it('refuses the rest', () => {
    for (const header of [
      '"x"',
      'Bearer realm="x',
      'Bearer realm=',
      'Bearer a="1",a="2"',
      `Basic ${'a=1,'.repeat(3000)}`,
    ]) {
      assert.throws(() => parseChallenges(header), { code: 'registry/bad-challenge' }, header.slice(0, 40));
    }
    const many = Array.from({ length: 40 }, (_, at) => `p${at}=1`).join(',');
    assert.throws(() => parseChallenges(`Bearer ${many}`), { code: 'registry/bad-challenge' });
  });

  it('reads back any parameters', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/);
    fc.assert(
      fc.property(
        fc.dictionary(name, fc.string({ unit: 'grapheme-ascii' }), { maxKeys: 8 }),
        (parameters) => {
          const text = Object.entries(parameters).map(
            ([key, value]) => `${key}="${value.replaceAll(/["\\]/g, '\\$&')}"`,
          );
          const [challenge] = parseChallenges(`Bearer ${text.join(', ')}`);
          assert.deepEqual(Object.fromEntries(challenge.parameters), { ...parameters });
        },
      ),
    );
  });
});

describe('addresses', () => {
  it('are told apart', () => {
    for (const host of [
      'localhost',
      'LOCALHOST.',
      'a.localhost',
      '127.0.0.1',
      '127.9.9.9',
      '[::1]',
      '[::ffff:127.0.0.1]',
    ]) {
      assert.ok(isLoopback(host), host);
    }
    for (const host of ['localhost.example', '128.0.0.1', '[::2]', 'xlocalhost', '127.0.0.1.example']) {
      assert.ok(!isLoopback(host), host);
    }
    assert.ok(isLinkLocal('169.254.169.254') && isLinkLocal('fe80::1') && !isLinkLocal('10.0.0.1'));
    for (const host of [
      '10.0.0.1',
      '172.31.0.1',
      '192.168.1.1',
      '0.0.0.0',
      '100.64.0.1',
      '[fd12::1]',
      '[::]',
    ]) {
      assert.ok(isInternalAddress(host), host);
    }
    for (const host of ['8.8.8.8', '172.32.0.1', '[2606:4700::1]', 'registry.example']) {
      assert.ok(!isInternalAddress(host), host);
    }
  });
});

describe('redaction', () => {
  it('keeps only what may be shown', () => {
    assert.equal(safeUrl(new URL('https://u:p@h.example:5/a/b?token=x#y')), 'https://h.example:5/a/b');
    assert.equal(safeText('a\u001b[31mb\n\nc'), 'a [31mb c');
    assert.equal(safeText('see https://u:p@h/x?sig=1 now'), 'see https://h/x now');
    assert.equal(safeText('Authorization: Bearer abc.def'), 'Authorization: Bearer …');
    assert.ok(safeText('x'.repeat(100_000)).length < 300);
  });
});

describe('retry', () => {
  it('reads Retry-After', () => {
    assert.equal(parseRetryAfter('3'), 3000);
    assert.equal(parseRetryAfter('Thu, 01 Jan 1970 00:01:00 GMT', 0), 60_000);
    assert.equal(parseRetryAfter('Thu, 01 Jan 1970 00:01:00 GMT', 1e6), 0);
    assert.equal(parseRetryAfter('soon'), undefined);
    assert.equal(parseRetryAfter(undefined), undefined);
  });

  it('tries what may pass, and only that', async () => {
    const retry = makeRetry({ attempts: 3, firstDelay: 1 }, undefined, undefined);
    const failing = (code: `registry/${string}`): { tries: number; run: Promise<unknown> } => {
      const state = { tries: 0, run: Promise.resolve() as Promise<unknown> };
      state.run = retry.run('x', () => {
        state.tries += 1;
        return Promise.reject(new BootsealError(code, 'x'));
      });
      return state;
    };
    for (const [code, tries] of [
      ['registry/timeout', 3],
      ['registry/denied', 1],
      ['registry/rate-limited', 3],
    ] as const) {
      const state = failing(code);
      await assert.rejects(state.run, { code });
      assert.equal(state.tries, tries, code);
    }
  });

  it('does not wait after an abort', async () => {
    const stop = new AbortController();
    const retry = makeRetry({ attempts: 3, firstDelay: 60_000 }, stop.signal, () => stop.abort());
    await assert.rejects(
      retry.run('x', () => Promise.reject(new BootsealError('registry/timeout', 'x'))),
      { name: 'AbortError' },
    );
  });
});
