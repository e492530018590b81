import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  familiarName,
  formatReference,
  parseDockerReference,
  repositoryName,
  withDefaultTag,
  type DockerReference,
} from '../../../src/formats/reference/docker-reference.ts';

const HEX = 'ab'.repeat(32);

describe('docker reference', () => {
  const normal: readonly (readonly [string, string])[] = [
    ['busybox', 'docker.io/library/busybox'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36'],
    ['acme/os', 'docker.io/acme/os'],
    ['index.docker.io/busybox', 'docker.io/library/busybox'],
    ['docker.io/acme/os', 'docker.io/acme/os'],
    ['localhost/os', 'localhost/os'],
    ['localhost:5000/os', 'localhost:5000/os'],
    ['localhos/os', 'docker.io/localhos/os'],
    ['Registry/os', 'Registry/os'],
    ['quay.io/acme/os:10', 'quay.io/acme/os:10'],
    ['[::1]:5000/acme/os', '[::1]:5000/acme/os'],
    [`quay.io/acme/os@sha256:${HEX}`, `quay.io/acme/os@sha256:${HEX}`],
    [`quay.io/acme/os:10@sha256:${HEX}`, `quay.io/acme/os:10@sha256:${HEX}`],
    ['a__b/c-d--e.f_g', 'docker.io/a__b/c-d--e.f_g'],
    [`${HEX}:tag`, `docker.io/library/${HEX}:tag`],
  ];
  for (const [text, whole] of normal) {
    it(`reads ${text}`, () => assert.equal(formatReference(parseDockerReference(text)), whole));
  }

  const refused: readonly (readonly [string, string])[] = [
    ['', 'reference/malformed'],
    [':tag', 'reference/malformed'],
    ['a//b', 'reference/malformed'],
    ['/a', 'reference/malformed'],
    ['a/', 'reference/malformed'],
    ['Busybox', 'reference/upper-case'],
    ['quay.io/Acme/os', 'reference/upper-case'],
    ['a:b:c', 'reference/malformed'],
    ['a:', 'reference/malformed'],
    ['a:-x', 'reference/malformed'],
    [`a:${'x'.repeat(129)}`, 'reference/malformed'],
    ['a@sha256:zz', 'oci/bad-digest'],
    [`a@md5:${'a'.repeat(32)}`, 'oci/bad-digest'],
    ['a@', 'oci/bad-digest'],
    [HEX, 'reference/malformed'],
    ['quay.io/a___b', 'reference/malformed'],
    ['quay.io/../x', 'reference/malformed'],
    ['-h.example/x', 'reference/malformed'],
    ['h.example:port/x', 'reference/malformed'],
    ['u:p@h.example/x', 'reference/malformed'],
    [`quay.io/${'a'.repeat(250)}`, 'reference/too-long'],
    ['a'.repeat(5000), 'reference/too-long'],
    ['a b', 'reference/malformed'],
    ['a\u001b[0m', 'reference/malformed'],
  ];
  for (const [text, code] of refused) {
    it(`refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.throws(() => parseDockerReference(text), { code, exit: code.startsWith('oci/') ? 3 : 2 });
    });
  }

  it('names the parts', () => {
    const reference = parseDockerReference('busybox');
    assert.equal(repositoryName(reference), 'docker.io/library/busybox');
    assert.equal(familiarName(withDefaultTag(reference)), 'busybox:latest');
    assert.equal(familiarName(parseDockerReference('docker.io/acme/os')), 'acme/os');
    assert.equal(familiarName(parseDockerReference('quay.io/os')), 'quay.io/os');
  });

  it('round-trips', () => {
    fc.assert(
      fc.property(arbitraryReference(), (reference) => {
        assert.deepEqual(parseDockerReference(formatReference(reference)), reference);
        assert.deepEqual(parseDockerReference(familiarName(reference)), reference);
      }),
    );
  });
});

export function arbitraryReference(): fc.Arbitrary<DockerReference> {
  const component = fc.stringMatching(/^[a-z0-9]{1,8}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,6}){0,2}$/);
  const path = fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  const domain = fc.constantFrom('docker.io', 'quay.io', 'localhost', 'h.example:5000', '[::1]:5000', 'Host');
  const tag = fc.option(fc.stringMatching(/^\w[\w.-]{0,20}$/), { nil: undefined });
  const digest = fc.option(fc.constant(`sha256:${HEX}` as const), { nil: undefined });
  return fc.record({ domain, path, tag, digest }).map((parts) => ({
    domain: parts.domain,
    path: parts.domain === 'docker.io' && !parts.path.includes('/') ? `library/${parts.path}` : parts.path,
    ...(parts.tag !== undefined && { tag: parts.tag }),
    ...(parts.digest !== undefined && { digest: parts.digest }),
  }));
}
