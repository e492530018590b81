/** Path validation, rule by rule. What skopeo says of random chains: test/oracles/certificates.test.ts. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { isBootsealError } from '../../../src/errors.ts';
import { OID } from '../../../src/formats/der/oid.ts';
import { TAG } from '../../../src/formats/der/reader.ts';
import { encodeElement, integer, oid, sequence, utf8String } from '../../../src/formats/der/writer.ts';
import { buildPath } from '../../../src/trust/x509/build-path.ts';
import { readPathCertificate, type PathCertificate } from '../../../src/trust/x509/path-certificate.ts';
import {
  alternativeNames,
  ANY_USAGE,
  ca,
  CODE_SIGNING,
  extendedUsage,
  makeCertificate,
  nameConstraints,
  SERVER_AUTH,
  unknownExtension,
  usage,
  type MadeCertificate,
} from '../../support/x509-maker.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');

const root = makeCertificate({ name: 'root', extensions: [ca(), usage(5)] });
const intermediate = makeCertificate({
  name: 'intermediate',
  issuer: root,
  extensions: [ca(true, 0), usage(5)],
});
const names = alternativeNames({ emails: ['dev@example.com'], dns: ['build.example.com'] });
const leaf = makeCertificate({ name: 'leaf', issuer: intermediate, extensions: [usage(0), names] });

interface Chain {
  readonly leaf: MadeCertificate;
  readonly between?: readonly MadeCertificate[];
  readonly roots?: readonly MadeCertificate[];
  readonly at?: number;
}

function read({ der }: MadeCertificate): PathCertificate {
  return readPathCertificate(der);
}

function build({ leaf: of, between = [intermediate], roots = [root], at = NOW }: Chain): number {
  return buildPath({
    leaf: read(of),
    intermediates: between.map(read),
    roots: roots.map(read),
    at,
    usage: OID.codeSigning,
  }).length;
}

function refuses(chain: Chain, code: string, message?: RegExp): void {
  assert.throws(
    () => build(chain),
    (error: unknown) => {
      assert(isBootsealError(error), String(error));
      assert.equal(error.code, code, error.message);
      if (message !== undefined) assert.match(error.message, message);
      return true;
    },
  );
}

test('a path through an intermediate, and a root straight away', () => {
  assert.equal(build({ leaf }), 3);
  const direct = makeCertificate({ name: 'leaf', issuer: root });
  assert.equal(build({ leaf: direct, between: [] }), 2);
  assert.equal(build({ leaf, between: [], roots: [intermediate] }), 2, 'any trusted certificate ends a path');
  assert.equal(build({ leaf: root, between: [] }), 1, 'a trusted certificate needs no issuer');
});

test('nobody trusted, and a stranger of the same name', () => {
  refuses({ leaf, between: [] }, 'x509/unknown-authority');
  refuses({ leaf, roots: [] }, 'x509/unknown-authority');
  const stranger = makeCertificate({ name: 'root', extensions: [ca()] });
  refuses({ leaf, roots: [stranger] }, 'x509/unknown-authority', /ECDSA verification failure.*"root"/);
  assert.equal(build({ leaf, roots: [stranger, root] }), 3);
});

test('js-rdn: issuers are found by the bytes of their name, not by what it reads like', () => {
  const name = (...parts: readonly (readonly [string, string])[]): Uint8Array =>
    sequence(...parts.map(([id, text]) => encodeElement(TAG.set, sequence(oid(id), utf8String(text)))));
  const wanted = name([OID.organization, 'Acme'], [OID.commonName, 'root']);
  const one = makeCertificate({ name: 'root', encodedSubject: wanted, extensions: [ca()] });
  const below = makeCertificate({ name: 'leaf', issuer: one, encodedIssuer: wanted });
  assert.equal(build({ leaf: below, between: [], roots: [one] }), 2);
  // The same key under names that print alike, or hold the same words elsewhere.
  for (const encodedSubject of [
    name([OID.commonName, 'root'], [OID.organization, 'Acme']),
    name([OID.organization, 'Acme,CN=root']),
    name([OID.commonName, 'root,O=Acme']),
    name([OID.organization, 'Acme'], [OID.commonName, 'root '], [OID.commonName, 'root']),
    name([OID.organization, 'acme'], [OID.commonName, 'root']),
    sequence(
      encodeElement(
        TAG.set,
        sequence(oid(OID.organization), encodeElement(TAG.printableString, Buffer.from('Acme'))),
      ),
      encodeElement(TAG.set, sequence(oid(OID.commonName), utf8String('root'))),
    ),
  ]) {
    const alike = makeCertificate({ name: 'root', encodedSubject, keys: keysOf(one), extensions: [ca()] });
    refuses({ leaf: below, between: [], roots: [alike] }, 'x509/unknown-authority');
  }
});

test('js-rdn: an error names the authority by its common name, not by what an organization is called', () => {
  const encoded = sequence(
    encodeElement(TAG.set, sequence(oid(OID.organization), utf8String('x,CN=Famous CA'))),
    encodeElement(TAG.set, sequence(oid(OID.commonName), utf8String('plain'))),
  );
  const stranger = makeCertificate({ name: 'plain', encodedSubject: encoded, extensions: [ca()] });
  const below = makeCertificate({ name: 'leaf', issuer: root, encodedIssuer: encoded });
  refuses(
    { leaf: below, between: [], roots: [stranger] },
    'x509/unknown-authority',
    /authority certificate "plain"/,
  );
});

test('js-oid: a usage, or a constraint, whose last arc is 2^32 more is another one', () => {
  const beyond = (id: string): string => id.replace(/[0-9]+$/, (last) => String(Number(last) + 2 ** 32));
  const other = makeCertificate({
    name: 'leaf',
    issuer: root,
    extensions: [extendedUsage(beyond(CODE_SIGNING))],
  });
  refuses({ leaf: other, between: [] }, 'x509/usage');
  const { value } = ca();
  const fake = makeCertificate({
    name: 'fake',
    issuer: root,
    extensions: [{ id: beyond(OID.basicConstraints), value }],
  });
  const below = makeCertificate({ name: 'leaf', issuer: fake });
  refuses({ leaf: below, between: [fake] }, 'x509/unknown-authority');
  const critical = { id: beyond(OID.keyUsage), critical: true, value: usage(0).value };
  refuses(
    { leaf: makeCertificate({ name: 'leaf', issuer: root, extensions: [critical] }), between: [] },
    'x509/unhandled-extension',
  );
});

test('each certificate must be valid at the time asked, to the second', () => {
  const short = { notBefore: '2024-01-01T00:00:00Z', notAfter: '2024-01-01T00:10:00Z' };
  const brief = makeCertificate({ name: 'leaf', issuer: intermediate, ...short });
  const at = (text: string): number => Date.parse(text);
  for (const time of [short.notBefore, short.notAfter]) assert.equal(build({ leaf: brief, at: at(time) }), 3);
  refuses({ leaf: brief, at: at(short.notBefore) - 1 }, 'x509/expired', /is before 2024-01-01T00:00:00Z$/);
  refuses({ leaf: brief, at: at(short.notAfter) + 1 }, 'x509/expired', /is after 2024-01-01T00:10:00Z$/);
  refuses({ leaf: brief, at: Number.MAX_VALUE }, 'x509/expired');
  refuses({ leaf: brief, at: -Number.MAX_VALUE }, 'x509/expired');
  const old = makeCertificate({
    name: 'intermediate',
    issuer: root,
    keys: keysOf(intermediate),
    extensions: [ca()],
    ...short,
  });
  refuses({ leaf, between: [old] }, 'x509/expired');
  assert.equal(build({ leaf, between: [old, intermediate] }), 3, 'another path is found');
  const oldRoot = makeCertificate({ name: 'root', keys: keysOf(root), extensions: [ca()], ...short });
  refuses({ leaf, roots: [oldRoot] }, 'x509/expired');
});

function keysOf({ key, publicKey }: MadeCertificate) {
  return { privateKey: key, publicKey };
}

test('an issuer must be an authority that may sign certificates', () => {
  for (const extensions of [[], [ca(false)], [ca(), usage(0)]]) {
    const issuer = makeCertificate({ name: 'i', issuer: root, extensions });
    const below = makeCertificate({ name: 'leaf', issuer });
    refuses(
      { leaf: below, between: [issuer] },
      'x509/unknown-authority',
      /cannot sign this kind of certificate/,
    );
  }
  const v1 = makeCertificate({ name: 'root v1', version: 1 });
  assert.equal(build({ leaf: makeCertificate({ name: 'leaf', issuer: v1 }), between: [], roots: [v1] }), 2);
  const v1Between = makeCertificate({ name: 'i', issuer: root, version: 1 });
  const below = makeCertificate({ name: 'leaf', issuer: v1Between });
  refuses({ leaf: below, between: [v1Between] }, 'x509/not-authority');
});

test('path length', () => {
  const second = makeCertificate({ name: 'second', issuer: intermediate, extensions: [ca()] });
  const below = makeCertificate({ name: 'leaf', issuer: second });
  refuses({ leaf: below, between: [intermediate, second] }, 'x509/path-length');
});

test('usages nest, the root included; without the extension all are allowed', () => {
  const chain = (...usages: readonly (readonly string[])[]): Chain => {
    const [top, middle, own] = usages.map((ids) => (ids.length === 0 ? [] : [extendedUsage(...ids)]));
    const a = makeCertificate({ name: 'a', extensions: [ca(), ...top] });
    const b = makeCertificate({ name: 'b', issuer: a, extensions: [ca(), ...middle] });
    return { leaf: makeCertificate({ name: 'c', issuer: b, extensions: own }), between: [b], roots: [a] };
  };
  assert.equal(build(chain([], [], [])), 3);
  assert.equal(build(chain([ANY_USAGE], [SERVER_AUTH, CODE_SIGNING], [CODE_SIGNING])), 3);
  refuses(chain([], [], [SERVER_AUTH]), 'x509/usage');
  refuses(chain([], [SERVER_AUTH], [CODE_SIGNING]), 'x509/usage');
  refuses(chain([SERVER_AUTH], [], [CODE_SIGNING]), 'x509/usage');
});

test('an unknown critical extension anywhere refuses, an unknown other one nowhere', () => {
  const withOne = (critical: boolean) =>
    makeCertificate({ name: 'leaf', issuer: intermediate, extensions: [unknownExtension(critical)] });
  assert.equal(build({ leaf: withOne(false) }), 3);
  refuses({ leaf: withOne(true) }, 'x509/unhandled-extension');
  const between = makeCertificate({ name: 'i', issuer: root, extensions: [ca(), unknownExtension(true)] });
  refuses(
    { leaf: makeCertificate({ name: 'leaf', issuer: between }), between: [between] },
    'x509/unhandled-extension',
  );
});

test('policy constraints need a policy tree, which is not built: refused, critical or not', () => {
  for (const id of [OID.policyConstraints, OID.policyMappings, OID.inhibitAnyPolicy]) {
    const extension = { id, value: id === OID.inhibitAnyPolicy ? integer(0) : sequence() };
    const own = makeCertificate({ name: 'leaf', issuer: intermediate, extensions: [extension] });
    refuses({ leaf: own }, 'x509/unhandled-extension');
  }
});

test('name constraints hold for every certificate below, and for wildcards', () => {
  const under = (
    constraints: Parameters<typeof nameConstraints>[0],
    own: Parameters<typeof alternativeNames>[0],
  ): Chain => {
    const top = makeCertificate({ name: 'top', extensions: [ca(), nameConstraints(constraints)] });
    const middle = makeCertificate({ name: 'middle', issuer: top, extensions: [ca()] });
    return {
      leaf: makeCertificate({ name: 'leaf', issuer: middle, extensions: [alternativeNames(own)] }),
      between: [middle],
      roots: [top],
    };
  };
  const build1 = (...chain: Parameters<typeof under>): number => build(under(...chain));
  const refuse1 = (...chain: Parameters<typeof under>): void =>
    refuses(under(...chain), 'x509/name-constraints');
  assert.equal(build1({ permitted: { dns: ['example.com'] } }, { dns: ['a.EXAMPLE.com', 'example.com'] }), 3);
  refuse1({ permitted: { dns: ['example.com'] } }, { dns: ['a.example.com', 'example.org'] });
  refuse1({ permitted: { dns: ['.example.com'] } }, { dns: ['example.com'] });
  refuse1({ permitted: { dns: ['example.com'] } }, { dns: ['badexample.com'] });
  refuse1({ excluded: { dns: ['a.example.com'] } }, { dns: ['*.example.com'] });
  assert.equal(
    build1({ permitted: { dns: ['example.com'] } }, { emails: ['dev@other.org'] }),
    3,
    'other kinds are free',
  );
  assert.equal(build1({ permitted: { emails: ['example.com'] } }, { emails: ['dev@example.com'] }), 3);
  refuse1({ permitted: { emails: ['example.com'] } }, { emails: ['dev@a.example.com.org'] });
  refuse1({ permitted: { emails: ['dev@example.com'] } }, { emails: ['Dev@example.com'] });
  refuse1({ permitted: { emails: ['example.com'] } }, { emails: ['dev'] });
  const ten = { addresses: [Uint8Array.of(10, 0, 0, 0, 255, 0, 0, 0)] };
  assert.equal(build1({ permitted: ten }, { addresses: [Uint8Array.of(10, 1, 2, 3)] }), 3);
  refuse1({ permitted: ten }, { addresses: [Uint8Array.of(11, 1, 2, 3)] });
  refuse1({ permitted: ten }, { addresses: [new Uint8Array(16)] });
  assert.equal(build1({ permitted: { uris: ['.example.com'] } }, { uris: ['https://ci.example.com/x'] }), 3);
  refuse1({ permitted: { uris: ['example.com'] } }, { uris: ['https://10.0.0.1/x'] });
  refuse1({ permitted: { dns: ['example.com'] } }, { uris: ['urn:nobody'] });
});

test('too many names and constraints end quickly', () => {
  const many = Array.from({ length: 1000 }, (_, at) => `h${at}.example.com`);
  const top = makeCertificate({
    name: 'top',
    extensions: [ca(), nameConstraints({ excluded: { dns: many } })],
  });
  const below = makeCertificate({ name: 'leaf', issuer: top, extensions: [alternativeNames({ dns: many })] });
  refuses({ leaf: below, between: [], roots: [top] }, 'x509/name-constraints', /too many constraints/);
});

test('a search among issuers that all fit by name is bounded', () => {
  const crowd = Array.from({ length: 120 }, () =>
    makeCertificate({ name: 'intermediate', extensions: [ca()] }),
  );
  refuses({ leaf, between: crowd, roots: [root] }, 'x509/too-many-checks');
});

test('a loop of issuers ends', () => {
  const a = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const b = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const first = makeCertificate({ name: 'b', keys: b, extensions: [ca()] });
  const ab = makeCertificate({ name: 'a', keys: a, issuer: first, extensions: [ca()] });
  const ba = makeCertificate({ name: 'b', keys: b, issuer: ab, extensions: [ca()] });
  refuses(
    { leaf: makeCertificate({ name: 'leaf', issuer: ab }), between: [ab, ba] },
    'x509/unknown-authority',
  );
});

test('SHA-1 signatures are refused, those of RSA, P-384 and Ed25519 keys are not', () => {
  const weak = makeCertificate({ name: 'leaf', issuer: root, hash: 'sha1' });
  refuses({ leaf: weak, between: [] }, 'x509/unknown-authority', /insecure algorithm ECDSA-SHA1/);
  for (const keys of [
    generateKeyPairSync('rsa', { modulusLength: 2048 }),
    generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    generateKeyPairSync('ed25519'),
  ]) {
    const issuer = makeCertificate({ name: 'i', issuer: root, keys, extensions: [ca()] });
    assert.equal(
      build({ leaf: makeCertificate({ name: 'leaf', issuer, hash: 'sha384' }), between: [issuer] }),
      3,
    );
  }
});

test('malformed extensions refuse the certificate itself', () => {
  const bad: readonly [Parameters<typeof alternativeNames>[0], RegExp][] = [
    [{ addresses: [Uint8Array.of(1, 2, 3)] }, /IP address of length 3/],
    [{ uris: ['https://a..b/'] }, /cannot parse URI/],
    [{ uris: ['no scheme'] }, /cannot parse URI/],
    [{ emails: ['dév@example.com'] }, /malformed/],
  ];
  for (const [own, message] of bad) {
    const made = makeCertificate({ name: 'leaf', issuer: root, extensions: [alternativeNames(own)] });
    assert.throws(() => read(made), message);
  }
  const critical = { id: OID.authorityKeyIdentifier, critical: true, value: sequence() };
  assert.throws(
    () => read(makeCertificate({ name: 'x', extensions: [critical] })),
    /incorrectly marked critical/,
  );
});
