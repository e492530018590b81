/** manifest.json of a `docker save` archive, to the image that a name chooses. */
import { chooseImage, linkTarget, parseArchiveManifest } from '../../src/formats/docker-archive/reader.ts';
import type { FuzzTarget } from './harness.ts';

const text = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

export const target: FuzzTarget = {
  name: 'docker-archive',
  seeds: () => [
    text([{ Config: 'c.json', RepoTags: ['a.test/x:v1'], Layers: ['l/layer.tar', 'm.tar'] }]),
    text([
      { Config: 'c.json', RepoTags: null, Layers: [] },
      { Config: 'd.json', RepoTags: ['x', 'y:z'], Layers: ['../../etc/passwd'] },
    ]),
  ],
  run(bytes) {
    const images = parseArchiveManifest(bytes);
    for (const { layers, config } of images) {
      for (const path of [config, ...layers]) {
        const target_ = linkTarget(path, '../../../x');
        if (path.split('/').includes('..') || target_.split('/').includes('..'))
          throw new Error(`escapes: ${path}`);
      }
    }
    const reference = { domain: 'a.test', path: 'x', tag: 'v1' };
    chooseImage(images, { kind: 'name', reference });
  },
};
