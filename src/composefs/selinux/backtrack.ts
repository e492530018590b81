/**
 * Runs a pattern that is not regular (look-around, back-references, atomic groups) the way PCRE2 does: by trying one
 * way after the other. That can take for ever, so every step is counted.
 */
import { hasByte, type PatternNode, type RepeatNode } from './ast.ts';
import { holds, OUTSIDE } from './assertions.ts';
import { lengthsOf } from './pcre-length.ts';
import { tooComplex } from './pattern-errors.ts';

/** Shared by all patterns of a policy. */
export interface StepBudget {
  left: number;
}

export type BacktrackMatcher = (subject: Uint8Array) => boolean;

/** Says whether the rest of the pattern matches from a place on. */
type Matcher = (at: number) => boolean;

/** The matcher throws `composefs/selinux-too-complex` once the budget is spent. */
export function compileBacktracking(pattern: PatternNode, budget: StepBudget): BacktrackMatcher {
  let subject: Uint8Array = new Uint8Array(0);
  /** Start and end of each group; -1 where it has matched nothing. */
  let starts: number[] = [];
  let ends: number[] = [];

  function step(): void {
    if ((budget.left -= 1) < 0)
      throw tooComplex('too many ways to match patterns with look-around or references');
  }

  function compile(node: PatternNode, next: Matcher): Matcher {
    switch (node.kind) {
      case 'byte':
        return (at) => subject[at] === node.byte && next(at + 1);
      case 'set':
        return (at) => at < subject.length && hasByte(node.set, subject[at]) && next(at + 1);
      case 'concat':
        return node.items.reduceRight<Matcher>((rest, item) => compile(item, rest), next);
      case 'alternation': {
        const branches = node.items.map((item) => compile(item, next));
        return (at) => {
          step();
          return branches.some((branch) => branch(at));
        };
      }
      case 'repeat':
        if (node.mode === 'possessive') return atomic({ ...node, mode: 'greedy' }, next);
        return node.item.kind === 'byte' || node.item.kind === 'set'
          ? run(
              node,
              compile(node.item, () => true),
              next,
            )
          : loop(node, next);
      case 'group':
        return group(node.index, node.item, next);
      case 'atomic':
        return atomic(node.item, next);
      case 'look':
        return node.behind
          ? lookBehind(node.item, node.negative, next)
          : lookAhead(node.item, node.negative, next);
      case 'assertion':
        return (at) =>
          holds(node.what, at === 0 ? OUTSIDE : subject[at - 1], subject[at] ?? OUTSIDE) && next(at);
      case 'reference':
        return reference(node.index, node.ignoreCase, next);
      case 'empty':
      default:
        return next;
    }
  }

  /** Of single bytes: no recursion. */
  function run({ min, max, mode }: RepeatNode, single: Matcher, next: Matcher): Matcher {
    return (at) => {
      let count = 0;
      const more = (): boolean => count < max && single(at + count);
      while (count < min && more()) count += 1;
      if (count < min) return false;
      if (mode === 'greedy') {
        while (more()) count += 1;
        for (; count >= min; count--) {
          step();
          if (next(at + count)) return true;
        }
        return false;
      }
      for (;;) {
        step();
        if (next(at + count)) return true;
        if (!more()) return false;
        count += 1;
      }
    };
  }

  function loop({ item, min, max, mode }: RepeatNode, next: Matcher): Matcher {
    let count = 0;
    let start = -1;
    const body = compile(item, (at) => {
      // An empty round ends the loop.
      if (at === start && count >= min) return next(at);
      return around(at);
    });
    function around(at: number): boolean {
      step();
      const [savedCount, savedStart] = [count, start];
      const again = (): boolean => {
        if (count >= max) return false;
        count += 1;
        start = at;
        if (body(at)) return true;
        [count, start] = [savedCount, savedStart];
        return false;
      };
      if (mode === 'greedy') return again() || (count >= min && next(at));
      return (count >= min && next(at)) || again();
    }
    return (at) => {
      const [savedCount, savedStart] = [count, start];
      [count, start] = [0, -1];
      if (around(at)) return true;
      [count, start] = [savedCount, savedStart];
      return false;
    };
  }

  function group(index: number, item: PatternNode, next: Matcher): Matcher {
    let open = -1;
    const inner = compile(item, (at) => {
      const saved = [starts[index], ends[index], open];
      starts[index] = open;
      ends[index] = at;
      if (next(at)) return true;
      [starts[index], ends[index], open] = saved;
      return false;
    });
    return (at) => {
      const saved = open;
      open = at;
      if (inner(at)) return true;
      open = saved;
      return false;
    };
  }

  /** Runs something on its own; undoes what its groups matched unless all goes well afterwards. */
  function alone(action: () => boolean): boolean {
    const saved = [starts, ends];
    [starts, ends] = [starts.slice(), ends.slice()];
    if (action()) return true;
    [starts, ends] = saved;
    return false;
  }

  function atomic(item: PatternNode, next: Matcher): Matcher {
    let end = 0;
    const inner = compile(item, (at) => {
      end = at;
      return true;
    });
    return (at) => alone(() => inner(at) && next(end));
  }

  function lookAhead(item: PatternNode, negative: boolean, next: Matcher): Matcher {
    const inner = compile(item, () => true);
    return look(inner, negative, next);
  }

  function lookBehind(item: PatternNode, negative: boolean, next: Matcher): Matcher {
    let place = 0;
    const branches = (item.kind === 'alternation' ? item.items : [item]).map((branch) => ({
      lengths: lengthsOf(branch),
      matcher: compile(branch, (at) => at === place),
    }));
    const inner = (at: number): boolean => {
      const saved = place;
      place = at;
      const found = branches.some(({ lengths: [min, max], matcher }) => {
        for (let length = Math.min(max, at); length >= min; length--) {
          step();
          if (matcher(at - length)) return true;
        }
        return false;
      });
      place = saved;
      return found;
    };
    return look(inner, negative, next);
  }

  function look(inner: Matcher, negative: boolean, next: Matcher): Matcher {
    if (!negative) return (at) => alone(() => inner(at) && next(at));
    return (at) => {
      let found = false;
      alone(() => {
        found = inner(at);
        return false;
      });
      return !found && next(at);
    };
  }

  /** To a group that has matched nothing yet, there is no match: not even an empty one. */
  function reference(index: number, ignoreCase: boolean, next: Matcher): Matcher {
    return (at) => {
      const start = starts[index] ?? -1;
      if (start < 0) return false;
      const length = ends[index] - start;
      for (let offset = 0; offset < length; offset++) {
        step();
        const [a, b] = [subject[start + offset], subject[at + offset]];
        if (a !== b && !(ignoreCase && b !== undefined && lower(a) === lower(b))) return false;
      }
      return next(at + length);
    };
  }

  const matcher = compile(pattern, () => true);
  return (bytes) => {
    subject = bytes;
    for (let at = 0; at <= bytes.length; at++) {
      step();
      starts = [];
      ends = [];
      try {
        if (matcher(at)) return true;
      } catch (error) {
        if (error instanceof RangeError) throw tooComplex('a pattern that nests too deep on a path');
        throw error;
      }
    }
    return false;
  };
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}
