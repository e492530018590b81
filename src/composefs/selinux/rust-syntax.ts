/**
 * Parses a pattern as the Rust crate regex-syntax 0.8 does with Unicode off, UTF-8 not demanded and NUL as line
 * terminator: the first of the two engines that composefs-rs labels files with. What this refuses goes to the second,
 * so it must refuse neither more nor less.
 *
 * Patterns hold no white space (the file is split at it), which leaves nothing of mode `x` but comments.
 */
import {
  addRange,
  alternation,
  byteNode,
  characterNode,
  concat,
  DIGITS,
  EMPTY,
  emptySet,
  MAX_DEPTH,
  negate,
  setNode,
  SPACE,
  WORD,
  type Assertion,
  type ByteSet,
  type PatternNode,
} from './ast.ts';
import { badPattern, unsupportedPattern } from './pattern-errors.ts';
import { parseRustClass } from './rust-class.ts';
import type { Primitive, RustFlags, RustScanner } from './rust-scanner.ts';

const NO_FLAGS: RustFlags = {
  ignoreCase: false,
  multiLine: false,
  dotAll: false,
  unicode: false,
  crlf: false,
  comments: false,
};

const FLAG_NAMES: Readonly<Record<string, keyof RustFlags | 'swapGreed'>> = {
  i: 'ignoreCase',
  m: 'multiLine',
  s: 'dotAll',
  U: 'swapGreed',
  u: 'unicode',
  R: 'crlf',
  x: 'comments',
};

const CONTROLS: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 };
const ASSERTIONS: Readonly<Record<string, Assertion>> = {
  A: 'start',
  z: 'end',
  B: 'not-word',
  '<': 'word-start',
  '>': 'word-end',
};
const WORD_BOUNDARIES: Readonly<Record<string, Assertion>> = {
  start: 'word-start',
  end: 'word-end',
  'start-half': 'word-start-half',
  'end-half': 'word-end-half',
};
const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };
const MAX_COUNT = 0xffffffff;

/** Throws `composefs/bad-selinux-pattern`, `composefs/selinux-pattern-unsupported`. */
export function parseRustPattern(pattern: string): PatternNode {
  const characters = Array.from(pattern);
  const names = new Set<string>();
  let groups = 0;
  const scanner: RustScanner = { characters, at: 0, depth: 0, flags: NO_FLAGS, primitive };

  const peek = (ahead = 0): string | undefined => characters[scanner.at + ahead];
  const bad = (what: string): Error => badPattern(scanner.at, what);

  function take(text: string): boolean {
    if (characters.slice(scanner.at, scanner.at + text.length).join('') !== text) return false;
    scanner.at += text.length;
    return true;
  }

  /** Up to the closing parenthesis, or the end. */
  function alternatives(): PatternNode {
    const branches: PatternNode[] = [];
    let items: PatternNode[] = [];
    /** Whether a count may follow the last item. */
    let repeatable = false;
    for (let next = peek(); next !== undefined && next !== ')'; next = peek()) {
      switch (next) {
        case '|':
          scanner.at += 1;
          branches.push(concat(items));
          items = [];
          repeatable = false;
          break;
        case '(': {
          const node = group();
          repeatable = node !== undefined;
          if (node !== undefined) items.push(node);
          break;
        }
        case '?':
        case '*':
        case '+':
        case '{': {
          const item = items.pop();
          if (item === undefined || !repeatable) throw bad('nothing to repeat');
          items.push(repetition(item, next));
          break;
        }
        case '[':
          items.push(setNode(parseRustClass(scanner)));
          repeatable = true;
          break;
        default:
          items.push(single(next));
          repeatable = true;
      }
    }
    branches.push(concat(items));
    return alternation(branches);
  }

  function single(next: string): PatternNode {
    const { ignoreCase, multiLine, dotAll, unicode, crlf, comments } = scanner.flags;
    if (next === '#' && comments) throw bad('a comment up to the end leaves the group open');
    if (next === '.') {
      if (unicode) throw unsupportedPattern(scanner.at, '"." in Unicode mode');
      scanner.at += 1;
      if (dotAll) return setNode(negate(emptySet()));
      const excluded = crlf ? addRange(addRange(emptySet(), 10, 10), 13, 13) : addRange(emptySet(), 0, 0);
      return setNode(negate(excluded));
    }
    if (next === '^' || next === '$') {
      scanner.at += 1;
      const [text, line, lineCrlf] =
        next === '^'
          ? (['start', 'line-start', 'line-start-crlf'] as const)
          : (['end', 'line-end', 'line-end-crlf'] as const);
      return { kind: 'assertion', what: multiLine ? (crlf ? lineCrlf : line) : text };
    }
    const start = scanner.at;
    const found = primitive();
    if (found.kind === 'character') {
      const { character, raw } = found;
      if (raw && !unicode && character > 0x7f) return byteNode(character);
      if (ignoreCase && unicode) throw unsupportedPattern(start, 'ignoring case in Unicode mode');
      return characterNode(character, ignoreCase);
    }
    if (unicode && !(found.kind === 'assertion' && (found.what === 'start' || found.what === 'end'))) {
      throw unsupportedPattern(start, 'a class or word boundary in Unicode mode');
    }
    return found.kind === 'set' ? setNode(found.set) : { kind: 'assertion', what: found.what };
  }

  /** Undefined where it only sets flags. */
  function group(): PatternNode | undefined {
    const start = scanner.at;
    scanner.at += 1;
    for (const look of ['?=', '?!', '?<=', '?<!']) {
      if (take(look)) throw bad('look-around');
    }
    const outer = scanner.flags;
    let index = 0;
    if (take('?P<') || take('?<')) {
      groupName();
      index = ++groups;
    } else if (take('?')) {
      const flags = flagList();
      if (take(')')) {
        if (flags === undefined) throw bad('no flags');
        scanner.flags = flags;
        return undefined;
      }
      scanner.at += 1;
      scanner.flags = flags ?? outer;
    } else {
      index = ++groups;
    }
    if (++scanner.depth > MAX_DEPTH) throw unsupportedPattern(start, `more than ${MAX_DEPTH} nested groups`);
    const item = alternatives();
    if (!take(')')) throw badPattern(start, 'the group is not closed');
    scanner.depth -= 1;
    scanner.flags = outer;
    return index === 0 ? item : { kind: 'group', index, item };
  }

  function groupName(): void {
    const end = characters.indexOf('>', scanner.at);
    const name = characters.slice(scanner.at, end < 0 ? undefined : end).join('');
    if (end < 0 || !/^[_\p{Alphabetic}][_.[\]\p{Alphabetic}\p{N}]*$/u.test(name))
      throw bad('bad name of a group');
    if (names.has(name)) throw bad('two groups of one name');
    names.add(name);
    scanner.at = end + 1;
  }

  /** Up to the `:` or `)`, which stays. Undefined when there are none. */
  function flagList(): RustFlags | undefined {
    const seen = new Set<string>();
    const changes: Partial<Record<string, boolean>> = {};
    let value = true;
    let last = '';
    for (let next = peek(); next !== ':' && next !== ')'; next = peek()) {
      if (next === undefined || seen.has(next)) throw bad('bad flags');
      seen.add(next);
      if (next === '-') value = false;
      else if (Object.hasOwn(FLAG_NAMES, next)) changes[FLAG_NAMES[next]] = value;
      else throw bad(`unknown flag`);
      last = next;
      scanner.at += 1;
    }
    if (last === '-') throw bad('no flag after "-"');
    return seen.size === 0 ? undefined : { ...scanner.flags, ...changes };
  }

  /** Greedy or not makes no difference to whether there is a match. */
  function repetition(item: PatternNode, operator: string): PatternNode {
    let min = operator === '+' ? 1 : 0;
    let max = operator === '?' ? 1 : Infinity;
    scanner.at += 1;
    if (operator === '{') [min, max] = counts();
    if (peek() === '?') scanner.at += 1;
    return { kind: 'repeat', item, min, max, mode: 'greedy' };
  }

  function counts(): [min: number, max: number] {
    const min = decimal();
    let max = min;
    if (take(',')) max = peek() === '}' ? Infinity : decimal();
    if (!take('}') || min > max) throw bad('bad count');
    return [min, max];
  }

  function decimal(): number {
    let digits = '';
    for (let next = peek(); next !== undefined && next >= '0' && next <= '9'; next = peek()) {
      digits += next;
      scanner.at += 1;
    }
    if (digits === '' || Number(digits) > MAX_COUNT) throw bad('bad count');
    return Number(digits);
  }

  function primitive(): Primitive {
    const next = peek()!;
    scanner.at += 1;
    if (next !== '\\') return { kind: 'character', character: next.codePointAt(0)!, raw: false };
    const escaped = peek();
    if (escaped === undefined) throw bad('the pattern ends in an escape');
    scanner.at += 1;
    if (Object.hasOwn(HEX_DIGITS, escaped)) return hex(escaped);
    const perl = perlClass(escaped);
    if (perl !== undefined) return { kind: 'set', set: perl };
    // Anything ASCII but letters and digits stands for itself; "<" and ">" do not.
    if (/^[\0-\x7f]$/.test(escaped) && !/[0-9A-Za-z<>]/.test(escaped))
      return { kind: 'character', character: escaped.codePointAt(0)!, raw: false };
    if (Object.hasOwn(CONTROLS, escaped))
      return { kind: 'character', character: CONTROLS[escaped], raw: false };
    if (Object.hasOwn(ASSERTIONS, escaped)) return { kind: 'assertion', what: ASSERTIONS[escaped] };
    if (escaped === 'b') return { kind: 'assertion', what: wordBoundary() };
    if ((escaped === 'p' || escaped === 'P') && scanner.flags.unicode)
      throw unsupportedPattern(scanner.at, 'a Unicode class');
    throw badPattern(scanner.at - 2, `unknown escape`);
  }

  function wordBoundary(): Assertion {
    if (peek() !== '{') return 'word';
    const match = /^\{([A-Za-z-]*)(\}?)/.exec(characters.slice(scanner.at, scanner.at + 64).join(''))!;
    // Something like \b{5}: a count, if anything follows at all.
    if (match[1] === '' && peek(1) !== undefined) return 'word';
    if (match[2] === '' || !Object.hasOwn(WORD_BOUNDARIES, match[1])) throw bad('unknown word boundary');
    scanner.at += match[0].length;
    return WORD_BOUNDARIES[match[1]];
  }

  function hex(kind: string): Primitive {
    let digits = '';
    let raw = false;
    if (take('{')) {
      for (let next = peek(); next !== '}'; next = peek()) {
        if (next === undefined) throw bad('the escape does not end');
        digits += next;
        scanner.at += 1;
      }
      scanner.at += 1;
    } else {
      digits = characters.slice(scanner.at, scanner.at + HEX_DIGITS[kind]).join('');
      if (digits.length < HEX_DIGITS[kind]) throw bad('the escape does not end');
      scanner.at += HEX_DIGITS[kind];
      raw = kind === 'x';
    }
    const character = /^[0-9A-Fa-f]+$/.test(digits) ? Number.parseInt(digits, 16) : Number.NaN;
    if (!(character <= 0x10ffff) || (character >= 0xd800 && character <= 0xdfff))
      throw bad('bad hexadecimal escape');
    return { kind: 'character', character, raw };
  }

  const node = alternatives();
  if (scanner.at < characters.length) throw bad('a closing parenthesis without an opening one');
  return node.kind === 'alternation' && node.items.length === 0 ? EMPTY : node;
}

function perlClass(letter: string): ByteSet | undefined {
  switch (letter) {
    case 'd':
      return DIGITS;
    case 'D':
      return negate(DIGITS);
    case 'w':
      return WORD;
    case 'W':
      return negate(WORD);
    case 's':
      return SPACE;
    case 'S':
      return negate(SPACE);
    default:
      return undefined;
  }
}
