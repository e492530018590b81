/** registries.d: lookups as the peers' code does them, and hostile YAML. (More: test/verify/policy-vectors.test.ts.) */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isBootsealError } from '../../../src/errors.ts';
import {
  lookasideBase,
  mergeRegistriesFiles,
  useSigstoreAttachments,
} from '../../../src/formats/registries-d/lookup.ts';
import { readPlainRegistriesFile } from '../../../src/formats/registries-d/plain.ts';
import { parseRegistriesFile } from '../../../src/formats/registries-d/reader.ts';
import { encodeAttachmentsFile } from '../../../src/formats/registries-d/writer.ts';
import { parseDockerReference } from '../../../src/formats/reference/docker-reference.ts';
import { policyCases } from '../../support/policy-vectors.ts';

const reference = parseDockerReference('quay.io/acme/os:10');

function attachments(yaml: string, file = 'a.yaml'): boolean {
  return useSigstoreAttachments(
    mergeRegistriesFiles([parseRegistriesFile(Buffer.from(yaml), file)]),
    reference,
  ).value;
}

test('each setting is looked up by itself', () => {
  const yaml = `
default-docker: {lookaside: "https://default.test"}
docker:
  quay.io: {use-sigstore-attachments: true, sigstore: "https://old.test"}
  quay.io/acme: {lookaside: "https://acme.test"}
`;
  const config = mergeRegistriesFiles([parseRegistriesFile(Buffer.from(yaml), 'a.yaml')]);
  assert.deepEqual(useSigstoreAttachments(config, reference), {
    value: true,
    from: { key: 'use-sigstore-attachments', section: 'namespace "quay.io"', file: 'a.yaml' },
  });
  assert.equal(lookasideBase(config, reference)?.value, 'https://acme.test');
  const other = parseDockerReference('quay.io/other/os:1');
  assert.equal(lookasideBase(config, other)?.value, 'https://old.test');
  assert.equal(lookasideBase(config, parseDockerReference('ghcr.io/x/y:1'))?.value, 'https://default.test');
});

test('what is written is read back, for any repository', () => {
  const part = fc.stringMatching(/^[a-z0-9]{1,8}$/);
  fc.assert(
    fc.property(part, part, fc.option(fc.nat(65535)), (host, path, port) => {
      const name = `${host}.test${port === null ? '' : `:${port}`}/${path}`;
      const config = mergeRegistriesFiles([parseRegistriesFile(encodeAttachmentsFile(name), 'a.yaml')]);
      assert(useSigstoreAttachments(config, parseDockerReference(`${name}:1`)).value);
      assert(!useSigstoreAttachments(config, parseDockerReference(`${host}.test:1/${path}x:1`)).value);
    }),
  );
});

test('one namespace in two files is an error in both orders', () => {
  const files = ['a.yaml', 'b.yaml'].map((file) =>
    parseRegistriesFile(Buffer.from('docker: {quay.io: {}}'), file),
  );
  for (const order of [files, files.toReversed()]) {
    assert.throws(() => mergeRegistriesFiles(order), { code: 'registries-d/conflict' });
  }
});

test('every registries.d vector that skopeo refuses is refused, with the line', () => {
  const broken = policyCases().filter(
    ({ name, message }) => /^registries\.d\/(yaml|dir)/.test(name) && /parsing run/.test(message),
  );
  assert.equal(broken.length, 8);
  for (const { name, files = {} } of broken) {
    const text = files['registries.d/a.yaml'] ?? '';
    assert.throws(
      () => parseRegistriesFile(Buffer.from(text), 'a.yaml'),
      (error) => isBootsealError(error) && /^a\.yaml:\d+:\d+$/.test(error.where ?? ''),
      name,
    );
  }
});

test('yaml-proto: a merge key cannot reach the prototype', () => {
  const yaml = `
x: &x {__proto__: {use-sigstore-attachments: true}, constructor: {prototype: {polluted: 1}}}
docker:
  quay.io:
    <<: *x
  __proto__: {use-sigstore-attachments: true}
`;
  assert.equal(attachments(yaml), false);
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  assert.equal(({} as Record<string, unknown>)['use-sigstore-attachments'], undefined);
});

test('yaml-alias: 50 KB of merges and a billion laughs end at once', () => {
  const wide = `base: &b {${Array.from({ length: 2000 }, (_, at) => `k${at}: v`).join(', ')}}\n`;
  const merges = `docker:\n${Array.from({ length: 1500 }, (_, at) => `  h${at}.test: {<<: *b}\n`).join('')}`;
  const laughs = [
    'a: &a [x, x]',
    ...'bcdefghijklmnop'.split('').map((name, at) => {
      const before = String.fromCharCode(97 + at);
      return `${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(', ')}]`;
    }),
  ].join('\n');
  const cycle = 'a: &a\n  <<: *a\ndocker: {quay.io: *a}\n';
  for (const yaml of [wide + merges, `${laughs}\ndocker: *p\n`, cycle]) {
    const started = process.cpuUsage();
    assert.throws(() => parseRegistriesFile(Buffer.from(yaml), 'a.yaml'), isBootsealError);
    const { user, system } = process.cpuUsage(started);
    assert((user + system) / 1000 < 2000, 'took too long');
  }
});

test('a merge gives way to what the section says itself', () => {
  const yaml =
    'x: &x {use-sigstore-attachments: true}\ndocker:\n  quay.io: {<<: *x, use-sigstore-attachments: false}\n';
  assert.equal(attachments(yaml), false);
  assert.equal(attachments(yaml.replace(', use-sigstore-attachments: false', '')), true);
});

test('a file that is too large is refused unread', () => {
  assert.throws(() => parseRegistriesFile(Buffer.alloc(2 * 1024 * 1024, 0x20), 'a.yaml'), {
    code: 'registries-d/too-large',
  });
});

test('files that are plain are read without YAML, and mean the same', () => {
  const PLAIN = [
    '',
    '# nothing but a comment\n',
    'docker:\n',
    'default-docker:\n  lookaside: https://lookaside.example.org\n',
    'docker:\n  quay.io/acme:   # ours\n    use-sigstore-attachments: true\n  "h:5000":\n    sigstore: \'file:///srv/x\'\n',
    'docker:\n    registry.example.net:\n        lookaside: https://a.test\n        other: thing\n\ndefault-docker:\n  sigstore-staging: file:///s\n',
    Buffer.from(encodeAttachmentsFile('127.0.0.1:5000/acme')).toString(),
  ];
  for (const text of PLAIN) {
    const plain = readPlainRegistriesFile(Buffer.from(text), 'a.yaml');
    assert.deepEqual(plain, parseRegistriesFile(Buffer.from(text), 'a.yaml'), text);
  }
  const NOT_PLAIN = [
    'docker: {}\n',
    'docker:\n  a.test: &x\n    lookaside: y\n',
    'docker:\n  a.test:\n    use-sigstore-attachments: yes\n',
    'docker:\n  a.test:\n    lookaside: a b\n',
    'docker:\n  a.test:\n  a.test:\n',
    'docker:\n  a.test:\n   lookaside: x\n    sigstore: y\n',
    'docker:\n\ta.test:\n',
    '---\ndocker:\n',
    'docker:\n  a.test: text\n',
    'docker:\n  <<: x\n',
    '\ufeffdocker:\n',
  ];
  for (const text of NOT_PLAIN) {
    assert.equal(readPlainRegistriesFile(Buffer.from(text), 'a.yaml'), undefined, text);
  }
});
