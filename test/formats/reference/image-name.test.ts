import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  formatImageName,
  parseImageName,
  type ImageName,
} from '../../../src/formats/reference/image-name.ts';

const HEX = 'ab'.repeat(32);

describe('image name', () => {
  const read: readonly (readonly [string, string])[] = [
    ['busybox', 'docker://docker.io/library/busybox:latest'],
    ['busybox:1', 'docker://docker.io/library/busybox:1'],
    ['docker://quay.io/acme/os', 'docker://quay.io/acme/os:latest'],
    [`quay.io/acme/os@sha256:${HEX}`, `docker://quay.io/acme/os@sha256:${HEX}`],
    ['oci:build', 'oci:build'],
    ['oci:build:', 'oci:build'],
    ['oci:/a/b:quay.io/acme/os:10', 'oci:/a/b:quay.io/acme/os:10'],
    ['oci:build:@2', 'oci:build:@2'],
    ['oci-archive:a.tar:v1', 'oci-archive:a.tar:v1'],
    ['dir:a:b', 'dir:a:b'],
    ['docker-archive:a.tar:busybox:1', 'docker-archive:a.tar:busybox:1'],
    ['containers-storage:[overlay@/a+/b]x', 'containers-storage:[overlay@/a+/b]x'],
  ];
  for (const [text, whole] of read) {
    it(`reads ${text}`, () => assert.equal(formatImageName(parseImageName(text)), whole));
  }

  const refused: readonly (readonly [string, string])[] = [
    [`quay.io/acme/os:10@sha256:${HEX}`, 'reference/tag-and-digest'],
    ['docker:busybox', 'reference/bad-transport'],
    ['https://quay.io/acme/os', 'reference/bad-transport'],
    ['docker-daemon:x', 'reference/bad-transport'],
    ['oci:', 'reference/bad-path'],
    ['oci::x', 'reference/bad-path'],
    ['oci:a:-x', 'reference/bad-layout-name'],
    ['oci:a:@x', 'reference/bad-layout-name'],
    ['oci:a:@01', 'reference/bad-layout-name'],
    ['dir:', 'reference/bad-path'],
    ['dir:a\0b', 'reference/bad-path'],
    ['containers-storage:', 'reference/malformed'],
    ['', 'reference/malformed'],
    ['x'.repeat(6000), 'reference/too-long'],
  ];
  for (const [text, code] of refused) {
    it(`refuses ${JSON.stringify(text.slice(0, 40))}`, () =>
      assert.throws(() => parseImageName(text), { code, exit: 2 }));
  }

  it('round-trips', () => {
    fc.assert(
      fc.property(arbitraryName(), (name) =>
        assert.deepEqual(parseImageName(formatImageName(name)), { ...name }),
      ),
    );
  });
});

function arbitraryName(): fc.Arbitrary<ImageName> {
  const path = fc.stringMatching(/^[\w./ -]{1,20}$/);
  const image = fc.stringMatching(/^[A-Za-z0-9]{1,5}(?:[-._:@+/][A-Za-z0-9]{1,5}){0,3}$/);
  const layout = fc.constantFrom<('oci' | 'oci-archive')[]>('oci', 'oci-archive');
  return fc.oneof<fc.Arbitrary<ImageName>[]>(
    fc.record({ transport: layout, path }),
    fc.record({ transport: layout, path, image }),
    fc.record({ transport: layout, path, index: fc.nat(999) }),
    fc.record({ transport: fc.constant('dir' as const), path }),
    fc.record({ transport: fc.constant('docker-archive' as const), path, reference: image }),
  );
}
