/**
 * JSON with mistakes in it, read as far as can be guessed, so that all of them can be told at once. The result is for
 * complaining about a file and for nothing else: what a file means is decided by the strict parser alone.
 */
import { BootsealError, isBootsealError, type ErrorCode } from '../../errors.ts';
import type { JsonMember, JsonNode } from './json-node.ts';
import { positionAt } from './position.ts';
import { readString } from './strings.ts';

export interface JsonProblem {
  readonly code: ErrorCode;
  readonly message: string;
  /** Byte offset. */
  readonly offset: number;
  readonly hint?: string;
}

export interface TolerantJson {
  /** Undefined where there is no value at all. */
  readonly node: JsonNode | undefined;
  /** In the order of the file; empty if and only if the strict parser accepts it. */
  readonly problems: readonly JsonProblem[];
}

export interface TolerantLimits {
  /** Bytes. */
  readonly maxSize: number;
}

/** Who made this many mistakes has another kind of file: the rest is not read. */
const MAX_PROBLEMS = 100;
/** As the strict parser. */
const MAX_DEPTH = 10_000;

interface Open {
  readonly kind: 'object' | 'array';
  readonly offset: number;
  readonly members: JsonMember[];
  readonly items: JsonNode[];
  /** The key whose value comes next. */
  key?: { readonly text: string; readonly offset: number };
  /** Offset of a comma that nothing has followed yet. */
  comma?: number;
}

interface State {
  readonly bytes: Uint8Array;
  readonly problems: JsonProblem[];
  readonly stack: Open[];
  at: number;
  root: JsonNode | undefined;
}

/** Throws `json/too-large` only. */
export function readTolerantJson(bytes: Uint8Array, { maxSize }: TolerantLimits): TolerantJson {
  if (bytes.length > maxSize) {
    throw new BootsealError('json/too-large', `${bytes.length} bytes of JSON exceed the limit of ${maxSize}`);
  }
  const state: State = { bytes, problems: [], stack: [], at: 0, root: undefined };
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    report(
      state,
      0,
      'json/byte-order-mark',
      'a byte order mark is not allowed',
      'save the file as UTF-8 without one',
    );
    state.at = 3;
  }
  while (state.problems.length < MAX_PROBLEMS && step(state)) continue;
  finish(state);
  return { node: state.root, problems: state.problems };
}

/** Reads one token. False at the end of what can be read. */
function step(state: State): boolean {
  skipSpaceAndComments(state);
  const { bytes, at, stack } = state;
  const byte = bytes[at];
  if (byte === undefined) return false;
  const open = stack.at(-1);
  if (open === undefined && state.root !== undefined) {
    report(
      state,
      at,
      'json/syntax',
      'text after the end of the document',
      'remove it, or look for a bracket too many before it',
    );
    return false;
  }
  switch (byte) {
    case 0x7d:
    case 0x5d:
      close(state, byte === 0x7d ? 'object' : 'array');
      return true;
    case 0x2c:
      comma(state, open);
      return true;
    case 0x3a:
      report(
        state,
        at,
        'json/syntax',
        open?.kind === 'array' ? '":" in an array' : '":" without a key before it',
      );
      state.at += 1;
      return true;
    default:
  }
  if (open?.kind === 'object' && open.key === undefined) {
    key(state, open);
    return true;
  }
  if (byte === 0x7b || byte === 0x5b) {
    if (stack.length >= MAX_DEPTH) {
      report(state, at, 'json/too-deep', `more than ${MAX_DEPTH} brackets inside each other`);
      return false;
    }
    demandComma(state, open);
    stack.push({ kind: byte === 0x7b ? 'object' : 'array', offset: at, members: [], items: [] });
    state.at += 1;
    return true;
  }
  demandComma(state, open);
  put(state, scalar(state));
  return true;
}

function key(state: State, open: Open): void {
  const offset = state.at;
  const byte = state.bytes[offset];
  if (byte === 0x7b || byte === 0x5b) {
    report(
      state,
      offset,
      'json/syntax',
      'a value without a key',
      'members of an object are written "key": value',
    );
    open.key = { text: '', offset };
    delete open.comma;
    return;
  }
  demandComma(state, open);
  const token = scalar(state, true);
  const text = token.kind === 'string' ? token.value : '';
  skipSpaceAndComments(state);
  if (state.bytes[state.at] === 0x3a) state.at += 1;
  else {
    report(
      state,
      state.at,
      'json/syntax',
      `":" is missing after the key ${JSON.stringify(text.slice(0, 80))}`,
    );
    // A word alone is no member; a value that follows belongs to the key.
    const next = state.bytes[state.at];
    if (next === undefined || next === 0x2c || next === 0x7d || next === 0x5d) return;
  }
  open.key = { text, offset };
}

/** Between two members or items; the first has none before it. */
function demandComma(state: State, open: Open | undefined): void {
  if (open === undefined) return;
  const isFirst = open.members.length === 0 && open.items.length === 0;
  // The value of a key has had its comma looked for before the key.
  if (open.kind === 'object' && open.key !== undefined) return;
  if (!isFirst && open.comma === undefined) {
    report(
      state,
      state.at,
      'json/missing-comma',
      'a comma is missing before this',
      'put a comma after the value before',
    );
  }
  delete open.comma;
}

function comma(state: State, open: Open | undefined): void {
  const { at } = state;
  if (open === undefined) report(state, at, 'json/syntax', 'a comma where the document should begin');
  else if (open.key !== undefined) {
    missingValue(state, open, at);
    open.comma = at;
  } else if (open.comma !== undefined || (open.members.length === 0 && open.items.length === 0)) {
    report(state, at, 'json/extra-comma', 'a comma with nothing before it', 'remove it');
  } else open.comma = at;
  state.at += 1;
}

function missingValue(state: State, open: Open, offset: number): void {
  report(state, offset, 'json/syntax', `the key ${JSON.stringify(open.key?.text.slice(0, 80))} has no value`);
  put(state, { kind: 'null', offset });
}

function close(state: State, kind: Open['kind']): void {
  const { at, stack } = state;
  const open = stack.at(-1);
  const mark = JSON.stringify(String.fromCharCode(state.bytes[at]));
  if (open === undefined) {
    report(state, at, 'json/syntax', `${mark} closes nothing`, 'remove it');
    state.at += 1;
    return;
  }
  if (open.kind !== kind) {
    const { line, column } = positionAt(state.bytes, open.offset);
    const wanted = open.kind === 'object' ? '}' : ']';
    report(
      state,
      at,
      'json/wrong-bracket',
      `${mark} closes ${open.kind === 'object' ? 'an object' : 'an array'} opened at ${line}:${column}`,
      `write "${wanted}" ${closesParent(state, kind) ? 'before it' : 'in its place'}`,
    );
    // Forgotten: the container ends here, and the bracket is looked at again for the one around it.
    if (closesParent(state, kind)) {
      end(state, open);
      return;
    }
  }
  end(state, open);
  state.at += 1;
}

/** Whether the brackets that follow make more sense when one was forgotten here than when this one is mistyped. */
function closesParent({ bytes, at, stack }: State, kind: Open['kind']): boolean {
  if (stack.at(-2)?.kind !== kind) return false;
  const following: Open['kind'][] = [];
  for (let next = at; next < bytes.length && following.length < 16; next++) {
    const byte = bytes[next];
    if (byte === 0x7d) following.push('object');
    else if (byte === 0x5d) following.push('array');
    else if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
  }
  const fits = (skipped: number, from: number): number => {
    let count = 0;
    for (let index = from; index < following.length; index++) {
      if (stack.at(-1 - skipped - (index - from))?.kind !== following[index]) break;
      count += 1;
    }
    return count;
  };
  return (
    fits(1, 0) > fits(1, 1) + 1 || (fits(1, 0) === following.length && fits(1, 1) + 1 < following.length)
  );
}

function end(state: State, open: Open): void {
  if (open.key !== undefined) missingValue(state, open, state.at);
  if (open.comma !== undefined) {
    report(state, open.comma, 'json/trailing-comma', 'a comma with nothing after it', 'remove it');
  }
  state.stack.pop();
  const { offset, members, items } = open;
  put(state, open.kind === 'object' ? { kind: 'object', offset, members } : { kind: 'array', offset, items });
}

function put(state: State, node: JsonNode): void {
  const open = state.stack.at(-1);
  if (open === undefined) state.root = node;
  else if (open.kind === 'array') open.items.push(node);
  else {
    open.members.push({ key: open.key?.text ?? '', keyOffset: open.key?.offset ?? node.offset, value: node });
    delete open.key;
  }
}

function finish(state: State): void {
  const isWhole = state.problems.length < MAX_PROBLEMS;
  if (isWhole && state.stack.length > 0) {
    const { offset, kind } = state.stack[state.stack.length - 1];
    const name = kind === 'object' ? 'object' : 'array';
    report(
      state,
      offset,
      'json/unclosed',
      `this ${name} is never closed`,
      `add "${kind === 'object' ? '}' : ']'}"`,
    );
  } else if (isWhole && state.root === undefined && state.problems.length === 0) {
    report(state, state.bytes.length, 'json/syntax', 'the file is empty');
  }
  // Without further complaint: these follow from what was said.
  const said = state.problems.length;
  while (state.stack.length > 0) end(state, state.stack[state.stack.length - 1]);
  state.problems.length = said;
}

/** A string, number or word. What is none of them becomes a string, and a problem. */
function scalar(state: State, isKey = false): JsonNode {
  const { bytes, at: offset } = state;
  if (bytes[offset] === 0x22) {
    try {
      const { value, end: after } = readString(bytes, offset);
      state.at = after;
      return { kind: 'string', offset, value };
    } catch (error) {
      if (!isBootsealError(error)) throw error;
      return brokenString(state, error);
    }
  }
  if (bytes[offset] === 0x27) return singleQuoted(state);
  let after = offset;
  while (after < bytes.length && !isDelimiter(bytes[after])) after += 1;
  // A delimiter that starts nothing, a slash for example, is a word by itself.
  state.at = Math.max(after, offset + 1);
  const text = Buffer.from(bytes.subarray(offset, state.at)).toString('utf8');
  if (!isKey) {
    if (text === 'true' || text === 'false') return { kind: 'boolean', offset, value: text === 'true' };
    if (text === 'null') return { kind: 'null', offset };
    if (/^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$/.test(text))
      return { kind: 'number', offset, text };
  }
  const shown = JSON.stringify(text.slice(0, 80));
  report(
    state,
    offset,
    'json/syntax',
    isKey ? `a key is a string, not ${shown}` : `${shown} is no value`,
    `write ${JSON.stringify(text.slice(0, 80))} in quotation marks`,
  );
  return { kind: 'string', offset, value: text };
}

function brokenString(state: State, error: BootsealError): JsonNode {
  const { bytes, at: offset } = state;
  const wrong = error.offset ?? offset;
  const atLineEnd = bytes[wrong] === undefined || bytes[wrong] === 0x0a || bytes[wrong] === 0x0d;
  if (atLineEnd)
    report(
      state,
      offset,
      'json/unclosed',
      'this string is not closed in its line',
      'close it with a quotation mark',
    );
  else
    report(
      state,
      wrong,
      'json/string',
      error.message,
      'write a control character as \\u00XX, a backslash as \\\\',
    );
  let after = Math.max(wrong, offset + 1);
  while (after < bytes.length && bytes[after] !== 0x22 && bytes[after] !== 0x0a) {
    after += bytes[after] === 0x5c && bytes[after + 1] !== 0x0a ? 2 : 1;
  }
  const last = Math.min(after, bytes.length);
  state.at = bytes[last] === 0x22 ? last + 1 : last;
  return { kind: 'string', offset, value: Buffer.from(bytes.subarray(offset + 1, last)).toString('utf8') };
}

function singleQuoted(state: State): JsonNode {
  const { bytes, at: offset } = state;
  report(
    state,
    offset,
    'json/quotes',
    'strings stand between double quotation marks',
    'write " in place of \'',
  );
  let after = offset + 1;
  while (after < bytes.length && bytes[after] !== 0x27 && bytes[after] !== 0x0a) after += 1;
  state.at = bytes[after] === 0x27 ? after + 1 : after;
  return { kind: 'string', offset, value: Buffer.from(bytes.subarray(offset + 1, after)).toString('utf8') };
}

function skipSpaceAndComments(state: State): void {
  const { bytes } = state;
  for (;;) {
    const byte = bytes[state.at];
    const next = bytes[state.at + 1];
    const start = state.at;
    if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
      state.at += 1;
      continue;
    }
    const isBlock = byte === 0x2f && next === 0x2a;
    if (!isBlock && byte !== 0x23 && !(byte === 0x2f && next === 0x2f)) return;
    if (state.problems.length >= MAX_PROBLEMS) return;
    report(state, start, 'json/comment', 'comments are not allowed', 'remove it: JSON has no comments');
    state.at = isBlock ? blockEnd(bytes, start + 2) : lineEnd(bytes, start);
  }
}

function blockEnd(bytes: Uint8Array, from: number): number {
  for (let at = from; at + 1 < bytes.length; at++)
    if (bytes[at] === 0x2a && bytes[at + 1] === 0x2f) return at + 2;
  return bytes.length;
}

function lineEnd(bytes: Uint8Array, from: number): number {
  const at = bytes.indexOf(0x0a, from);
  return at < 0 ? bytes.length : at;
}

/** Space, comma, colon, quotation mark, brackets, and the slash that may open a comment. */
function isDelimiter(byte: number): boolean {
  return byte <= 0x20 || [0x2c, 0x3a, 0x22, 0x5b, 0x5d, 0x7b, 0x7d, 0x2f].includes(byte);
}

function report(state: State, offset: number, code: ErrorCode, message: string, hint?: string): void {
  if (state.problems.length >= MAX_PROBLEMS) return;
  state.problems.push({ code, message, offset, ...(hint !== undefined && { hint }) });
}
