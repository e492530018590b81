/** Bracketed classes of the Rust crate regex-syntax: they nest, and know `&&`, `--` and `~~`. */
import {
  addRange,
  combineSets,
  emptySet,
  foldCase,
  MAX_DEPTH,
  negate,
  POSIX_CLASSES,
  unite,
  type ByteSet,
} from './ast.ts';
import { badPattern, unsupportedPattern } from './pattern-errors.ts';
import type { Primitive, RustScanner } from './rust-scanner.ts';

const OPERATIONS: Readonly<Record<string, (a: number, b: number) => number>> = {
  '&&': (a, b) => a & b,
  '--': (a, b) => a & ~b,
  '~~': (a, b) => a ^ b,
};

/** The scanner stands at the opening bracket; afterwards behind the closing one. */
export function parseRustClass(scanner: RustScanner): ByteSet {
  const { characters } = scanner;
  const start = scanner.at;
  if (scanner.flags.unicode) throw unsupportedPattern(start, 'a class in Unicode mode');
  if (++scanner.depth > MAX_DEPTH) throw unsupportedPattern(start, `more than ${MAX_DEPTH} nested classes`);
  const peek = (ahead = 0): string | undefined => characters[scanner.at + ahead];
  const fold = (set: ByteSet): ByteSet => (scanner.flags.ignoreCase ? foldCase(set) : set);

  scanner.at += 1;
  const negated = peek() === '^';
  if (negated) scanner.at += 1;

  // 1. Hyphens, or else one bracket, stand for themselves at the start.
  let union = emptySet();
  if (peek() === ']') {
    addCharacter(']');
  } else {
    while (peek() === '-') addCharacter('-');
  }

  // 2. Operators bind from the left, and weaker than standing side by side.
  let left: ByteSet | undefined;
  let operation = '';
  const apply = (): ByteSet =>
    left === undefined ? union : combineSets(fold(left), fold(union), OPERATIONS[operation]);
  for (let next = peek(); next !== ']'; next = peek()) {
    if (next === undefined || (next === '#' && scanner.flags.comments)) {
      throw badPattern(start, 'the class is not closed');
    }
    const pair = next + (peek(1) ?? '');
    if (Object.hasOwn(OPERATIONS, pair)) {
      left = apply();
      operation = pair;
      union = emptySet();
      scanner.at += 2;
    } else if (next === '[') {
      union = unite(union, namedClass() ?? parseRustClass(scanner));
    } else {
      range();
    }
  }
  scanner.at += 1;
  scanner.depth -= 1;

  // 3. Case is ignored before the class is turned round.
  const result = fold(apply());
  return negated ? negate(result) : result;

  function addCharacter(character: string): void {
    scanner.at += 1;
    const code = character.charCodeAt(0);
    addRange(union, code, code);
  }

  function namedClass(): ByteSet | undefined {
    const match = /^\[:(\^?)([^:]*):\]/.exec(characters.slice(scanner.at, scanner.at + 16).join(''));
    if (match === null || !Object.hasOwn(POSIX_CLASSES, match[2])) return undefined;
    scanner.at += match[0].length;
    const set = POSIX_CLASSES[match[2]];
    return match[1] === '' ? set : negate(set);
  }

  function range(): void {
    const at = scanner.at;
    const first = scanner.primitive();
    if (peek() === undefined) throw badPattern(start, 'the class is not closed');
    if (peek() !== '-' || peek(1) === ']' || peek(1) === '-') {
      if (first.kind === 'assertion') throw badPattern(at, 'an assertion in a class');
      if (first.kind === 'set') union = unite(union, first.set);
      else addRange(union, byteOf(first), byteOf(first));
      return;
    }
    scanner.at += 1;
    if (peek() === undefined || (peek() === '#' && scanner.flags.comments)) {
      throw badPattern(start, 'the class is not closed');
    }
    const last = scanner.primitive();
    const [from, to] = [byteOf(first), byteOf(last)];
    if (from > to) throw badPattern(at, 'a range that runs backwards');
    addRange(union, from, to);
  }

  function byteOf(primitive: Primitive): number {
    if (primitive.kind !== 'character') throw badPattern(scanner.at, 'a range between classes');
    // Only \xHH is a byte: any other character beyond ASCII would need Unicode mode.
    if (primitive.character > 0x7f && !primitive.raw)
      throw badPattern(scanner.at, 'a character beyond ASCII in a class');
    return primitive.character;
  }
}
