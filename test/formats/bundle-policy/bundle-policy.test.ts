/** bundles.json: strict, and identities that cannot be matched in the middle of others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isBootsealError } from '../../../src/errors.ts';
import { matchesPattern, parseIdentityPattern } from '../../../src/formats/bundle-policy/identity-pattern.ts';
import type { BundlePolicy } from '../../../src/formats/bundle-policy/policy.ts';
import { parseBundlePolicy } from '../../../src/formats/bundle-policy/reader.ts';
import { errorCode } from '../../support/error-code.ts';

const WORKFLOW = 'https://github.com/acme/os/.github/workflows/build.yml@refs/heads/main';
const KEYLESS = {
  trustedRootPath: '/etc/bootseal/trusted_root.json',
  issuer: 'https://token.actions.githubusercontent.com',
  identity: WORKFLOW,
};
const KEYED = { type: 'bundleSigned', use: 'require', keyPath: '/etc/pki/acme.pub' };

function parse(document: unknown): BundlePolicy {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  return parseBundlePolicy(Buffer.from(text), { file: 'bundles.json' });
}

const scoped = (...requirements: readonly object[]): object => ({
  transports: { docker: { 'quay.io/acme': requirements } },
});

test('keys and keyless signers are read', () => {
  const policy = parse({
    default: [{ ...KEYED, use: 'satisfy' }],
    transports: {
      docker: {
        'quay.io/acme': [KEYED, { type: 'bundleSigned', use: 'satisfy', keyless: KEYLESS }],
        '': [{ type: 'bundleSigned', use: 'require', keyData: Buffer.from('x').toString('base64') }],
      },
    },
  });
  assert.equal(policy.default[0].use, 'satisfy');
  const [keyed, keyless] = policy.transports.get('docker')?.get('quay.io/acme') ?? [];
  assert.deepEqual(keyed.trust, {
    kind: 'keys',
    keys: { kind: 'paths', member: 'keyPath', paths: ['/etc/pki/acme.pub'] },
  });
  assert.deepEqual(keyless.trust, { kind: 'keyless', ...KEYLESS });
});

const REFUSED: readonly [string, string, unknown][] = [
  ['nothing', 'bundle-policy/empty', {}],
  ['no transports', 'bundle-policy/empty', { transports: {} }],
  ['an empty scope', 'bundle-policy/empty', scoped()],
  ['another transport', 'bundle-policy/unknown-key', { transports: { oci: { '/a': [KEYED] } } }],
  ['an unknown member', 'bundle-policy/unknown-key', scoped({ ...KEYED, extra: 1 })],
  [
    'a member twice',
    'bundle-policy/duplicate-key',
    '{"default":[],"default":[]}'.replaceAll('[]', JSON.stringify([KEYED])),
  ],
  ['a comment', 'bundle-policy/syntax', '// no\n{}'],
  ['policy.json itself', 'bundle-policy/unknown-key', { default: [{ type: 'reject', x: 1 }] }],
  [
    'a type of policy.json',
    'bundle-policy/unknown-type',
    scoped({ type: 'sigstoreSigned', use: 'require', keyPath: '/a' }),
  ],
  ['no use', 'bundle-policy/missing-key', scoped({ type: 'bundleSigned', keyPath: '/a' })],
  ['an unknown use', 'bundle-policy/use', scoped({ ...KEYED, use: 'ignore' })],
  ['no key', 'bundle-policy/one-key-source', scoped({ type: 'bundleSigned', use: 'require' })],
  ['two keys', 'bundle-policy/one-key-source', scoped({ ...KEYED, keyless: KEYLESS })],
  ['an empty path', 'bundle-policy/type', scoped({ ...KEYED, keyPath: '' })],
  ['no paths', 'bundle-policy/type', scoped({ type: 'bundleSigned', use: 'require', keyPaths: [] })],
  ['keyless without root', 'bundle-policy/missing-key', keyless({ trustedRootPath: undefined })],
  ['keyless without issuer', 'bundle-policy/missing-key', keyless({ issuer: undefined })],
  ['keyless without identity', 'bundle-policy/missing-key', keyless({ identity: undefined })],
  ['sgs-issuer: an issuer that is no URL', 'bundle-policy/issuer', keyless({ issuer: '.*' })],
  ['both identities', 'bundle-policy/unknown-key', keyless({ identityPattern: '^https://a/b/$' })],
  ['a pattern as identity', 'bundle-policy/pattern', keyless({ identity: 'https://github.com/acme/*' })],
  ['an identity that is none', 'bundle-policy/identity', keyless({ identity: 'acme' })],
];

function keyless(change: object): object {
  return scoped({ type: 'bundleSigned', use: 'require', keyless: { ...KEYLESS, ...change } });
}

for (const [what, code, document] of REFUSED) {
  test(`refused: ${what}`, () =>
    assert.equal(
      errorCode(() => parse(document)),
      code,
    ));
}

test('an error says where it is', () => {
  const text = `{\n  "transports": {"docker": {"a": [\n    {"type": "bundleSigned", "use": "maybe"}\n  ]}}\n}`;
  assert.throws(() => parse(text), { where: 'bundles.json:3:37' });
});

const GOOD = '^https://github\\.com/acme/os/\\.github/workflows/build\\.yml@refs/tags/v[0-9]+\\.\\d+$';

test('a pattern matches the whole identity', () => {
  const pattern = parseIdentityPattern(GOOD);
  const base = 'https://github.com/acme/os/.github/workflows/build.yml@refs/tags/';
  assert(matchesPattern(pattern, `${base}v1.20`));
  for (const other of [
    `${base}v1.20x`,
    `${base}v1`,
    `x${base}v1.20`,
    `${base}v1.20\n`,
    `\n${base}v1.20`,
    'https://githubXcom/acme/os/.github/workflows/build.yml@refs/tags/v1.2',
    'https://evil.test/https://github.com/acme/os/.github/workflows/build.yml@refs/tags/v1.2',
    '',
  ]) {
    assert(!matchesPattern(pattern, other), other);
  }
});

test('what a pattern can say', () => {
  const matches = (tail: string, text: string): boolean =>
    matchesPattern(parseIdentityPattern(`^https://a\\.b/c/${tail}$`), `https://a.b/c/${text}`);
  assert(matches('.*', '') && matches('.*', 'anything/at all'));
  assert(matches('x?y+', 'y') && matches('x?y+', 'xyyy') && !matches('x?y+', 'x'));
  assert(matches('[^/]*', 'abc') && !matches('[^/]*', 'a/c'));
  assert(matches('[a-f0-9]+', '09af') && !matches('[a-f0-9]+', 'g'));
  assert(matches('\\*', '*') && !matches('\\*', 'x'));
  assert(matches('[a-]', '-') && matches('[.]', '.') && !matches('[.]', 'x'));
});

test('patterns that accept what nobody meant are refused, with what to write', () => {
  const hints = new Map<string, string | undefined>();
  for (const bad of [
    '.*',
    '^.*$',
    'https://github\\.com/acme/.*',
    '^https://github\\.com/acme/.*',
    'https://github\\.com/acme/.*$',
    '^https://github\\.com/acme/x\\$',
    '^https://github.com/acme/.*$',
    '^https://.*\\.com/acme/x$',
    '^https://github\\.com.*$',
    '^https://github\\.com/.*$',
    '^https://github\\.com/a.*/x$',
    '^http://github\\.com/acme/x$',
    '^https://github\\.com/acme/(a|b)$',
    '^https://github\\.com/acme/a|.*$',
    '^https://github\\.com/acme/a{2}$',
    '^https://github\\.com/acme/a**$',
    '^https://github\\.com/acme/\\w+$',
    '^https://github\\.com/acme/[a$',
    '^https://github\\.com/acme/a\\$$'.replace('\\$$', '\\'),
    `^https://github\\.com/acme/${'a'.repeat(1000)}$`,
  ]) {
    try {
      parseIdentityPattern(bad);
      assert.fail(`${bad} was taken`);
    } catch (error) {
      assert(isBootsealError(error), String(error));
      assert.equal(error.code, 'bundle-policy/pattern');
      hints.set(bad, error.hint);
    }
  }
  assert.equal(hints.get('https://github\\.com/acme/.*'), 'write ^https://github\\.com/acme/.*$');
  assert.match(hints.get('^https://github.com/acme/.*$') ?? '', /escape its dots/);
});

test('adm-redos: a text that makes others go back for ever is answered at once', () => {
  const pattern = parseIdentityPattern(`^https://a\\.b/c/${'x*'.repeat(200)}y$`);
  const started = performance.now();
  assert(!matchesPattern(pattern, `https://a.b/c/${'x'.repeat(4000)}`));
  assert(!matchesPattern(pattern, `https://a.b/c/${'x'.repeat(50_000)}`));
  assert(performance.now() - started < 1000);
});
