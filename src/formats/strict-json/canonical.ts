/** JSON in its canonical form (RFC 8785, JCS): what a Rekor log signs. */
import { encodeUtf8 } from '../../bytes/bytes.ts';
import { jsonError } from './go-decode.ts';
import type { JsonNode } from './json-node.ts';

/**
 * Members sorted by UTF-16 code units, numbers as ECMAScript prints them, no space. Recursive: parse with a small
 * `maxDepth`. Throws `json/not-canonical` for two members of one name, for a number that a double cannot hold,
 * and for text that may not be Unicode: RFC 8785 section 3.1 leaves them out, and two readers would differ.
 */
export function canonicalJson(node: JsonNode): Uint8Array {
  return encodeUtf8(canonicalText(node));
}

function canonicalText(node: JsonNode): string {
  switch (node.kind) {
    case 'object': {
      const members = node.members.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
      const duplicate = members.find((member, at) => at > 0 && members[at - 1].key === member.key);
      if (duplicate !== undefined) {
        throw jsonError(
          'json/not-canonical',
          `Duplicate key: ${duplicate.key.slice(0, 100)}`,
          duplicate.keyOffset,
        );
      }
      const parts = members.map(
        ({ key, keyOffset, value }) => `${canonicalString(key, keyOffset)}:${canonicalText(value)}`,
      );
      return `{${parts.join(',')}}`;
    }
    case 'array':
      return `[${node.items.map(canonicalText).join(',')}]`;
    case 'string':
      return canonicalString(node.value, node.offset);
    case 'number': {
      const value = Number(node.text);
      if (!Number.isFinite(value)) throw jsonError('json/not-canonical', 'value out of range', node.offset);
      return String(value);
    }
    case 'boolean':
      return String(node.value);
    case 'null':
    default:
      return 'null';
  }
}

/** ECMAScript escapes what RFC 8785 section 3.2.2.2 wants escaped, and in the same way. */
function canonicalString(text: string, offset: number): string {
  if (text.includes('\ufffd')) throw jsonError('json/not-canonical', 'Missing surrogate', offset);
  return JSON.stringify(text);
}
