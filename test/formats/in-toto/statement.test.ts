/** Statements: about which digests, and what is no statement. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeStatement, isAbout, parseStatement } from '../../../src/formats/in-toto/statement.ts';
import type { Digest } from '../../../src/formats/oci/digest.ts';
import { COSIGN_SIGN_PREDICATE } from '../../../src/formats/sigstore-bundle/format.ts';
import { errorCode } from '../../support/error-code.ts';

const APP = 'sha256:456b962f1a6e639d9451177189e31ee604bfa1aecd2f229626d1da5f326d7f46' as Digest;

test('what was written about a digest is about it, and about no other', () => {
  const statement = parseStatement(encodeStatement(APP, COSIGN_SIGN_PREDICATE));
  assert.equal(statement.predicateType, COSIGN_SIGN_PREDICATE);
  assert(statement.current);
  assert(isAbout(statement, APP));
  assert(!isAbout(statement, APP.replace('456b', '456c') as Digest));
  // The same hex under another algorithm is another digest.
  assert(!isAbout(statement, `sha512:${APP.slice(7).repeat(2)}` as Digest));
});

test('sgs-bad-payload: statements that are none', () => {
  const good = JSON.parse(Buffer.from(encodeStatement(APP, COSIGN_SIGN_PREDICATE)).toString()) as Record<
    string,
    unknown
  >;
  const parse = (change: object): string | undefined =>
    errorCode(() => parseStatement(Buffer.from(JSON.stringify({ ...good, ...change }))));
  assert.equal(parse({}), undefined);
  assert.equal(parse({ _type: 'https://in-toto.io/Statement/v2' }), 'statement/malformed');
  assert.equal(parse({ predicateType: '' }), 'statement/malformed');
  assert.equal(parse({ subject: [] }), 'statement/malformed');
  assert.equal(parse({ subject: [{ name: 'anything' }] }), 'statement/malformed');
  assert.equal(parse({ subject: [{ digest: {} }] }), 'statement/malformed');
  assert.equal(parse({ extra: 1 }), 'json/unknown-key');
  const many = Array.from({ length: 1025 }, () => ({ digest: { sha256: '00' } }));
  assert.equal(parse({ subject: many }), 'statement/malformed');
  const digests = Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`d${at}`, '00']));
  assert.equal(parse({ subject: [{ digest: digests }] }), 'statement/malformed');
  assert.equal(
    errorCode(() => parseStatement(Buffer.from('signed, but no JSON'))),
    'json/syntax',
  );
  // Digests are compared letter by letter.
  const upper = { subject: [{ digest: { sha256: APP.slice(7).toUpperCase() } }] };
  assert(!isAbout(parseStatement(Buffer.from(JSON.stringify({ ...good, ...upper }))), APP));
});
