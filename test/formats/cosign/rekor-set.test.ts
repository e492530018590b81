/** Rekor entries: what is read, in which words what is not, and the canonical form that is signed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isBootsealError } from '../../../src/errors.ts';
import { parseRekorEntry, parseRekorSet } from '../../../src/formats/cosign/rekor-set.ts';
import { canonicalJson } from '../../../src/formats/strict-json/canonical.ts';
import { parseStrictJson } from '../../../src/formats/strict-json/parser.ts';

const body = {
  apiVersion: '0.0.1',
  kind: 'hashedrekord',
  spec: {
    data: { hash: { algorithm: 'sha256', value: 'ab'.repeat(32) } },
    signature: { content: 'MAYC', publicKey: { content: 'a2V5' } },
  },
};

function payloadWith(change: object, changedBody: object = body): Record<string, unknown> {
  return {
    body: Buffer.from(JSON.stringify(changedBody)).toString('base64'),
    integratedTime: 1_705_320_300,
    logIndex: 7,
    logID: 'c0ffee',
    ...change,
  };
}

function setOf(payload: string): Uint8Array {
  return Buffer.from(`{"SignedEntryTimestamp":"AAEC","Payload":${payload}}`);
}

function entryOf(payload: object): ReturnType<typeof parseRekorEntry> {
  return parseRekorEntry(parseRekorSet(setOf(JSON.stringify(payload))).payload);
}

function fails(run: () => unknown, message: string | RegExp): void {
  assert.throws(run, (error: unknown) => {
    assert(isBootsealError(error), String(error));
    if (typeof message === 'string') assert.equal(error.message, message);
    else assert.match(error.message, message);
    return true;
  });
}

test('reads an entry', () => {
  const set = parseRekorSet(setOf(JSON.stringify(payloadWith({}))));
  assert.deepEqual([...set.signedEntryTimestamp], [0, 1, 2]);
  const entry = parseRekorEntry(set.payload);
  assert.equal(entry.integratedTime, 1_705_320_300n);
  assert.equal(Buffer.from(entry.publicKey).toString(), 'key');
  assert.deepEqual(
    [...entry.payloadHash],
    Array.from({ length: 32 }, () => 0xab),
  );
});

test('integers in any spelling, as the canonical form has them', () => {
  const text = JSON.stringify(payloadWith({})).replace('1705320300', '17053203e2').replace(':7', ':7.0');
  const { payload } = parseRekorSet(setOf(text));
  assert.match(
    Buffer.from(payload).toString(),
    /"integratedTime":1705320300,"logID":"c0ffee","logIndex":7}$/,
  );
  assert.equal(parseRekorEntry(payload).integratedTime, 1_705_320_300n);
  assert.equal(entryOf(payloadWith({ integratedTime: -5 })).integratedTime, -5n);
  fails(
    () => entryOf(payloadWith({ integratedTime: 1.5 })),
    /^parsing Rekor SET payload: json: cannot unmarshal number 1\.5 into Go value of type int64$/,
  );
  fails(() => entryOf(payloadWith({ integratedTime: 1e21 })), /of type int64$/);
  fails(() => parseRekorSet(setOf(text.replace(':7.0', ':1e999'))), /^canonicalizing Rekor SET JSON: /);
});

test('strict outside: every member, once, no other', () => {
  const payload = JSON.stringify(payloadWith({}));
  fails(
    () => parseRekorSet(Buffer.from(`{"SignedEntryTimestamp":"AAEC"}`)),
    'Key "Payload" missing in a JSON object',
  );
  fails(
    () => parseRekorSet(Buffer.from(`{"signedEntryTimestamp":"AAEC","Payload":${payload}}`)),
    'Unknown key "signedEntryTimestamp"',
  );
  fails(
    () =>
      parseRekorSet(Buffer.from(`{"SignedEntryTimestamp":"AAEC","Payload":${payload},"Payload":${payload}}`)),
    'Duplicate key "Payload"',
  );
  fails(
    () => parseRekorSet(Buffer.from(`{"SignedEntryTimestamp":"AAEC","Payload":${payload}} {}`)),
    /after top-level value$/,
  );
  for (const value of ['null', '"x"', '7']) {
    fails(() => parseRekorSet(setOf(value)), /^canonicalizing Rekor SET JSON: /);
  }
  fails(
    () => parseRekorEntry(parseRekorSet(setOf('[]')).payload),
    /^parsing Rekor SET payload: JSON object expected/,
  );
  fails(() => entryOf(payloadWith({ x: 1 })), 'parsing Rekor SET payload: Unknown key "x"');
  fails(() => entryOf({ body: '', integratedTime: 1, logIndex: 1 }), /Key "logID" missing/);
});

test('a duplicate key or half a character in the payload has no canonical form', () => {
  const payload = JSON.stringify(payloadWith({}));
  fails(
    () => parseRekorSet(setOf(payload.replace('"logID"', '"logIndex"'))),
    /^canonicalizing Rekor SET JSON: Duplicate key: logIndex/,
  );
  fails(() => parseRekorSet(setOf(payload.replace('c0ffee', '\\ud800'))), /^canonicalizing Rekor SET JSON: /);
});

test('in the body: what another reader would read otherwise is refused, the rest is left alone', () => {
  assert(entryOf(payloadWith({}, { ...body, extra: [1] })));
  fails(
    () => entryOf(payloadWith({}, { ...body, apiVersion: '0.0.2' })),
    'unsupported Rekor SET Payload hashedrekord version "0.0.2"',
  );
  fails(() => entryOf(payloadWith({}, { ...body, kind: 'rekord' })), /invalid kind value: "rekord"$/);
  fails(
    () => entryOf(payloadWith({}, { kind: 'hashedrekord', spec: {} })),
    'missing Rekor SET Payload API version',
  );
  fails(() => entryOf(payloadWith({}, { ...body, spec: null })), 'Missing "signature" field in hashedrekord');
  fails(() => entryOf(payloadWith({}, { ...body, KIND: 'x' })), /Duplicate key "KIND"$/);
  const { kind, ...withoutKind } = body;
  fails(() => entryOf(payloadWith({}, { ...withoutKind, Kind: kind })), /in another case$/);
  const twice = Buffer.from(JSON.stringify(body).replace('"kind"', '"kind":"rekord","kind"')).toString(
    'base64',
  );
  fails(() => entryOf(payloadWith({ body: twice })), /Duplicate key "kind"$/);
});

test('a member named __proto__ is a member like any other', () => {
  const text = `{"SignedEntryTimestamp":"AAEC","Payload":{},"__proto__":{"Payload":{}}}`;
  fails(() => parseRekorSet(Buffer.from(text)), 'Unknown key "__proto__"');
  const inBody = Buffer.from(`{"__proto__":${JSON.stringify(body)}}`).toString('base64');
  fails(() => entryOf(payloadWith({ body: inBody })), /invalid kind value: ""$/);
});

test('limits end before anything is computed', () => {
  fails(() => parseRekorSet(Buffer.alloc(300 * 1024, 0x20)), /exceed the limit/);
  fails(() => parseRekorSet(setOf('['.repeat(1000) + ']'.repeat(1000))), /exceeded max depth/);
});

test('property: the canonical form means the same, and is its own canonical form', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const bytes = Buffer.from(text);
      const canonical = canonicalJson(parseStrictJson(bytes, { maxSize: bytes.length }));
      assert.deepEqual(JSON.parse(Buffer.from(canonical).toString()), JSON.parse(text));
      const again = canonicalJson(parseStrictJson(canonical, { maxSize: canonical.length }));
      assert.deepEqual(again, canonical);
    }),
  );
});

test('RFC 8785 section 3.2.2 and 3.2.3', () => {
  const canonical = (text: string): string => {
    return Buffer.from(canonicalJson(parseStrictJson(Buffer.from(text), { maxSize: 10_000 }))).toString();
  };
  assert.equal(
    canonical(String.raw`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
      "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`),
    String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
  );
  const keys = String.raw`{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}`;
  const order = [...canonical(keys).matchAll(/:(\d)/g)].map(([, digit]) => digit).join('');
  assert.equal(order, '2467153');
});
