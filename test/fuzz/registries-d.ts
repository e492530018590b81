/** A file of registries.d, from its bytes to sections. */
import assert from 'node:assert/strict';
import { isBootsealError } from '../../src/errors.ts';
import { readPlainRegistriesFile } from '../../src/formats/registries-d/plain.ts';
import { parseRegistriesFile } from '../../src/formats/registries-d/reader.ts';
import { mergeRegistriesFiles, useSigstoreAttachments } from '../../src/formats/registries-d/lookup.ts';
import { policyCases } from '../support/policy-vectors.ts';
import type { FuzzTarget } from './harness.ts';

const reference = { domain: 'quay.io', path: 'org/app', tag: 'v1' };

export const target: FuzzTarget = {
  name: 'registries-d',
  seeds() {
    const texts = policyCases().flatMap(({ files = {} }) =>
      Object.entries(files).flatMap(([name, text]) => (name.startsWith('registries.d/') ? text : [])),
    );
    return [...new Set(texts)].sort((a, b) => a.length - b.length).map((text) => Buffer.from(text));
  },
  run(bytes) {
    const plain = readPlainRegistriesFile(bytes, 'a.yaml');
    // What is read without the YAML package means the same to it; a file that it refuses is never read without.
    if (plain !== undefined) {
      try {
        assert.deepEqual(plain, parseRegistriesFile(bytes, 'a.yaml'));
      } catch (error) {
        assert.ok(!isBootsealError(error), `taken without YAML: ${String(error)}`);
        throw error;
      }
    }
    useSigstoreAttachments(mergeRegistriesFiles([parseRegistriesFile(bytes, 'a.yaml')]), reference);
  },
};
