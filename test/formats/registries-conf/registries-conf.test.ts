/** registries.conf: what is read, what is refused in upstream's words, and where a name is pulled from. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type {
  Mirror,
  PullFromMirror,
  Registry,
  RegistriesConf,
} from '../../../src/formats/registries-conf/config.ts';
import {
  findRegistry,
  matchedLength,
  mergeRegistriesConf,
  pullSources,
} from '../../../src/formats/registries-conf/lookup.ts';
import { parseRegistriesConf } from '../../../src/formats/registries-conf/reader.ts';
import { encodeRegistriesConf } from '../../../src/formats/registries-conf/writer.ts';
import { formatReference, parseDockerReference } from '../../../src/formats/reference/docker-reference.ts';

const parse = (text: string): ReturnType<typeof parseRegistriesConf> =>
  parseRegistriesConf(Buffer.from(text), 'r.conf');
const conf = (...texts: string[]): RegistriesConf => mergeRegistriesConf(texts.map(parse));

function sources(text: string, name: string): string[] {
  return pullSources(conf(text), parseDockerReference(name)).map(({ reference }) =>
    formatReference(reference),
  );
}

describe('refused, in upstream’s words', () => {
  const cases: Readonly<Record<string, readonly [text: string, message: string]>> = {
    'version 1': [
      '[registries.search]\nregistries = ["a.test"]',
      'registries.conf must be in v2 format but is in v1',
    ],
    'version 1, empty list': [
      '[registries.block]\nregistries = []',
      'registries.conf must be in v2 format but is in v1',
    ],
    'neither location nor prefix': [
      '[[registry]]\nblocked = true',
      'invalid condition: both location and prefix are unset',
    ],
    'prefix without location': [
      '[[registry]]\nprefix = "a.test"',
      'invalid condition: location is unset and prefix is not in the format: *.example.com',
    ],
    'wildcard with a path': [
      '[[registry]]\nprefix = "*.a.test/x"',
      'Wildcarded prefix should be in the format: *.example.com. Current prefix "*.a.test/x" is incorrectly formatted',
    ],
    'a URL as location': [
      '[[registry]]\nlocation = "https://a.test"',
      "invalid location 'https://a.test': URI schemes are not supported",
    ],
    'a mirror without location': [
      '[[registry]]\nlocation = "a.test"\n[[registry.mirror]]\ninsecure = true',
      'invalid condition: mirror location is unset',
    ],
    'pull-from-mirror on the registry': [
      '[[registry]]\nlocation = "a.test"\npull-from-mirror = "all"',
      'pull-from-mirror must not be set for a non-mirror registry "a.test"',
    ],
    'pull-from-mirror of another value': [
      '[[registry]]\nlocation = "a.test"\n[[registry.mirror]]\nlocation = "m.test"\npull-from-mirror = "never"',
      'unsupported pull-from-mirror value "never" for mirror "m.test"',
    ],
    'both ways to restrict a mirror': [
      '[[registry]]\nlocation = "a.test"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "m.test"\npull-from-mirror = "all"',
      'cannot set mirror usage mirror-by-digest-only for the registry ("a.test") and pull-from-mirror for per-mirror ("m.test") at the same time',
    ],
    'insecure said both ways': [
      '[[registry]]\nprefix = "a.test"\nlocation = "l.test"\ninsecure = true\n[[registry]]\nlocation = "l.test"',
      "registry 'l.test' is defined multiple times with conflicting 'insecure' setting",
    ],
    'blocked said both ways': [
      '[[registry]]\nprefix = "a.test"\nlocation = "l.test"\nblocked = true\n[[registry]]\nlocation = "l.test"',
      "registry 'l.test' is defined multiple times with conflicting 'blocked' setting",
    ],
    'a path among the search registries': [
      'unqualified-search-registries = ["a.test/x"]',
      'Invalid unqualified-search-registries entry "a.test/x"',
    ],
    'an unknown mode': ['short-name-mode = "maybe"', 'invalid short-name mode: "maybe"'],
    'a proxy of another kind': [
      '[[registry]]\nlocation = "a.test"\nproxy = "ftp://p.test"',
      'proxy URL scheme "ftp" is not supported. Supported are http, https, socks5, socks5h',
    ],
    'a text for a boolean': [
      '[[registry]]\nlocation = "a.test"\nblocked = "yes"',
      'toml: blocked is not a boolean',
    ],
    'a table for a list of tables': [
      '[registry]\nlocation = "a.test"',
      'toml: registry is not an array of tables',
    ],
  };
  for (const [what, [text, message]] of Object.entries(cases)) {
    it(what, () => {
      assert.throws(() => parse(text), {
        code: 'registries-conf/malformed',
        message: `loading registries configuration "r.conf": ${message}`,
      });
    });
  }

  it('says the line of what is no TOML', () => {
    assert.throws(() => parse('a = 1\nb = = 2\n'), {
      code: 'registries-conf/malformed',
      where: /^r\.conf:2:/,
    });
  });

  it('yaml-proto: a table called __proto__ changes nothing', () => {
    parse(
      '[__proto__]\nblocked = true\n[[registry]]\nlocation = "a.test"\n[registry.__proto__]\nblocked = true',
    );
    assert.equal(({} as { blocked?: boolean }).blocked, undefined);
    assert.equal(
      conf('[__proto__]\nblocked = true\n[[registry]]\nlocation = "a.test"').registries[0].blocked,
      false,
    );
  });
});

it('keys may be in any case, unknown ones are passed over, final slashes go', () => {
  const [registry] = parse(
    '[[registry]]\nLocation = "a.test/x//"\nBLOCKED = true\ncolour = "red"',
  ).registries;
  assert.deepEqual([registry.location, registry.prefix, registry.blocked], ['a.test/x', 'a.test/x', true]);
});

describe('the entry for a name', () => {
  it('is that of the longest prefix', () => {
    const all = conf(
      ['a.test', 'a.test/x', 'a.test/x/y', '*.test']
        .map((p) => `[[registry]]\nprefix = "${p}"\nlocation = "l.test"\n`)
        .join(''),
    );
    const prefixes = ['a.test/x/y/z', 'a.test/x/yy', 'a.test/z', 'b.test/x', 'test/x', 'ca.test/x'];
    assert.deepEqual(
      prefixes.map((name) => findRegistry(all, name)?.prefix),
      // Upstream counts characters and takes the first in byte order: the star wins over a host of its length.
      ['a.test/x/y', 'a.test/x', '*.test', '*.test', undefined, '*.test'],
    );
  });

  it('matches as upstream’s table says, ports included', () => {
    const rows: readonly (readonly [name: string, prefix: string, length: number | undefined])[] = [
      ['docker.io', 'docker.io', 9],
      ['docker.io', 'example.com', undefined],
      ['example.com:5000', 'example.com:5000', 16],
      ['example.com:50000', 'example.com:5000', undefined],
      // Not meant by upstream, relied on by users.
      ['example.com:5000/x', 'example.com', 11],
      ['example.com/foo', 'example.com/fo', undefined],
      ['example.com/foo/bar', 'example.com/foo', 15],
      ['example.com/foo:bar', 'example.com/foo', 15],
      ['example.com/foobar', 'example.com/foo', undefined],
      ['foo.example.com/bar', '*.example.com', 15],
      ['foo.example.com:5000/bar', '*.example.com', 15],
      ['foo.bar.example.com', '*.example.com', 19],
      ['example.com', '*.example.com', undefined],
      ['example.com/x.example.com', '*.example.com', undefined],
      ['foo.example.comx', '*.example.com', undefined],
    ];
    for (const [name, prefix, length] of rows)
      assert.equal(matchedLength(name, prefix), length, `${name} by ${prefix}`);
  });

  it('later files take the place of earlier entries of the same prefix', () => {
    const merged = conf(
      '[[registry]]\nlocation = "a.test"\nblocked = true\n[[registry]]\nlocation = "b.test"',
      'credential-helpers = ["pass"]\n[[registry]]\nlocation = "a.test"',
    );
    assert.equal(findRegistry(merged, 'a.test/x')?.blocked, false);
    assert.deepEqual(merged.credentialHelpers, ['pass']);
    assert.ok(findRegistry(merged, 'b.test/x'));
  });
});

describe('places to pull from', () => {
  const two =
    '[[registry]]\nprefix = "a.test/x"\nlocation = "real.test/y"\n' +
    '[[registry.mirror]]\nlocation = "m1.test/z"\n[[registry.mirror]]\nlocation = "m2.test"\n';

  it('are the mirrors in order, then the registry', () => {
    assert.deepEqual(sources(two, 'a.test/x/app:v1'), [
      'm1.test/z/app:v1',
      'm2.test/app:v1',
      'real.test/y/app:v1',
    ]);
    assert.deepEqual(sources(two, 'b.test/x/app:v1'), ['b.test/x/app:v1']);
  });

  const digest = `sha256:${'a'.repeat(64)}`;
  it('obey mirror-by-digest-only and pull-from-mirror', () => {
    const only = two.replace('[[registry.mirror]]', 'mirror-by-digest-only = true\n[[registry.mirror]]');
    assert.deepEqual(sources(only, 'a.test/x/app:v1'), ['real.test/y/app:v1']);
    assert.equal(sources(only, `a.test/x/app@${digest}`).length, 3);
    const each = two
      .replace('"m1.test/z"', '"m1.test/z"\npull-from-mirror = "digest-only"')
      .replace('"m2.test"', '"m2.test"\npull-from-mirror = "tag-only"');
    assert.deepEqual(sources(each, 'a.test/x/app:v1'), ['m2.test/app:v1', 'real.test/y/app:v1']);
    assert.deepEqual(sources(each, `a.test/x/app@${digest}`), [
      `m1.test/z/app@${digest}`,
      `real.test/y/app@${digest}`,
    ]);
  });

  it('a wildcard without location leaves the name; with one, it takes the place of the host', () => {
    assert.deepEqual(sources('[[registry]]\nprefix = "*.a.test"\ninsecure = true', 'x.a.test/app:v1'), [
      'x.a.test/app:v1',
    ]);
    assert.deepEqual(sources('[[registry]]\nprefix = "*.a.test"\nlocation = "m.test/p"', 'x.a.test/app:v1'), [
      'm.test/p/app:v1',
    ]);
  });

  it('blocked: refused, beside a location too', () => {
    for (const text of [
      '[[registry]]\nlocation = "a.test"\nblocked = true',
      '[[registry]]\nprefix = "a.test"\nlocation = "l.test"\nblocked = true',
      '[[registry]]\nprefix = "*.test"\nblocked = true',
    ]) {
      assert.throws(() => sources(text, 'a.test/app:v1'), {
        code: 'registries-conf/blocked',
        message: /^registry .* is blocked in r\.conf$/,
      });
    }
  });

  it('a location that makes no name is refused, not guessed at', () => {
    const bad =
      (location: string): (() => unknown) =>
      () =>
        sources(`[[registry]]\nprefix = "a.test"\nlocation = "${location}"`, 'a.test/app:v1');
    assert.throws(bad('library'), { code: 'registries-conf/bad-rewrite', message: /must be canonical/ });
    assert.throws(bad('l.test/UP'), { code: 'registries-conf/bad-rewrite' });
    assert.throws(bad('l.test/../x'), { code: 'registries-conf/bad-rewrite' });
    assert.throws(bad('user:pass@l.test'), { code: 'registries-conf/bad-rewrite' });
  });
});

describe('written and read again', () => {
  const host = fc.constantFrom('a.test', 'b.test:5000', 'c.test/x', '127.0.0.1:9/y/z', '[::1]:5000');
  const proxy = fc.constantFrom('', 'http://p.test:3128', 'socks5h://p.test');
  const mirror = (digestOnly: boolean): fc.Arbitrary<Mirror> =>
    fc.record({
      location: host,
      insecure: fc.boolean(),
      proxy,
      pullFromMirror: digestOnly
        ? fc.constant<PullFromMirror>('all')
        : fc.constantFrom<PullFromMirror>('all', 'digest-only', 'tag-only'),
    });
  const registry: fc.Arbitrary<Registry> = fc.boolean().chain((mirrorByDigestOnly) =>
    fc.record({
      prefix: fc.stringMatching(/^(?:\*\.)?[a-z]{1,8}\.test$/),
      location: host,
      // One location must be said the same way everywhere.
      insecure: fc.constant(false),
      proxy: fc.constant(''),
      blocked: fc.constant(false),
      mirrors: fc.array(mirror(mirrorByDigestOnly), { maxLength: 3 }),
      mirrorByDigestOnly: fc.constant(mirrorByDigestOnly),
    }),
  );
  it('is the same', () => {
    const file = fc.record(
      {
        registries: fc.uniqueArray(registry, { selector: ({ prefix }) => prefix, maxLength: 6 }),
        aliases: fc
          .array(
            fc.tuple(fc.stringMatching(/^[a-z]{1,9}$/), fc.constantFrom('docker.io/library/x', 'a.test/y')),
          )
          .map((list) => new Map(list)),
        unqualifiedSearch: fc.array(fc.constantFrom('a.test', 'b.test:5000')),
        credentialHelpers: fc.array(fc.constantFrom('pass', 'containers-auth.json')),
        shortNameMode: fc.constantFrom('disabled' as const, 'enforcing' as const, 'permissive' as const),
      },
      { requiredKeys: ['registries', 'aliases'] },
    );
    fc.assert(
      fc.property(file, (value) => {
        const sorted = [...structuredClone(value.registries)].sort((a, b) =>
          Buffer.compare(Buffer.from(a.prefix), Buffer.from(b.prefix)),
        );
        const plain = structuredClone(value);
        assert.deepEqual(parseRegistriesConf(encodeRegistriesConf(value), 'r.conf'), {
          file: 'r.conf',
          ...plain,
          registries: sorted,
        });
      }),
    );
  });
});
