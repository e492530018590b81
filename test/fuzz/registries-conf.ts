/** registries.conf, from its bytes to the places that a name is pulled from. */
import { mergeRegistriesConf, pullSources } from '../../src/formats/registries-conf/lookup.ts';
import { parseRegistriesConf } from '../../src/formats/registries-conf/reader.ts';
import { policyCases } from '../support/policy-vectors.ts';
import type { FuzzTarget } from './harness.ts';

const reference = { domain: 'quay.io', path: 'org/app', tag: 'v1' };

export const target: FuzzTarget = {
  name: 'registries-conf',
  seeds() {
    const texts = policyCases().flatMap(({ files = {} }) => files['registries.conf'] ?? []);
    return [
      ...new Set(texts),
      'unqualified-search-registries = ["a.test"]\nshort-name-mode = "enforcing"\ncredential-helpers = ["pass"]\n[aliases]\nx = "a.test/x"\n',
      '[[registry]]\nprefix = "*.io"\nlocation = "m.test/p"\nproxy = "http://p.test"\n[[registry.mirror]]\nlocation = "n.test"\npull-from-mirror = "tag-only"\n',
    ].map((text) => Buffer.from(text));
  },
  run(bytes) {
    pullSources(mergeRegistriesConf([parseRegistriesConf(bytes, 'a.conf')]), reference);
  },
};
