/**
 * Parses a pattern as PCRE2 10.46 does in byte mode without any option: the second engine of composefs-rs, for what
 * the first one refuses. See pcre2pattern(3). What PCRE2 has and this has not is refused by name: recursion,
 * conditions, verbs, callouts, branch reset, Unicode scripts.
 */
import {
  alternation,
  byteNode,
  concat,
  emptySet,
  foldedByte,
  MAX_DEPTH,
  negate,
  setNode,
  setOf,
  type PatternNode,
  type RepeatNode,
} from './ast.ts';
import { checkLookBehind } from './pcre-length.ts';
import { parsePcreClass, pcreClassEscape, pcreProperty } from './pcre-class.ts';
import type { PcreScanner } from './pcre-scanner.ts';
import { badPattern, unsupportedPattern } from './pattern-errors.ts';

interface PcreFlags {
  readonly i: boolean;
  readonly m: boolean;
  readonly s: boolean;
  readonly x: boolean;
  readonly n: boolean;
  readonly U: boolean;
}

const NO_FLAGS: PcreFlags = { i: false, m: false, s: false, x: false, n: false, U: false };
const MAX_COUNT = 65535;
const NEWLINE = setOf([10, 10]);
/** \R: carriage return and line feed together, or one vertical space. */
const LINE_END: PatternNode = {
  kind: 'atomic',
  item: alternation([concat([byteNode(13), byteNode(10)]), setNode(setOf([10, 13], [0x85, 0x85]))]),
};

interface Reference {
  readonly at: number;
  readonly to: number | string;
  readonly node: { kind: 'reference'; index: number; ignoreCase: boolean };
}

/** `pattern` has a byte a character. Throws `composefs/bad-selinux-pattern`, `composefs/selinux-pattern-unsupported`. */
export function parsePcrePattern(pattern: string): PatternNode {
  const scanner: PcreScanner = { text: pattern, at: 0, ignoreCase: false };
  const names = new Map<string, number>();
  const references: Reference[] = [];
  let flags = NO_FLAGS;
  let groups = 0;
  let depth = 0;

  const rest = (): string => pattern.slice(scanner.at, scanner.at + 256);
  const bad = (what: string): Error => badPattern(scanner.at, what);
  const unsupported = (what: string): Error => unsupportedPattern(scanner.at, what);

  function take(expected: string): boolean {
    if (!pattern.startsWith(expected, scanner.at)) return false;
    scanner.at += expected.length;
    return true;
  }

  /** What a sticky match finds here, which is then behind. */
  function takeMatch(expression: RegExp): RegExpExecArray | undefined {
    const match = expression.exec(rest());
    if (match === null || match.index !== 0) return undefined;
    scanner.at += match[0].length;
    return match;
  }

  function alternatives(): PatternNode {
    const branches: PatternNode[] = [];
    let items: PatternNode[] = [];
    /** Between \Q and \E. */
    let quoted = false;
    let repeatable = false;
    while (scanner.at < pattern.length && (quoted || pattern[scanner.at] !== ')')) {
      if (take('\\E')) {
        quoted = false;
      } else if (quoted) {
        items.push(literal(pattern.charCodeAt(scanner.at)));
        scanner.at += 1;
        repeatable = true;
      } else if (take('\\Q')) {
        quoted = true;
      } else if (takeMatch(/^\(\?#[^)]*\)/) !== undefined) {
        // A comment may stand between an item and its count.
      } else if (flags.x && pattern[scanner.at] === '#') {
        // There are no newlines in a pattern to end it.
        scanner.at = pattern.length;
      } else if (take('|')) {
        branches.push(concat(items));
        items = [];
        repeatable = false;
      } else {
        repeatable = countOrItem(items, repeatable);
      }
    }
    branches.push(concat(items));
    return alternation(branches);
  }

  /** Returns whether a count may follow. */
  function countOrItem(items: PatternNode[], repeatable: boolean): boolean {
    const count = takeCount();
    if (count !== undefined) {
      const item = items.pop();
      if (item === undefined || !repeatable) throw bad('nothing to repeat');
      items.push({ kind: 'repeat', item, ...count });
      return false;
    }
    const item = one();
    if (item !== undefined) items.push(item);
    return item !== undefined && item.kind !== 'assertion';
  }

  /** A brace that is no count is a character. */
  function takeCount(): Omit<RepeatNode, 'kind' | 'item'> | undefined {
    const match = takeMatch(/^(?:([?*+])|\{(\d+)(?:(,)(\d*))?\}|\{,(\d+)\})([?+]?)/);
    if (match === undefined) return undefined;
    const [, operator, from, comma, to, upTo, suffix] = match;
    let min = operator === '+' ? 1 : 0;
    let max = operator === '?' ? 1 : Infinity;
    if (operator === undefined) {
      min = Number(from ?? 0);
      max = upTo !== undefined ? Number(upTo) : comma === undefined ? min : to === '' ? Infinity : Number(to);
      if (min > MAX_COUNT || (max !== Infinity && max > MAX_COUNT) || min > max) throw bad('bad count');
    }
    const mode = suffix === '+' ? 'possessive' : (suffix === '?') !== flags.U ? 'lazy' : 'greedy';
    return { min, max, mode };
  }

  function one(): PatternNode | undefined {
    const next = pattern[scanner.at];
    if (next === '(') return group();
    if (next === '[') {
      scanner.ignoreCase = flags.i;
      return setNode(parsePcreClass(scanner));
    }
    if (next === '\\') return escape();
    scanner.at += 1;
    if (next === '.') return setNode(flags.s ? negate(emptySet()) : negate(NEWLINE));
    if (next === '^') return { kind: 'assertion', what: flags.m ? 'line-start' : 'start' };
    // The subject never ends in a newline, so before a last newline is nowhere.
    if (next === '$') return { kind: 'assertion', what: flags.m ? 'line-end' : 'end' };
    return literal(next.charCodeAt(0));
  }

  function literal(byte: number): PatternNode {
    return flags.i ? foldedByte(byte) : byteNode(byte);
  }

  function group(): PatternNode | undefined {
    const start = scanner.at;
    scanner.at += 1;
    if (pattern[scanner.at] === '*') throw unsupported('a verb or named assertion (*…)');
    const outer = flags;
    let wrap = (item: PatternNode): PatternNode => item;
    const named = takeMatch(/^\?(?:P?<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')/);
    if (named !== undefined) {
      const name = named[1] ?? named[2];
      if (names.has(name) || name.length > 128) throw bad('bad name of a group');
      groups += 1;
      names.set(name, groups);
      wrap = capture(groups);
    } else if (pattern[scanner.at] !== '?') {
      if (!flags.n) wrap = capture(++groups);
    } else if (take('?:')) {
      // Nothing but brackets.
    } else if (take('?>')) {
      wrap = (item) => ({ kind: 'atomic', item });
    } else {
      const look = takeMatch(/^\?(<?)([=!])/);
      const reference = takeMatch(/^\?P=([A-Za-z_]\w*)\)/);
      if (reference !== undefined) return backReference(start, reference[1]);
      if (look !== undefined) {
        const [behind, negative] = [look[1] === '<', look[2] === '!'];
        wrap = (item) => {
          if (behind) checkLookBehind(item, start);
          return { kind: 'look', behind, negative, item };
        };
      } else {
        const changed = takeFlags();
        if (take(')')) {
          flags = changed;
          return undefined;
        }
        if (!take(':')) throw bad('unknown kind of group');
        flags = changed;
      }
    }
    if (++depth > MAX_DEPTH) throw unsupportedPattern(start, `more than ${MAX_DEPTH} nested groups`);
    const item = alternatives();
    if (!take(')')) throw badPattern(start, 'the group is not closed');
    depth -= 1;
    flags = outer;
    return wrap(item);
  }

  function capture(index: number): (item: PatternNode) => PatternNode {
    return (item) => ({ kind: 'group', index, item });
  }

  function takeFlags(): PcreFlags {
    if (!/^\?\^?(?:[imsxnU]|-[imsxnU]|-$|-[:)]|[:)])/.test(rest())) {
      throw unsupported('this kind of group (recursion, condition, callout, branch reset, …)');
    }
    const match = takeMatch(/^\?(\^?)([imsxnU]*)(?:(-)([imsxnU]*))?(?=[:)])/);
    if (match === undefined) throw unsupported('this list of flags');
    const [, reset, on, hyphen, off = ''] = match;
    if (reset !== '' && hyphen !== undefined) throw bad('bad flags');
    const result: Record<string, boolean> = { ...(reset === '' ? flags : { ...NO_FLAGS, U: flags.U }) };
    for (const flag of on) result[flag] = true;
    for (const flag of off) result[flag] = false;
    return result as unknown as PcreFlags;
  }

  function escape(): PatternNode {
    const start = scanner.at;
    const reference =
      takeMatch(/^\\g(?:\{([+-]?\d+)\}|([+-]?\d+))/) ??
      takeMatch(/^\\(?:g\{([A-Za-z_]\w*)\}|k\{([A-Za-z_]\w*)\}|k<([A-Za-z_]\w*)>|k'([A-Za-z_]\w*)')/);
    if (reference !== undefined)
      return backReference(
        start,
        reference.slice(1).find((part) => part !== undefined)!,
      );
    // 1. A number is a reference when it is below 10, begins with 8 or 9, or there are that many groups so far; else
    //    it is octal.
    const digits = /^\\([1-9]\d*)/.exec(rest());
    if (digits !== null && (/^[1-9]$|^[89]/.test(digits[1]) || Number(digits[1]) <= groups)) {
      scanner.at += digits[0].length;
      return backReference(start, digits[1]);
    }
    const letter = pattern[scanner.at + 1];
    switch (letter) {
      case 'A':
      case 'G':
        scanner.at += 2;
        return { kind: 'assertion', what: 'start' };
      case 'Z':
      case 'z':
        scanner.at += 2;
        return { kind: 'assertion', what: 'end' };
      case 'b':
      case 'B':
        scanner.at += 2;
        return { kind: 'assertion', what: letter === 'b' ? 'word' : 'not-word' };
      case 'R':
        scanner.at += 2;
        return LINE_END;
      case 'N':
        scanner.at += 2;
        if (pattern[scanner.at] === '{') throw unsupported('\\N{…}');
        return setNode(negate(NEWLINE));
      case 'C':
        scanner.at += 2;
        return setNode(negate(emptySet()));
      case 'K':
      case 'X':
        throw unsupported(`\\${letter}`);
      case 'p':
      case 'P':
        scanner.at += 1;
        return setNode(pcreProperty(scanner));
      default: {
        const found = pcreClassEscape(scanner);
        return typeof found === 'number' ? literal(found) : setNode(found);
      }
    }
  }

  function backReference(at: number, target: string): PatternNode {
    const relative = /^[+-]/.test(target);
    const number = Number(target);
    const to = Number.isNaN(number)
      ? target
      : relative
        ? (number < 0 ? groups + 1 : groups) + number
        : number;
    const node = { kind: 'reference' as const, index: 0, ignoreCase: flags.i };
    references.push({ at, to, node });
    return node;
  }

  const node = alternatives();
  if (scanner.at < pattern.length) throw bad('a closing parenthesis without an opening one');
  // 2. References may be to groups that come later.
  for (const { at, to, node: reference } of references) {
    const index = typeof to === 'string' ? names.get(to) : to;
    if (index === undefined || index < 1 || index > groups) throw badPattern(at, 'a reference to no group');
    reference.index = index;
  }
  return node;
}
