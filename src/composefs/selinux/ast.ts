/**
 * Regular expressions of file_contexts, taken apart. They match bytes, whatever the characters they were written
 * with. Two parsers make this tree, for the two engines that composefs-rs uses; two matchers run it.
 */

/** 256 bits, 32 to a word: which bytes are in it. */
export type ByteSet = Uint32Array;

export type Assertion =
  | 'start'
  | 'end'
  | 'line-start'
  | 'line-end'
  | 'line-start-crlf'
  | 'line-end-crlf'
  | 'word'
  | 'not-word'
  | 'word-start'
  | 'word-end'
  | 'word-start-half'
  | 'word-end-half';

export type PatternNode =
  | { readonly kind: 'empty' }
  | { readonly kind: 'byte'; readonly byte: number }
  | { readonly kind: 'set'; readonly set: ByteSet }
  | { readonly kind: 'concat'; readonly items: readonly PatternNode[] }
  | { readonly kind: 'alternation'; readonly items: readonly PatternNode[] }
  | RepeatNode
  | { readonly kind: 'assertion'; readonly what: Assertion }
  /** A capturing group. Only a back-reference makes a difference between it and its item. */
  | { readonly kind: 'group'; readonly index: number; readonly item: PatternNode }
  | { readonly kind: 'atomic'; readonly item: PatternNode }
  | {
      readonly kind: 'look';
      readonly behind: boolean;
      readonly negative: boolean;
      readonly item: PatternNode;
    }
  | { readonly kind: 'reference'; readonly index: number; readonly ignoreCase: boolean };

export interface RepeatNode {
  readonly kind: 'repeat';
  readonly item: PatternNode;
  readonly min: number;
  /** Infinity where there is none. */
  readonly max: number;
  readonly mode: 'greedy' | 'lazy' | 'possessive';
}

export const EMPTY: PatternNode = { kind: 'empty' };

/** Groups in groups, and classes in classes. Both engines stop at 250 levels of their own, finer counting. */
export const MAX_DEPTH = 50;

const BYTES: readonly PatternNode[] = Array.from({ length: 256 }, (_, byte) => ({ kind: 'byte', byte }));

export function byteNode(byte: number): PatternNode {
  return BYTES[byte];
}

export function setNode(set: ByteSet): PatternNode {
  return { kind: 'set', set };
}

export function concat(items: readonly PatternNode[]): PatternNode {
  return items.length === 1 ? items[0] : items.length === 0 ? EMPTY : { kind: 'concat', items };
}

export function alternation(items: readonly PatternNode[]): PatternNode {
  return items.length === 1 ? items[0] : { kind: 'alternation', items };
}

/** One letter in both cases, or the byte itself. Letters are those of ASCII in both engines. */
export function foldedByte(byte: number): PatternNode {
  const set = foldCase(addRange(emptySet(), byte, byte));
  return isLetter(byte) ? setNode(set) : byteNode(byte);
}

function isLetter(byte: number): boolean {
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

export function emptySet(): ByteSet {
  return new Uint32Array(8);
}

export function hasByte(set: ByteSet, byte: number): boolean {
  return ((set[byte >>> 5] >>> (byte & 31)) & 1) === 1;
}

/** Changes and returns the set. */
export function addRange(set: ByteSet, first: number, last: number): ByteSet {
  for (let byte = first; byte <= last; byte++) set[byte >>> 5] |= 1 << (byte & 31);
  return set;
}

export function setOf(...ranges: readonly (readonly [first: number, last: number])[]): ByteSet {
  const set = emptySet();
  for (const [first, last] of ranges) addRange(set, first, last);
  return set;
}

export function combineSets(a: ByteSet, b: ByteSet, combine: (a: number, b: number) => number): ByteSet {
  return a.map((word, at) => combine(word, b[at]));
}

export function unite(a: ByteSet, b: ByteSet): ByteSet {
  return combineSets(a, b, (x, y) => x | y);
}

export function negate(set: ByteSet): ByteSet {
  return set.map((word) => ~word);
}

/** Both cases of every ASCII letter in it. */
export function foldCase(set: ByteSet): ByteSet {
  const result = set.slice();
  for (let lower = 0x61; lower <= 0x7a; lower++) {
    const upper = lower - 0x20;
    if (hasByte(set, lower)) addRange(result, upper, upper);
    if (hasByte(set, upper)) addRange(result, lower, lower);
  }
  return result;
}

const code = (text: string): number => text.charCodeAt(0);

export const DIGITS: ByteSet = setOf([code('0'), code('9')]);
export const WORD: ByteSet = unite(
  DIGITS,
  setOf([code('a'), code('z')], [code('A'), code('Z')], [code('_'), code('_')]),
);
/** Tab, line feed, vertical tab, form feed, carriage return, space. */
export const SPACE: ByteSet = setOf([9, 13], [32, 32]);

/** The names inside `[:…:]`: the same bytes in both engines. */
export const POSIX_CLASSES: Readonly<Record<string, ByteSet>> = {
  alnum: setOf([code('0'), code('9')], [code('a'), code('z')], [code('A'), code('Z')]),
  alpha: setOf([code('a'), code('z')], [code('A'), code('Z')]),
  ascii: setOf([0, 127]),
  blank: setOf([9, 9], [32, 32]),
  cntrl: setOf([0, 31], [127, 127]),
  digit: DIGITS,
  graph: setOf([33, 126]),
  lower: setOf([code('a'), code('z')]),
  print: setOf([32, 126]),
  punct: setOf([33, 47], [58, 64], [91, 96], [123, 126]),
  space: SPACE,
  upper: setOf([code('A'), code('Z')]),
  word: WORD,
  xdigit: setOf([code('0'), code('9')], [code('a'), code('f')], [code('A'), code('F')]),
};

/** The UTF-8 bytes of a character, as one node: what follows repeats all of them. */
export function characterNode(character: number, ignoreCase: boolean): PatternNode {
  if (character < 0x80) return ignoreCase ? foldedByte(character) : byteNode(character);
  return concat([...Buffer.from(String.fromCodePoint(character), 'utf8')].map((byte) => byteNode(byte)));
}
