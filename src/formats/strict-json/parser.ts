/**
 * RFC 8259 JSON, strictly, with the words of Go's encoding/json for what it refuses. Nothing is forgiven
 * (comments, trailing commas, a byte order mark), and nothing is lost: duplicate keys are kept for the caller to
 * judge, because a parser that silently keeps the last one is how two readers come to see two documents.
 * It keeps its own stack, so that depth is a limit and never a crash.
 */
import { BootsealError } from '../../errors.ts';
import type { JsonMember, JsonNode } from './json-node.ts';
import { endOfInput, readString, unexpected } from './strings.ts';

/** Go's limit. */
const DEFAULT_MAX_DEPTH = 10_000;

export interface StrictJsonLimits {
  /** Bytes. No default: each document has its own reason. */
  readonly maxSize: number;
  readonly maxDepth?: number;
}

interface OpenObject {
  readonly kind: 'object';
  readonly offset: number;
  readonly members: JsonMember[];
  key: string;
  keyOffset: number;
}

interface OpenArray {
  readonly kind: 'array';
  readonly offset: number;
  readonly items: JsonNode[];
}

type Open = OpenObject | OpenArray;

/** Throws `json/syntax` with the byte offset, `json/too-deep`, `json/too-large`. */
export function parseStrictJson(bytes: Uint8Array, limits: StrictJsonLimits): JsonNode {
  if (bytes.length > limits.maxSize) {
    throw new BootsealError(
      'json/too-large',
      `${bytes.length} bytes of JSON exceed the limit of ${limits.maxSize}`,
    );
  }
  const maxDepth = limits.maxDepth ?? DEFAULT_MAX_DEPTH;
  const stack: Open[] = [];
  let at = skipSpace(bytes, 0);

  for (;;) {
    // 1. A value starts here, or the container just opened ends.
    const byte = bytes[at];
    let finished: JsonNode | undefined;
    if (byte === 0x7b || byte === 0x5b) {
      if (stack.length >= maxDepth) {
        throw new BootsealError('json/too-deep', unexpected(bytes, at, 'exceeded max depth').message, {
          offset: at,
        });
      }
      const offset = at;
      at = skipSpace(bytes, at + 1);
      if (byte === 0x7b) {
        if (bytes[at] === 0x7d) {
          finished = { kind: 'object', offset, members: [] };
          at += 1;
        } else {
          const open: OpenObject = { kind: 'object', offset, members: [], key: '', keyOffset: at };
          stack.push(open);
          at = readKey(bytes, at, open);
          continue;
        }
      } else if (bytes[at] === 0x5d) {
        finished = { kind: 'array', offset, items: [] };
        at += 1;
      } else {
        stack.push({ kind: 'array', offset, items: [] });
        continue;
      }
    } else {
      const scalar = readScalar(bytes, at);
      finished = scalar.node;
      at = scalar.end;
    }

    // 2. The value is complete: put it where it belongs, and close every container that ends with it.
    for (;;) {
      at = skipSpace(bytes, at);
      const open = stack.at(-1);
      if (open === undefined) {
        if (at < bytes.length) throw unexpected(bytes, at, 'after top-level value');
        return finished;
      }
      const next = bytes[at];
      if (next === undefined) throw endOfInput(bytes);
      if (open.kind === 'object') {
        open.members.push({ key: open.key, keyOffset: open.keyOffset, value: finished });
        if (next === 0x2c) {
          at = readKey(bytes, skipSpace(bytes, at + 1), open);
          break;
        }
        if (next !== 0x7d) throw unexpected(bytes, at, 'after object key:value pair');
        finished = { kind: 'object', offset: open.offset, members: open.members };
      } else {
        open.items.push(finished);
        if (next === 0x2c) {
          at = skipSpace(bytes, at + 1);
          break;
        }
        if (next !== 0x5d) throw unexpected(bytes, at, 'after array element');
        finished = { kind: 'array', offset: open.offset, items: open.items };
      }
      stack.pop();
      at += 1;
    }
  }
}

/** Reads `"key" :` and returns the offset of the value. */
function readKey(bytes: Uint8Array, start: number, open: OpenObject): number {
  if (start >= bytes.length) throw endOfInput(bytes);
  if (bytes[start] !== 0x22) throw unexpected(bytes, start, 'looking for beginning of object key string');
  const literal = readString(bytes, start);
  open.key = literal.value;
  open.keyOffset = start;
  const colon = skipSpace(bytes, literal.end);
  if (colon >= bytes.length) throw endOfInput(bytes);
  if (bytes[colon] !== 0x3a) throw unexpected(bytes, colon, 'after object key');
  return skipSpace(bytes, colon + 1);
}

interface Scalar {
  readonly node: JsonNode;
  readonly end: number;
}

function readScalar(bytes: Uint8Array, offset: number): Scalar {
  const byte = bytes[offset];
  if (byte === undefined) throw endOfInput(bytes);
  if (byte === 0x22) {
    const { value, end } = readString(bytes, offset);
    return { node: { kind: 'string', offset, value }, end };
  }
  if (byte === 0x2d || isDigit(byte)) {
    const end = numberEnd(bytes, offset);
    const text = Buffer.from(bytes.subarray(offset, end)).toString('latin1');
    return { node: { kind: 'number', offset, text }, end };
  }
  if (byte === 0x74)
    return { node: { kind: 'boolean', offset, value: true }, end: word(bytes, offset, 'true') };
  if (byte === 0x66)
    return { node: { kind: 'boolean', offset, value: false }, end: word(bytes, offset, 'false') };
  if (byte === 0x6e) return { node: { kind: 'null', offset }, end: word(bytes, offset, 'null') };
  throw unexpected(bytes, offset, 'looking for beginning of value');
}

function word(bytes: Uint8Array, offset: number, expected: string): number {
  for (let at = 1; at < expected.length; at++) {
    const byte = bytes[offset + at];
    if (byte === undefined) throw endOfInput(bytes);
    if (byte !== expected.charCodeAt(at)) {
      throw unexpected(bytes, offset + at, `in literal ${expected} (expecting '${expected[at]}')`);
    }
  }
  return offset + expected.length;
}

/** RFC 8259 section 6. A leading zero ends the number: what follows it is judged by the place after a value. */
function numberEnd(bytes: Uint8Array, start: number): number {
  let at = start;
  if (bytes[at] === 0x2d) at = requireDigit(bytes, at + 1, 'in numeric literal') - 1;
  if (bytes[at] === 0x30) at += 1;
  else at = skipDigits(bytes, at);
  if (bytes[at] === 0x2e)
    at = skipDigits(bytes, requireDigit(bytes, at + 1, 'after decimal point in numeric literal'));
  if (bytes[at] === 0x65 || bytes[at] === 0x45) {
    at += 1;
    if (bytes[at] === 0x2b || bytes[at] === 0x2d) at += 1;
    at = skipDigits(bytes, requireDigit(bytes, at, 'in exponent of numeric literal'));
  }
  return at;
}

function requireDigit(bytes: Uint8Array, at: number, context: string): number {
  const byte = bytes[at];
  if (byte === undefined) throw endOfInput(bytes);
  if (!isDigit(byte)) throw unexpected(bytes, at, context);
  return at + 1;
}

function skipDigits(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length && isDigit(bytes[at])) at += 1;
  return at;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function skipSpace(bytes: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at;
    at += 1;
  }
}
