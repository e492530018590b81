/** Strict JSON against the engine's own parser: both take the same documents and see the same values in them. */
import assert from 'node:assert/strict';
import { isBootsealError } from '../../src/errors.ts';
import type { JsonNode } from '../../src/formats/strict-json/json-node.ts';
import { parseStrictJson } from '../../src/formats/strict-json/parser.ts';
import { policyCases } from '../support/policy-vectors.ts';
import type { FuzzTarget } from './harness.ts';

const MAX_SIZE = 1 << 20;
/** An error of ours that JSON.parse has no counterpart for. */
const OWN_LIMITS = new Set(['json/too-deep', 'json/too-large']);

export const target: FuzzTarget = {
  name: 'strict-json',
  seeds() {
    const policies = policyCases().flatMap(({ files }) => files?.['policy.json'] ?? []);
    const texts = [...HAND_MADE, ...new Set(policies.filter((text) => text.length < 2000))];
    return texts.sort((a, b) => a.length - b.length).map((text) => Buffer.from(text));
  },
  run(bytes) {
    let node: JsonNode;
    try {
      node = parseStrictJson(bytes, { maxSize: MAX_SIZE });
    } catch (error) {
      if (isBootsealError(error) && !OWN_LIMITS.has(error.code)) {
        assert.throws(() => JSON.parse(Buffer.from(bytes).toString('utf8')), SyntaxError);
      }
      throw error;
    }
    // What is no Unicode (invalid UTF-8, half a surrogate pair) becomes U+FFFD here, as for Go; not so for the engine.
    const ours = valueOf(node);
    if (!JSON.stringify(ours).includes('\ufffd')) {
      assert.deepEqual(ours, JSON.parse(Buffer.from(bytes).toString('utf8')));
    }
  },
};

const HAND_MADE = [
  '0',
  '-1.5e+3',
  '"\\u00e9\\ud83d\\ude00 \\ud800"',
  '[true,false,null,[],{}]',
  '{"a":1,"a":2,"\\u0061":3,"__proto__":{"x":[]}}',
  ' \t\r\n{"deep":[[[[[[{"end":"\\"\\\\\\/\\b\\f\\n\\r\\t"}]]]]]]}\n',
];

/** As JSON.parse builds it: the last of two members with one name counts. */
function valueOf(node: JsonNode): unknown {
  switch (node.kind) {
    case 'object': {
      const value = {};
      for (const member of node.members) {
        Object.defineProperty(value, member.key, {
          value: valueOf(member.value),
          configurable: true,
          enumerable: true,
          writable: true,
        });
      }
      return value;
    }
    case 'array':
      return node.items.map(valueOf);
    case 'number':
      return Number(node.text);
    case 'string':
    case 'boolean':
      return node.value;
    case 'null':
    default:
      return null;
  }
}
