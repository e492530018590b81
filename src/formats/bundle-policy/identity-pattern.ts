/**
 * Patterns for the identity in a certificate, for example of a CI workflow on any branch. The notation is a part of
 * regular expressions: letters, `.`, classes, escapes, and `?` `*` `+` behind one of them. A pattern is always the
 * whole identity, its host is spelt out, and matching takes steps in proportion to pattern times text.
 */
import { BootsealError } from '../../errors.ts';

export interface IdentityPattern {
  readonly source: string;
  readonly atoms: readonly Atom[];
}

interface Atom {
  readonly accepts: (character: string) => boolean;
  readonly optional: boolean;
  readonly repeats: boolean;
}

const MAX_PATTERN = 1000;
/** URIs in certificates stay below 300 characters; a longer one matches nothing. */
const MAX_IDENTITY = 4096;

/** `^https://` and a host without any wildcard, its dots escaped, and a slash. */
const LITERAL_HOST = /^\^https:\/\/(?:[A-Za-z0-9-]|\\-|\\\.)+(?::\d+)?\//;

/** Throws `bundle-policy/pattern` with what to write instead. */
export function parseIdentityPattern(source: string): IdentityPattern {
  if (source.length > MAX_PATTERN) throw bad(`pattern of more than ${MAX_PATTERN} characters`);
  if (!source.startsWith('^') || !source.endsWith('$') || source.endsWith('\\$')) {
    throw bad(
      'a pattern that is not anchored would match inside of other identities',
      `write ^${source.replace(/^\^/, '').replace(/\$$/, '')}$`,
    );
  }
  if (!LITERAL_HOST.test(source)) {
    throw bad(
      'the host of a pattern must be spelt out',
      'begin with ^https://HOST/ and escape its dots: ^https://github\\.com/acme/os/\\.github/workflows/.*$',
    );
  }
  const atoms = parseAtoms(source.slice(1, -1));
  const path = source.slice((LITERAL_HOST.exec(source)?.[0] ?? '').length);
  // Whoever may use the host could otherwise choose everything that follows.
  if (!/^(?:[A-Za-z0-9_-]|\\[-._])+(?:\/|\$$)/.test(path)) {
    throw bad(
      'a pattern names at least the owner behind the host',
      'spell the first part of the path out: ^https://github\\.com/acme/.*$',
    );
  }
  return { source, atoms };
}

function parseAtoms(text: string): readonly Atom[] {
  const atoms: Atom[] = [];
  for (let at = 0; at < text.length;) {
    const { accepts, end } = readAtom(text, at);
    const quantifier = '?*+'.includes(text[end] ?? ' ') ? text[end] : '';
    at = end + quantifier.length;
    if ('?*+'.includes(text[at] ?? ' ')) throw bad('two quantifiers in a row');
    atoms.push({
      accepts,
      optional: '?*'.includes(quantifier || ' '),
      repeats: '*+'.includes(quantifier || ' '),
    });
  }
  return atoms;
}

function readAtom(text: string, at: number): { accepts: Atom['accepts']; end: number } {
  const character = text[at];
  if (character === '.') return { accepts: () => true, end: at + 1 };
  if (character === '\\') return { accepts: escaped(text[at + 1]), end: at + 2 };
  if (character === '[') return readClass(text, at);
  if ('^$|(){}?*+'.includes(character)) {
    throw bad(
      `${character} is not known here`,
      'use letters, dots, classes such as [0-9], and ? * + behind them',
    );
  }
  return { accepts: (other) => other === character, end: at + 1 };
}

function escaped(character: string | undefined): Atom['accepts'] {
  if (character === 'd') return (other) => /[0-9]/.test(other);
  if (character === undefined || /[A-Za-z0-9]/.test(character))
    throw bad(`\\${character ?? ''} is not known here`);
  return (other) => other === character;
}

function readClass(text: string, at: number): { accepts: Atom['accepts']; end: number } {
  const close = text.indexOf(']', at);
  const inside = /^\[(\^?)([^\]\\[]+)\]$/.exec(text.slice(at, close + 1));
  if (close < 0 || inside === null) throw bad('a class is written [a-z0-9] or [^/], without escapes in it');
  const ranges = [...inside[2].matchAll(/(.)-(.)|(.)/g)].map(([, from, to, one]): [string, string] =>
    one === undefined ? [from, to] : [one, one],
  );
  const has = (other: string): boolean => ranges.some(([from, to]) => other >= from && other <= to);
  return { accepts: inside[1] === '^' ? (other) => !has(other) : has, end: close + 1 };
}

/** Follows all readings at once: no text makes it go back. */
export function matchesPattern({ atoms }: IdentityPattern, identity: string): boolean {
  if (identity.length > MAX_IDENTITY) return false;
  let reached = skipping(new Set([0]), atoms);
  for (const character of identity) {
    const next = new Set<number>();
    for (const at of reached) {
      const atom = atoms[at];
      if (atom === undefined || !atom.accepts(character)) continue;
      next.add(at + 1);
      if (atom.repeats) next.add(at);
    }
    reached = skipping(next, atoms);
    if (reached.size === 0) return false;
  }
  return reached.has(atoms.length);
}

function skipping(reached: Set<number>, atoms: readonly Atom[]): Set<number> {
  // A set is walked in the order of insertion, those added meanwhile included.
  for (const at of reached) if (atoms[at]?.optional) reached.add(at + 1);
  return reached;
}

function bad(message: string, hint?: string): BootsealError {
  return new BootsealError('bundle-policy/pattern', `identity pattern: ${message}`, {
    ...(hint !== undefined && { hint }),
  });
}
