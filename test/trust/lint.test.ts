/** policy lint: every mistake of a file at once, and never a word against a file that skopeo takes as it is. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { whereIs } from '../../src/formats/strict-json/position.ts';
import { deadDockerScope } from '../../src/trust/lint/docker-scope.ts';
import type { Finding } from '../../src/trust/lint/finding.ts';
import { lintPolicy } from '../../src/trust/lint/lint.ts';
import { imageScopes } from '../../src/trust/scope.ts';
import { policyCases } from '../support/policy-vectors.ts';
import { vectorPath } from '../support/project.ts';

function lint(text: string): readonly Finding[] {
  return lintPolicy(Buffer.from(text), 'policy.json').findings;
}

/** `line:column code`, for comparing. */
function places(text: string): string[] {
  return lint(text).map(({ offset, code }) => `${whereIs('', Buffer.from(text), offset).slice(1)} ${code}`);
}

describe('against the vectors', () => {
  const texts = new Map<string, boolean>();
  for (const { files, expected } of policyCases()) {
    const text = files?.['policy.json']?.replaceAll('@ROOT@', '/root');
    if (text !== undefined) texts.set(text, expected === 'invalid');
  }
  test(`what skopeo refuses has an error, what it takes has none of that kind (${texts.size} files)`, () => {
    for (const [text, invalid] of texts) {
      const result = lintPolicy(Buffer.from(text), 'policy.json');
      assert.equal(result.refusal !== undefined, invalid, text);
      const errors = result.findings.filter(({ severity }) => severity === 'error');
      if (invalid) assert.ok(errors.length > 0, text);
      // Requirements that can never pass are errors too, of files that are taken.
      else
        for (const { code, message } of errors)
          assert.match(code, /^policy\/(never-passes|rekor-empty)$/, `${message}\n${text}`);
    }
  });

  test('the first mistake that skopeo names is among those that we name', () => {
    let named = 0;
    const missing: string[] = [];
    for (const { files, expected, message } of policyCases()) {
      const text = files?.['policy.json']?.replaceAll('@ROOT@', '/root');
      if (text === undefined || expected !== 'invalid') continue;
      const words = message.replaceAll('@ROOT@', '/root').replace(/^.*?invalid policy in "[^"]*": /s, '');
      // What is wrong with the text is said in words of our own.
      if (/^(?:invalid character|unexpected end|json: cannot|JSON object)/.test(words)) continue;
      if (lint(text).some((finding) => finding.message.includes(words))) named += 1;
      else missing.push(`${words}\n${text}`);
    }
    assert.deepEqual(missing, []);
    assert.ok(named > 50, String(named));
  });
});

test('the example of the kiOS manual: every mistake, with its place', () => {
  const text = readFileSync(vectorPath('policy-kios.json'), 'utf8');
  assert.deepEqual(places(text), [
    '4:7 policy/comment',
    '5:7 policy/comment',
    '6:7 policy/accepts-anything',
    '8:7 policy/comment',
    '11:7 policy/comment',
    '13:23 policy/one-key-source',
    '15:9 policy/duplicate-key',
    '15:17 policy/unknown-type',
    '18:20 policy/base64',
    '19:27 policy/unknown-type',
    '24:3 policy/comment',
    '25:3 policy/comment',
    '26:32 policy/wrong-bracket',
  ]);
  const hints = new Map(
    lint(text).map(({ offset, hint }) => [whereIs('', Buffer.from(text), offset).slice(1), hint]),
  );
  assert.equal(hints.get('15:9'), 'write "keyType": "GPGKeys"');
  assert.equal(hints.get('19:27'), 'did you mean "matchRepository"?');
  assert.equal(hints.get('26:32'), 'write "}" in its place');
});

/** One scope below docker, with the requirements of a policy that is otherwise without fault. */
function docker(scope: string, requirements = '[{"type":"reject"}]'): string {
  return `{"default":[{"type":"reject"}],"transports":{"docker":{${JSON.stringify(scope)}:${requirements}}}}`;
}

describe('scopes that no image is ever looked up under', () => {
  const DEAD: readonly (readonly [scope: string, hint: string])[] = [
    ['*.example.com/ns', '"*.example.com"'],
    ['*.example.com:5000', '"*.example.com"'],
    ['ex*.com', '"*.example.com"'],
    ['*', 'write ""'],
    ['busybox', '"docker.io/library/busybox"'],
    ['library/busybox', '"docker.io/library/busybox"'],
    ['docker.io/busybox:1', '"docker.io/library/busybox:1"'],
    ['index.docker.io', '"docker.io"'],
    ['quay.io/acme/', '"quay.io/acme"'],
    ['quay.io/Acme/os', '"quay.io/acme/os"'],
    ['docker://quay.io/acme', '"quay.io/acme"'],
    ['https://quay.io/acme', '"quay.io/acme"'],
    ['quay.io:v1', 'HOST'],
  ];
  for (const [scope, hint] of DEAD) {
    test(scope, () => {
      const [finding] = lint(docker(scope));
      assert.equal(finding?.code, 'policy/dead-scope');
      assert.equal(finding.severity, 'warning');
      assert.ok(finding.hint?.includes(hint), finding.hint);
    });
  }
  const ALIVE = [
    '',
    'quay.io',
    'localhost',
    'localhost:5000',
    'quay.io/acme',
    'quay.io/acme/os:10',
    `quay.io/acme/os@sha256:${'0'.repeat(64)}`,
    'docker.io/acme',
    'docker.io/library/busybox',
    '*.example.com',
    '*.com',
    '127.0.0.1:5000/app',
    '[::1]:5000/app',
  ];
  for (const scope of ALIVE) {
    test(`${scope || 'the empty scope'} is one that can`, () => {
      assert.deepEqual(
        lint(docker(scope)).filter(({ code }) => code === 'policy/dead-scope'),
        [],
      );
    });
  }

  test('what is called dead is never in the walk, and the walk is never called dead', () => {
    const label = fc.stringMatching(/^[a-z0-9]{1,6}$/);
    const host = fc
      .tuple(label, fc.constantFrom('.io', '.example.com', ':5000', '.test:443'))
      .map(([name, end]) => name + end);
    const name = fc
      .tuple(host, fc.array(label, { minLength: 1, maxLength: 3 }), label)
      .map(([own, path, tag]) => `docker://${own}/${path.join('/')}:${tag}`);
    fc.assert(
      fc.property(name, (text) => {
        for (const scope of imageScopes(parseImageName(text)))
          assert.equal(deadDockerScope(scope), undefined, scope);
      }),
    );
  });
});

describe('requirements that do not do what they look like', () => {
  const KEY = '"keyPath":"/etc/k.pub"';
  const CASES: readonly (readonly [code: string, scope: string, requirements: string])[] = [
    ['policy/rekor-empty', 'quay.io', `[{"type":"sigstoreSigned",${KEY},"rekorPublicKeyPath":""}]`],
    ['policy/rekor-empty', 'quay.io', `[{"type":"sigstoreSigned",${KEY},"rekorPublicKeyData":null}]`],
    ['policy/never-passes', 'quay.io', '[{"type":"signedBy","keyType":"GPGKeys","keyPaths":[]}]'],
    ['policy/never-passes', 'quay.io', '[{"type":"signedBy","keyType":"GPGKeys","keyData":""}]'],
    ['policy/never-passes', 'quay.io', `[{"type":"signedBy","keyType":"X509Certificates",${KEY}}]`],
    ['policy/never-passes', 'quay.io', '[{"type":"sigstoreSigned","keyPaths":[""]}]'],
    [
      'policy/never-passes',
      'quay.io',
      '[{"type":"signedBaseLayer","baseLayerIdentity":{"type":"matchExact"}}]',
    ],
    ['policy/no-effect', 'quay.io', `[{"type":"insecureAcceptAnything"},{"type":"sigstoreSigned",${KEY}}]`],
    ['policy/no-effect', 'quay.io', `[{"type":"reject"},{"type":"sigstoreSigned",${KEY}}]`],
    [
      'policy/all-must-pass',
      'quay.io',
      `[{"type":"sigstoreSigned",${KEY}},{"type":"sigstoreSigned",${KEY}}]`,
    ],
    [
      'policy/rollback',
      'quay.io',
      `[{"type":"sigstoreSigned",${KEY},"signedIdentity":{"type":"matchRepository"}}]`,
    ],
    [
      'policy/no-effect',
      'quay.io/acme:1',
      `[{"type":"sigstoreSigned",${KEY},"signedIdentity":{"type":"remapIdentity","prefix":"mirror.test","signedPrefix":"quay.io"}}]`,
    ],
    ['policy/accepts-anything', '', '[{"type":"insecureAcceptAnything"}]'],
  ];
  for (const [code, scope, requirements] of CASES) {
    test(`${code} ${requirements}`, () => {
      assert.deepEqual(
        lint(docker(scope, requirements)).map((finding) => finding.code),
        [code],
      );
    });
  }

  test('a sound requirement is left alone', () => {
    assert.deepEqual(lint(docker('quay.io/acme', `[{"type":"sigstoreSigned",${KEY}}]`)), []);
  });

  test('a remap that fits is left alone', () => {
    const identity = '{"type":"remapIdentity","prefix":"quay.io/acme","signedPrefix":"mirror.test"}';
    assert.deepEqual(
      lint(docker('quay.io/acme', `[{"type":"sigstoreSigned",${KEY},"signedIdentity":${identity}}]`)),
      [],
    );
  });

  test('an image that is a path has no name to compare', () => {
    const text = `{"default":[{"type":"reject"}],"transports":{"oci":{"/os":[{"type":"sigstoreSigned",${KEY}}]}}}`;
    assert.deepEqual(
      lint(text).map(({ code }) => code),
      ['policy/never-passes'],
    );
  });
});

describe('several mistakes in one requirement', () => {
  const CASES: readonly (readonly [requirement: string, messages: readonly string[]])[] = [
    [
      '{"type":"sigstoreSignd","keypath":"/a","identity":{}}',
      ['Unknown policy requirement type', 'Unknown key "keypath"', 'Unknown key "identity"'],
    ],
    ['{"type":"signedBy","keyPath":7}', ['json: cannot unmarshal number', 'invalid keyType']],
    [
      '{"type":"sigstoreSigned","fulcio":{"caPath":"/ca"}}',
      ['oidcIssuer not specified', 'subjectEmail not specified', 'must be specified if fulcio is used'],
    ],
    ['{"type":"sigstoreSigned","pki":{}}', ['caRootsPath', 'subjectEmail, subjectHostname']],
    ['{"type":"reject","reason":"no"}', ['Unknown key "reason"']],
    ['"reject"', ['cannot unmarshal string']],
    ['{"type":"sigstoreSigned","keyPath":"/a","signedIdentity":null}', ['reference match type']],
    [
      '{"type":"sigstoreSigned","keyDatas":["%"],"keyPaths":[]}',
      ['base64', 'contains no entries', 'exactly one of'],
    ],
  ];
  for (const [requirement, messages] of CASES) {
    test(requirement, () => {
      const found = lint(docker('quay.io', `[${requirement}]`)).filter(
        ({ severity }) => severity === 'error',
      );
      for (const words of messages)
        assert.ok(
          found.some(({ message }) => message.includes(words)),
          `${words}\n${JSON.stringify(found, undefined, 1)}`,
        );
      assert.equal(found.length, messages.length, JSON.stringify(found, undefined, 1));
    });
  }
});

describe('text that is no JSON', () => {
  const good = '{"default": [{"type": "reject"}]}';
  const CASES: readonly (readonly [text: string, places: readonly string[]])[] = [
    [good, []],
    [`\ufeff${good}`, ['1:1 policy/byte-order-mark']],
    ['{"default": [{"type": "reject"},]}', ['1:32 policy/trailing-comma']],
    ['{"default": [{"type": "reject"}], }', ['1:33 policy/trailing-comma']],
    ['{"default": [{"type": "reject"}] "transports": {}}', ['1:34 policy/missing-comma']],
    ['{"default": [{"type": "reject"}', ['1:13 policy/unclosed']],
    ['{"default": [{"type": "reject"]}', ['1:31 policy/wrong-bracket']],
    ['{default: [{"type": "reject"}]}', ['1:2 policy/syntax']],
    ["{'default': [{\"type\": 'reject'}]}", ['1:2 policy/quotes', '1:23 policy/quotes']],
    ['{"default" [{"type": "reject"}]}', ['1:12 policy/syntax']],
    ['{"default": [{"type": "reject}]\n}', ['1:23 policy/unclosed', '1:13 policy/unclosed']],
    [`${good}}`, ['1:34 policy/syntax']],
    [`# yaml?\n${good}`, ['1:1 policy/comment']],
    ['', ['1:1 policy/syntax']],
  ];
  for (const [text, wanted] of CASES) {
    test(JSON.stringify(text), () => {
      const found = places(text).filter((place) => !place.endsWith('unknown-type'));
      assert.deepEqual(found.toSorted(), [...wanted].toSorted());
    });
  }

  test('as many mistakes as there are bytes end soon', () => {
    const start = performance.now();
    for (const mistake of ['}', '/**/', '[', '{"a":]', "'", ',', '"\u0001', '//', 'x ', ']  ']) {
      lint(mistake.repeat(200_000));
    }
    assert.ok(performance.now() - start < 5000);
  });
});

test('__proto__ is a key like any other', () => {
  const text = '{"default":[{"type":"reject","__proto__":{"type":"insecureAcceptAnything"}}],"__proto__":{}}';
  assert.deepEqual(
    lint(text).map(({ message }) => message),
    ['Unknown key "__proto__"', 'Unknown key "__proto__"'],
  );
  assert.equal(({} as Record<string, unknown>)['type'], undefined);
});
