/** Names in a store of podman: files, references, and what policies call an image. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { bigDataFile, parseImages, parseLayers } from '../../../src/formats/containers-storage/reader.ts';
import { parseStorageReference, storageScopes } from '../../../src/formats/containers-storage/reference.ts';
import { isValidScope } from '../../../src/formats/policy-json/scopes.ts';

const ID = '1'.repeat(64);

it('names of big data files are upstream’s', () => {
  assert.equal(bigDataFile('manifest'), 'manifest');
  assert.equal(bigDataFile('sha256:32'), '=c2hhMjU2OjMy');
  assert.equal(bigDataFile('signature-5'), '=c2lnbmF0dXJlLTU=');
});

it('policy scopes are those of containers-policy.json(5)', () => {
  const digest = `sha256:${'0'.repeat(64)}` as const;
  const { named } = parseStorageReference('busybox');
  assert.deepEqual(storageScopes('vfs', '/s', named, ID), [
    `[vfs@/s]docker.io/library/busybox:latest@${ID}`,
    '[vfs@/s]docker.io/library/busybox:latest',
    '[vfs@/s]docker.io/library/busybox',
    '[vfs@/s]docker.io/library',
    '[vfs@/s]docker.io',
    '[vfs@/s]',
    '[/s]',
  ]);
  const both = parseStorageReference(`a.test/x:v1@${digest}@${ID}`);
  assert.deepEqual(storageScopes('vfs', '/s', both.named, ID).slice(1, 4), [
    `[vfs@/s]a.test/x:v1@${digest}`,
    '[vfs@/s]a.test/x:v1',
    '[vfs@/s]a.test/x',
  ]);
  assert.deepEqual(storageScopes('vfs', '/s', undefined, ID), [`[vfs@/s]@${ID}`, '[vfs@/s]', '[/s]']);
});

it('every scope of an image is one that policies may have', () => {
  const name = fc.tuple(
    fc.constantFrom('a.test/x', 'busybox', 'b.test:5000/y/z'),
    fc.constantFrom('', ':v1'),
  );
  fc.assert(
    fc.property(name, fc.boolean(), fc.boolean(), ([repository, tag], byDigest, byId) => {
      const digest = byDigest ? `@sha256:${'5'.repeat(64)}` : '';
      const reference = parseStorageReference(
        `[vfs@/s/t]${repository}${tag}${digest}${byId ? `@${ID}` : ''}`,
      );
      assert.deepEqual(
        [reference.driver, reference.root, reference.id],
        ['vfs', '/s/t', byId ? ID : undefined],
      );
      for (const scope of storageScopes('vfs', '/s/t', reference.named, reference.id)) {
        assert.ok(isValidScope('containers-storage', scope), scope);
      }
    }),
  );
});

it('lists hold what they hold, and nothing that could be a path', () => {
  const images = [{ id: ID, names: ['a'], metadata: '{"signature-sizes":[1,2]}', future: true }];
  assert.deepEqual(parseImages(Buffer.from(JSON.stringify(images)))[0].signatureSizes.get(''), [1, 2]);
  assert.deepEqual(parseImages(Buffer.from('null')), []);
  for (const bad of [
    '{}',
    '[1]',
    '[{"id":"../x"}]',
    '[{"id":1}]',
    `[{"id":"${ID}","names":[1]}]`,
    `[{"id":"${ID}","metadata":"["}]`,
    'x',
  ]) {
    assert.throws(() => parseImages(Buffer.from(bad)), { code: 'containers-storage/malformed' }, bad);
  }
  for (const bad of [`[{"id":"${ID}","parent":"/"}]`, `[{"id":"${ID}","diff-size":0.5}]`]) {
    assert.throws(() => parseLayers(Buffer.from(bad)), { code: 'containers-storage/malformed' }, bad);
  }
});
