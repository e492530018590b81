import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { findAuth } from '../../../src/formats/auth-json/lookup.ts';
import { parseAuthFile } from '../../../src/formats/auth-json/reader.ts';

function file(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

function basic(text: string): { readonly auth: string } {
  return { auth: Buffer.from(text).toString('base64') };
}

/** The user that a file gives for a repository. */
function userFor(value: unknown, host: string, repository: string, legacy = false): string | undefined {
  const match = findAuth(parseAuthFile(file(value), legacy), host, repository);
  return match?.kind === 'entry' ? match.entry.username : match?.helper;
}

describe('credentials file', () => {
  it('prefers the helper of the host, then the longest key', () => {
    const auths = { 'q.io': basic('host:1'), 'q.io/acme': basic('org:2'), 'q.io/acme/os': basic('repo:3') };
    assert.equal(userFor({ auths }, 'q.io', 'q.io/acme/os'), 'repo');
    assert.equal(userFor({ auths }, 'q.io', 'q.io/acme/db'), 'org');
    assert.equal(userFor({ auths }, 'q.io', 'q.io/other'), 'host');
    assert.equal(userFor({ auths }, 'q.io', 'q.io/acmeos'), 'host');
    assert.equal(userFor({ auths, credHelpers: { 'q.io': 'pass' } }, 'q.io', 'q.io/acme/os'), 'pass');
  });

  it('knows the names of docker.io and keys that are URLs', () => {
    for (const key of [
      'docker.io',
      'https://index.docker.io/v1/',
      'index.docker.io',
      'registry-1.docker.io',
    ]) {
      assert.equal(userFor({ auths: { [key]: basic('u:p') } }, 'docker.io', 'docker.io/library/x'), 'u', key);
    }
    assert.equal(userFor({ auths: { 'https://q.io/v2/': basic('u:p') } }, 'q.io', 'q.io/x'), 'u');
    assert.equal(userFor({ 'https://q.io/v1/': basic('u:p') }, 'q.io', 'q.io/x', true), 'u');
  });

  it('matches no part of a host', () => {
    fc.assert(
      fc.property(fc.domain(), fc.domain(), (own, other) => {
        fc.pre(own !== other && !own.includes('docker') && !other.includes('docker'));
        assert.equal(userFor({ auths: { [own]: basic('u:p') } }, other, `${other}/x`), undefined);
        assert.equal(
          userFor({ auths: { [own]: basic('u:p') } }, `${own}.${other}`, `${own}.${other}/x`),
          undefined,
        );
        assert.equal(userFor({ auths: { [own]: basic('u:p') } }, own, `${own}/x`), 'u');
      }),
    );
  });

  it('reads users and passwords', () => {
    const entry = (value: unknown) => parseAuthFile(file({ auths: { h: value } })).auths.get('h');
    assert.deepEqual(entry(basic('u:p:q')), { username: 'u', password: 'p:q' });
    assert.deepEqual(entry(basic('u:p\0\0')), { username: 'u', password: 'p' });
    assert.deepEqual(entry(basic('nocolon')), { username: '', password: '' });
    assert.deepEqual(entry({}), { username: '', password: '' });
    assert.deepEqual(entry({ identitytoken: 't' }), { username: '', password: '', identityToken: 't' });
    assert.equal(parseAuthFile(file({ auths: { __proto__x: {} } })).auths.size, 1);
  });

  it('refuses what it cannot mean, and tells no secret', () => {
    const cases: readonly unknown[] = [
      [],
      null,
      { auths: [] },
      { auths: { h: 5 } },
      { auths: { h: { auth: 5 } } },
      { auths: { h: { auth: 's3cr3t!' } } },
      { auths: { h: { auth: '/w==' } } },
      { auths: { h: { identitytoken: {} } } },
      { credHelpers: { h: 5 } },
    ];
    for (const value of cases) {
      assert.throws(
        () => parseAuthFile(file(value)),
        (error: Error & { code?: string }) =>
          error.code === 'auth/malformed' && !error.message.includes('s3cr3t'),
        JSON.stringify(value),
      );
    }
    for (const text of ['{"auths": s3cr3t', '\xff'.repeat(3), ' '.repeat(2_000_000)]) {
      assert.throws(
        () => parseAuthFile(Buffer.from(text, 'latin1')),
        (error: Error & { code?: string }) =>
          error.code === 'auth/malformed' && !error.message.includes('s3cr3t'),
      );
    }
    for (const name of ['../x', 'a/b', '', 'a b', 'x'.repeat(65)]) {
      assert.throws(() => parseAuthFile(file({ credHelpers: { h: name } })), { code: 'auth/bad-helper' });
    }
  });
});
