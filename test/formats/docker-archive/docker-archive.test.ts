/** manifest.json of docker save: images chosen, paths kept within the archive, and the manifest that stands for one. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import {
  cleanPath,
  linkTarget,
  makeManifest,
  parseArchiveManifest,
  parseArchiveReference,
} from '../../../src/formats/docker-archive/reader.ts';
import { digestOf } from '../../../src/formats/oci/digest.ts';
import { parseManifest } from '../../../src/formats/oci/manifest.ts';

it('manifest.json written and read again is the same', () => {
  const path = fc.stringMatching(/^[a-z0-9]{1,8}(?:\/[a-z0-9]{1,8})?$/);
  const item = fc.record({ Config: path, RepoTags: fc.array(fc.string()), Layers: fc.array(path) });
  fc.assert(
    fc.property(fc.array(item), (items) => {
      assert.deepEqual(
        parseArchiveManifest(Buffer.from(JSON.stringify(items))),
        items.map((each) => ({
          config: each.Config,
          repoTags: [...each.RepoTags],
          layers: [...each.Layers],
        })),
      );
    }),
  );
});

it('no path leads out of the archive', () => {
  const part = fc.constantFrom('..', '.', '', 'a', 'b');
  fc.assert(
    fc.property(fc.array(part), fc.array(part), (parts, target) => {
      for (const path of [cleanPath(parts.join('/')), linkTarget(parts.join('/'), target.join('/'))]) {
        assert.ok(!path.split('/').includes('..') && !path.startsWith('/'), path);
      }
    }),
  );
  assert.equal(linkTarget('old/layer.tar', '../shared/layer.tar'), 'shared/layer.tar');
});

it('the manifest is one of Docker’s, with layers by diffID', () => {
  const config = Buffer.from('{}');
  const diffId = digestOf(Buffer.from('layer'));
  const manifest = parseManifest(makeManifest(config, [{ diffId, size: 5 }]));
  assert.ok(manifest.kind === 'image');
  assert.equal(manifest.config.digest, digestOf(config));
  assert.deepEqual(
    manifest.layers.map(({ digest, size }) => [digest, size]),
    [[diffId, 5]],
  );
});

it('a reference is a name with a tag, a place, or nothing', () => {
  assert.deepEqual(parseArchiveReference(undefined), { kind: 'only' });
  assert.deepEqual(parseArchiveReference('@7'), { kind: 'place', index: 7 });
  assert.deepEqual(parseArchiveReference('x'), {
    kind: 'name',
    reference: { domain: 'docker.io', path: 'library/x', tag: 'latest' },
  });
  for (const bad of ['@', '@01', '@-1', '@1x', 'UP', 'x:', `x@sha256:${'0'.repeat(64)}`]) {
    assert.throws(() => parseArchiveReference(bad), { code: 'docker-archive/bad-reference', exit: 2 }, bad);
  }
});

it('js-split: a list without end is refused before it is read', () => {
  const many = JSON.stringify(Array.from({ length: 10_001 }, () => ({ Config: 'c' })));
  assert.throws(() => parseArchiveManifest(Buffer.from(many)), { code: 'docker-archive/malformed' });
  assert.throws(() => parseArchiveManifest(Buffer.alloc(4 * 1024 * 1024 + 1, 0x20)), {
    code: 'docker-archive/malformed',
  });
});
