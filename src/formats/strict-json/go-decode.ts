/**
 * Values out of a strict document, as containers/image takes them with Go's encoding/json: which types convert,
 * what `null` does, and the words when they do not. `where` in the errors is a byte offset; the reader of each
 * document adds the file.
 */
import { BootsealError, type ErrorCode } from '../../errors.ts';
import { decodeGoBase64 } from './go-base64.ts';
import { goQuote } from './go-quote.ts';
import type { JsonMember, JsonNode, JsonObject } from './json-node.ts';

const GO_KIND: Readonly<Record<JsonNode['kind'], string>> = {
  object: 'object',
  array: 'array',
  string: 'string',
  number: 'number',
  boolean: 'bool',
  null: 'null',
};

export function jsonError(code: ErrorCode, message: string, offset: number, hint?: string): BootsealError {
  return new BootsealError(code, message, { offset, ...(hint !== undefined && { hint }) });
}

/** `goType` as Go prints it, for example `[]string`. */
export function typeError(node: JsonNode, goType: string): BootsealError {
  return jsonError(
    'json/type',
    `json: cannot unmarshal ${GO_KIND[node.kind]} into Go value of type ${goType}`,
    node.offset,
  );
}

/**
 * Calls `member` for each member in document order. It returns false for a key that it does not know. A second
 * member of one name, however it is spelt, is refused before its value is looked at.
 * Throws `json/duplicate-key`, `json/unknown-key`, `json/type`.
 */
export function forEachMember(node: JsonNode, member: (key: string, value: JsonNode) => boolean): JsonObject {
  const object = expectJsonObject(node);
  const seen = new Set<string>();
  for (const { key, keyOffset, value } of object.members) {
    if (seen.has(key)) {
      throw jsonError(
        'json/duplicate-key',
        `Duplicate key ${goQuote(key)}`,
        keyOffset,
        'remove one of the two',
      );
    }
    seen.add(key);
    if (!member(key, value)) throw jsonError('json/unknown-key', `Unknown key ${goQuote(key)}`, keyOffset);
  }
  return object;
}

/** Exactly these members, no other, none missing; in any order. Throws also `json/missing-key`. */
export function exactMembers<K extends string>(node: JsonNode, keys: readonly K[]): Record<K, JsonNode> {
  const found = new Map<string, JsonNode>();
  const object = forEachMember(node, (key, value) => {
    found.set(key, value);
    return (keys as readonly string[]).includes(key);
  });
  for (const key of keys) {
    if (!found.has(key)) {
      throw jsonError('json/missing-key', `Key ${goQuote(key)} missing in a JSON object`, object.offset);
    }
  }
  return Object.fromEntries(found) as Record<K, JsonNode>;
}

function expectJsonObject(node: JsonNode): JsonObject {
  if (node.kind === 'object') return node;
  throw jsonError('json/type', `JSON object expected, got ${goToken(node)}`, node.offset);
}

/** `null` leaves the zero value, an empty text. */
export function goString(node: JsonNode): string {
  if (node.kind === 'null') return '';
  if (node.kind !== 'string') throw typeError(node, 'string');
  return node.value;
}

/** An integer of 64 bits, without fraction or exponent; `null` leaves zero. */
export function goInt64(node: JsonNode): bigint {
  if (node.kind === 'null') return 0n;
  if (node.kind !== 'number') throw typeError(node, 'int64');
  const value = /^-?\d{1,20}$/.test(node.text) ? BigInt(node.text) : undefined;
  if (value === undefined || BigInt.asIntN(64, value) !== value) {
    const message = `json: cannot unmarshal number ${node.text} into Go value of type int64`;
    throw jsonError('json/type', message.slice(0, 200), node.offset);
  }
  return value;
}

/** undefined for `null`, which Go keeps apart from an empty list. */
export function goStrings(node: JsonNode): string[] | undefined {
  if (node.kind === 'null') return undefined;
  if (node.kind !== 'array') throw typeError(node, '[]string');
  return node.items.map(goString);
}

/** Standard base64, or a list of numbers 0–255; undefined for `null`. */
export function goBytes(node: JsonNode): Uint8Array | undefined {
  if (node.kind === 'null') return undefined;
  if (node.kind === 'string') {
    const decoded = decodeGoBase64(node.value);
    if (typeof decoded === 'number') {
      throw jsonError('json/base64', `illegal base64 data at input byte ${decoded}`, node.offset);
    }
    return decoded;
  }
  if (node.kind !== 'array') throw typeError(node, '[]uint8');
  return Uint8Array.from(node.items, (item) => {
    if (item.kind === 'null') return 0;
    if (item.kind !== 'number') throw typeError(item, 'uint8');
    if (!/^\d{1,3}$/.test(item.text) || Number(item.text) > 255) {
      const message = `json: cannot unmarshal number ${item.text} into Go value of type uint8`;
      throw jsonError('json/type', message, item.offset);
    }
    return Number(item.text);
  });
}

/** A list of {@link goBytes}; a `null` in it is an empty entry. */
export function goBytesList(node: JsonNode): Uint8Array[] | undefined {
  if (node.kind === 'null') return undefined;
  if (node.kind !== 'array') throw typeError(node, '[][]uint8');
  return node.items.map((item) => goBytes(item) ?? new Uint8Array(0));
}

/**
 * The `type` member as Go's lenient decoder sees it before the strict one runs: in any case, the last one wins.
 * `structName` and `typeName` appear in the message for a value of the wrong type.
 */
export function peekType(node: JsonNode, structName: string, typeName: string): string {
  if (node.kind === 'null') return '';
  if (node.kind !== 'object') throw typeError(node, `signature.${structName}`);
  let type = '';
  let wrong: JsonMember | undefined;
  for (const member of node.members) {
    if (member.key.toLowerCase() !== 'type') continue;
    if (member.value.kind === 'string') type = member.value.value;
    else if (member.value.kind !== 'null') wrong ??= member;
  }
  if (wrong !== undefined) {
    const kind = GO_KIND[wrong.value.kind];
    const target = `Go struct field ${structName}.type of type signature.${typeName}`;
    throw jsonError('json/type', `json: cannot unmarshal ${kind} into ${target}`, wrong.value.offset);
  }
  return type;
}

/** A token as Go prints it with `%#v`: a bracket is its character code. */
function goToken(node: JsonNode): string {
  switch (node.kind) {
    case 'array':
      return '91';
    case 'object':
      return '123';
    case 'string':
      return goQuote(node.value);
    case 'number':
      return String(Number(node.text));
    case 'boolean':
      return String(node.value);
    case 'null':
    default:
      return '<nil>';
  }
}
