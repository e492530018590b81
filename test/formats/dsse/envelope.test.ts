/** The envelope of in-toto: what is signed, and what is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { envelopeMembers, preAuthEncoding, readEnvelope } from '../../../src/formats/dsse/envelope.ts';
import { parseStrictJson } from '../../../src/formats/strict-json/parser.ts';

const read = (document: unknown): ReturnType<typeof readEnvelope> =>
  readEnvelope(parseStrictJson(Buffer.from(JSON.stringify(document)), { maxSize: 10_000 }));

test('pre-authentication encoding: the example of the specification', () => {
  const encoded = preAuthEncoding('http://example.com/HelloWorld', Buffer.from('hello world'));
  assert.equal(Buffer.from(encoded).toString(), 'DSSEv1 29 http://example.com/HelloWorld 11 hello world');
  // Lengths are of bytes, not of characters.
  assert.equal(Buffer.from(preAuthEncoding('é', Buffer.from('ü'))).toString(), 'DSSEv1 2 é 2 ü');
});

test('no two splits of the same bytes are one signature', () => {
  const joined = (type: string, payload: string): string =>
    Buffer.from(preAuthEncoding(type, Buffer.from(payload))).toString();
  assert.notEqual(joined('a', 'b 1 c'), joined('a b', '1 c'));
  assert.notEqual(joined('a 1 b', 'c'), joined('a', '1 b c'));
});

test('an envelope is read as it is written', () => {
  const envelope = { payloadType: 'text/x', payload: Uint8Array.of(1, 2), signature: Uint8Array.of(3) };
  const again = read(envelopeMembers(envelope));
  assert.deepEqual([...again.payload, ...again.signature, again.payloadType], [1, 2, 3, 'text/x']);
});

test('a key id is a hint, and other members are refused', () => {
  const good = { payload: 'AA==', payloadType: 'x', signatures: [{ sig: 'AA==', keyid: 'whatever' }] };
  assert.equal(read(good).payload.length, 1);
  assert.throws(() => read({ ...good, extra: 1 }), { code: 'json/unknown-key' });
  assert.throws(() => read({ ...good, signatures: [{ sig: 'AA==', cert: 'x' }] }), {
    code: 'json/unknown-key',
  });
  assert.throws(() => read({ ...good, signatures: [{ keyid: 'x' }] }), { code: 'bundle/malformed' });
  assert.throws(() => read({ ...good, payload: 1 }), { code: 'bundle/malformed' });
});
