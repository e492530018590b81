/**
 * Which line of a policy a path matches: the last one that does. Patterns that Rust's regex crate parses match by its
 * rules, others by those of PCRE2, as in composefs-rs.
 */
import { BootsealError, isBootsealError, withDetails } from '../../errors.ts';
import { concat, emptySet, negate, setNode, type PatternNode } from './ast.ts';
import { compileBacktracking, type BacktrackMatcher, type StepBudget } from './backtrack.ts';
import { createDfa, type DfaState } from './dfa.ts';
import { createNfaBuilder, isRegular } from './nfa.ts';
import { isBadPattern } from './pattern-errors.ts';
import { parsePcrePattern } from './pcre-syntax.ts';
import { parseRustPattern } from './rust-syntax.ts';

export interface Spec {
  /** The pattern of the line, with what is put around it. */
  readonly pattern: string;
  /** For errors: file and line. */
  readonly where: string;
}

export interface SpecMatcher {
  /** The state after no bytes at all. */
  readonly start: DfaState;
  /** The state after some more bytes of a path, one a character. Throws `composefs/selinux-too-complex`. */
  run(state: DfaState, bytes: string): DfaState;
  /**
   * Index of the last line that matches a path and type; -1 for none. `state` is the one after the path, which is
   * asked for only where `needsPath` says so.
   */
  match(state: DfaState, type: string, path: string): number;
  readonly needsPath: boolean;
}

/** Steps of patterns that are tried one way after the other: a few seconds of them. */
const MAX_STEPS = 50_000_000;

interface Fallback {
  readonly index: number;
  readonly matches: BacktrackMatcher;
  readonly where: string;
}

/**
 * Throws `composefs/bad-selinux-pattern`, `composefs/selinux-pattern-unsupported`, `composefs/selinux-too-complex`,
 * each with file and line.
 */
export function compileSpecs(specs: readonly Spec[]): SpecMatcher {
  const builder = createNfaBuilder();
  const budget: StepBudget = { left: MAX_STEPS };
  const fallbacks: Fallback[] = [];
  for (const [index, { pattern, where }] of specs.entries()) {
    try {
      const { node, unanchored } = parse(pattern);
      if (!isRegular(node)) fallbacks.push({ index, matches: compileBacktracking(node, budget), where });
      else builder.add(unanchored ? concat([ANYTHING, node]) : node, index);
    } catch (error) {
      throw located(error, where);
    }
  }
  // The last line wins, so the last is asked first.
  fallbacks.reverse();
  const dfa = createDfa(builder.finish());

  function match(state: DfaState, type: string, path: string): number {
    const found = dfa.final(dfa.run(state, type));
    if (fallbacks.length === 0) return found;
    const subject = Buffer.from(path + type, 'latin1');
    for (const { index, matches, where } of fallbacks) {
      if (index < found) break;
      try {
        if (matches(subject)) return index;
      } catch (error) {
        throw located(error, where);
      }
    }
    return found;
  }

  return {
    start: dfa.start,
    run: (state, bytes) => dfa.run(state, bytes),
    match,
    needsPath: fallbacks.length > 0,
  };
}

const ANYTHING: PatternNode = {
  kind: 'repeat',
  item: setNode(negate(emptySet())),
  min: 0,
  max: Infinity,
  mode: 'lazy',
};

/** The first engine looks for a match at the start of the path only, the second anywhere. */
function parse(pattern: string): { node: PatternNode; unanchored: boolean } {
  try {
    return { node: parseRustPattern(pattern), unanchored: false };
  } catch (error) {
    if (!isBadPattern(error)) throw error;
    try {
      const node = parsePcrePattern(Buffer.from(pattern, 'utf8').toString('latin1'));
      return { node, unanchored: !beginsAtStart(node) };
    } catch (second) {
      if (!isBadPattern(second)) throw second;
      throw new BootsealError(
        'composefs/bad-selinux-pattern',
        `neither of the two engines takes the pattern: ${error.message}; ${second.message}`,
        { hint: 'composefs-rs refuses such a policy as well; mend the line' },
      );
    }
  }
}

function beginsAtStart(node: PatternNode): boolean {
  if (node.kind === 'concat') return beginsAtStart(node.items[0]);
  return node.kind === 'assertion' && node.what === 'start';
}

function located(error: unknown, where: string): unknown {
  return isBootsealError(error) ? withDetails(error, { where }) : error;
}
