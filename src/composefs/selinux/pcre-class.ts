/** Bracketed classes and class escapes of PCRE2 10.46, in byte mode and with the tables of the C locale. */
import {
  addRange,
  DIGITS,
  emptySet,
  foldCase,
  negate,
  POSIX_CLASSES,
  setOf,
  SPACE,
  unite,
  WORD,
  type ByteSet,
} from './ast.ts';
import type { PcreScanner } from './pcre-scanner.ts';
import { badPattern, unsupportedPattern } from './pattern-errors.ts';

const HORIZONTAL = setOf([9, 9], [32, 32], [0xa0, 0xa0]);
const VERTICAL = setOf([10, 13], [0x85, 0x85]);
const CLASS_LETTERS: Readonly<Record<string, ByteSet>> = {
  d: DIGITS,
  D: negate(DIGITS),
  w: WORD,
  W: negate(WORD),
  s: SPACE,
  S: negate(SPACE),
  h: HORIZONTAL,
  H: negate(HORIZONTAL),
  v: VERTICAL,
  V: negate(VERTICAL),
};
const CONTROLS: Readonly<Record<string, number>> = { a: 7, e: 27, f: 12, n: 10, r: 13, t: 9 };

/** General categories, which Unicode has long stopped changing for the 256 characters that one byte can mean. */
const CATEGORY = /^(?:L[ulmot]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|Cc|Cf|Any)$/;

/** An escape that stands for one byte, or for a set of them: the same inside and outside of a class. */
export function pcreClassEscape(scanner: PcreScanner): number | ByteSet {
  const { text, at } = scanner;
  const letter = text[at + 1];
  if (letter === undefined) throw badPattern(at, 'the pattern ends in an escape');
  if (Object.hasOwn(CLASS_LETTERS, letter)) {
    scanner.at += 2;
    return CLASS_LETTERS[letter];
  }
  if (Object.hasOwn(CONTROLS, letter)) {
    scanner.at += 2;
    return CONTROLS[letter];
  }
  if (!/[0-9A-Za-z]/.test(letter)) {
    scanner.at += 2;
    return letter.charCodeAt(0);
  }
  // 1. Numbers, as octal or hexadecimal digits.
  const rest = text.slice(at, at + 64);
  const number = /^\\(?:([0-7]{1,3})|o\{([0-7]+)\}|x\{([0-9A-Fa-f]+)\}|x(?!\{)([0-9A-Fa-f]{0,2}))/.exec(rest);
  if (number !== null) {
    const [all, octal, braced, hexBraced, hex = ''] = number;
    const value = octal ?? braced;
    const byte =
      value === undefined ? Number.parseInt(hexBraced ?? (hex || '0'), 16) : Number.parseInt(value, 8);
    if (byte > 0xff) throw badPattern(at, 'a character that is no byte');
    scanner.at += all.length;
    return byte;
  }
  // 2. Control characters, by letter.
  const control = /^\\c([ -~])/.exec(rest);
  if (control !== null) {
    scanner.at += 3;
    return control[1].toUpperCase().charCodeAt(0) ^ 0x40;
  }
  throw badPattern(at, 'unknown escape');
}

/** `\p…` or `\P…`; the scanner stands at the letter. */
export function pcreProperty(scanner: PcreScanner): ByteSet {
  const match = /^([pP])(?:([A-Z])|\{(\^?)([A-Za-z&]{1,3})\})/.exec(
    scanner.text.slice(scanner.at, scanner.at + 16),
  );
  const name = match?.[2] ?? match?.[4] ?? '';
  if (match === null || !(name === 'L&' || CATEGORY.test(name)) || scanner.ignoreCase) {
    throw unsupportedPattern(scanner.at, 'this Unicode property');
  }
  const property = new RegExp(`\\p{${name === 'L&' ? 'LC' : name}}`, 'u');
  const set = emptySet();
  for (let byte = 0; byte < 256; byte++)
    if (property.test(String.fromCharCode(byte))) addRange(set, byte, byte);
  scanner.at += match[0].length;
  return (match[1] === 'P') !== (match[3] === '^') ? negate(set) : set;
}

/** The scanner stands at the opening bracket; afterwards behind the closing one. */
export function parsePcreClass(scanner: PcreScanner): ByteSet {
  const { text } = scanner;
  const start = scanner.at;
  // Not everything that begins like this is one, but what is one is refused by PCRE2.
  if (/^\[[:.=]/.test(text.slice(start, start + 2)))
    throw unsupportedPattern(start, 'a named class outside a class');
  scanner.at += 1;
  const negated = text[scanner.at] === '^';
  if (negated) scanner.at += 1;
  let set = emptySet();
  /**
   * What a hyphen would mean. `none`: itself. `from`: a range from `last`. `range`: it has come, and the end of the
   * range is awaited. `forbidden`: nothing after a set of characters, but itself before the bracket.
   */
  let hyphen: 'none' | 'from' | 'range' | 'forbidden' = 'none';
  let last = 0;

  for (let first = true; first || text[scanner.at] !== ']'; first = false) {
    const next = text[scanner.at];
    if (next === undefined) throw badPattern(start, 'the class is not closed');
    if (next === '-' && !first && hyphen !== 'none' && hyphen !== 'range') {
      scanner.at += 1;
      if (hyphen === 'forbidden' && text[scanner.at] !== ']')
        throw badPattern(scanner.at, 'a range from a class');
      if (text[scanner.at] === ']') addRange(set, 0x2d, 0x2d);
      else hyphen = 'range';
      continue;
    }
    const item = classItem(scanner);
    if (typeof item !== 'number') {
      if (hyphen === 'range') throw badPattern(scanner.at, 'a range up to a class');
      set = unite(set, item);
      hyphen = 'forbidden';
    } else if (hyphen === 'range') {
      if (item < last) throw badPattern(scanner.at, 'a range that runs backwards');
      addRange(set, last, item);
      hyphen = 'none';
    } else {
      addRange(set, item, item);
      last = item;
      hyphen = 'from';
    }
  }
  scanner.at += 1;
  if (scanner.ignoreCase) set = foldCase(set);
  return negated ? negate(set) : set;
}

function classItem(scanner: PcreScanner): number | ByteSet {
  const { text, at } = scanner;
  const next = text[at];
  if (next === '\\') {
    const letter = text[at + 1];
    if (letter === 'Q' || letter === 'E') throw unsupportedPattern(at, 'a quotation in a class');
    if (letter === 'p' || letter === 'P') {
      scanner.at += 1;
      return pcreProperty(scanner);
    }
    if (letter === 'b') {
      scanner.at += 2;
      return 8;
    }
    // Digits that are not octal, and what would be references outside.
    if (letter === '8' || letter === '9' || letter === 'g' || letter === 'k') {
      scanner.at += 2;
      return letter.charCodeAt(0);
    }
    return pcreClassEscape(scanner);
  }
  const posix = /^\[([:.=])/.exec(text.slice(at, at + 2));
  if (posix !== null) {
    const named = /^\[:(\^?)([a-z]+):\]/.exec(text.slice(at, at + 16));
    if (named === null || !Object.hasOwn(POSIX_CLASSES, named[2])) {
      throw unsupportedPattern(at, `"[${posix[1]}" in a class`);
    }
    scanner.at += named[0].length;
    const set = POSIX_CLASSES[named[2]];
    return named[1] === '' ? set : negate(set);
  }
  scanner.at += 1;
  return next.charCodeAt(0);
}
