/**
 * All regular patterns of a policy as one automaton (Thompson's construction): a state is a number, and what it does
 * stands in three arrays.
 */
import type { Assertion, ByteSet, PatternNode } from './ast.ts';
import { tooComplex } from './pattern-errors.ts';

export const STATE = { byte: 0, set: 1, split: 2, assertion: 3, accept: 4 } as const;

/** Counts repeat what they count. Real policies have under a million states; this is some tens of megabytes. */
const MAX_STATES = 4_000_000;
const MAX_PATTERN_STATES = 200_000;

export interface Nfa {
  readonly kinds: Uint8Array;
  /** By kind: the byte, index of the set, the other way to go, index of the assertion, index of the pattern. */
  readonly values: Int32Array;
  /** The state after it. */
  readonly next: Int32Array;
  readonly sets: readonly ByteSet[];
  readonly assertions: readonly Assertion[];
  /** Where each pattern begins. */
  readonly starts: readonly number[];
}

export interface NfaBuilder {
  /** `index` is what a match says. Throws `composefs/selinux-too-complex`. */
  add(pattern: PatternNode, index: number): void;
  finish(): Nfa;
}

/** Whether an automaton can run it. */
export function isRegular(node: PatternNode): boolean {
  switch (node.kind) {
    case 'concat':
    case 'alternation':
      return node.items.every(isRegular);
    case 'repeat':
      return node.mode !== 'possessive' && isRegular(node.item);
    case 'group':
      return isRegular(node.item);
    case 'atomic':
    case 'look':
    case 'reference':
      return false;
    case 'empty':
    case 'byte':
    case 'set':
    case 'assertion':
    default:
      return true;
  }
}

export function createNfaBuilder(): NfaBuilder {
  let kinds = new Uint8Array(4096);
  let values = new Int32Array(4096);
  let next = new Int32Array(4096);
  let count = 0;
  let limit = 0;
  const sets: ByteSet[] = [];
  const setIndexes = new Map<string, number>();
  const assertions: Assertion[] = [];
  const starts: number[] = [];

  function push(kind: number, value: number, after: number): number {
    if (count >= limit) throw tooComplex('a pattern with too large counts');
    if (count === kinds.length) {
      kinds = grown(kinds, new Uint8Array(2 * count));
      values = grown(values, new Int32Array(2 * count));
      next = grown(next, new Int32Array(2 * count));
    }
    kinds[count] = kind;
    values[count] = value;
    next[count] = after;
    return count++;
  }

  /** Built from the end: returns where the node begins, given where to go on after it. */
  function emit(node: PatternNode, after: number): number {
    switch (node.kind) {
      case 'byte':
        return push(STATE.byte, node.byte, after);
      case 'set':
        return push(STATE.set, setIndex(node.set), after);
      case 'concat':
        return node.items.reduceRight((rest, item) => emit(item, rest), after);
      case 'alternation': {
        const branches = node.items.map((item) => emit(item, after));
        return branches.reduceRight((other, branch) => push(STATE.split, other, branch));
      }
      case 'repeat':
        return repeat(node.item, node.min, node.max, after);
      case 'group':
        return emit(node.item, after);
      case 'assertion':
        return push(STATE.assertion, assertionIndex(node.what), after);
      case 'empty':
      case 'atomic':
      case 'look':
      case 'reference':
      default:
        return after;
    }
  }

  function repeat(item: PatternNode, min: number, max: number, after: number): number {
    let at = after;
    if (max === Infinity) {
      at = push(STATE.split, after, after);
      const body = emit(item, at);
      next[at] = body;
    } else {
      for (let copy = min; copy < max; copy++) {
        const body = emit(item, at);
        if (body === at) break;
        at = push(STATE.split, after, body);
      }
    }
    for (let copy = 0; copy < min; copy++) {
      const body = emit(item, at);
      if (body === at) break;
      at = body;
    }
    return at;
  }

  function setIndex(set: ByteSet): number {
    const key = set.join();
    let index = setIndexes.get(key);
    if (index === undefined) setIndexes.set(key, (index = sets.push(set) - 1));
    return index;
  }

  function assertionIndex(what: Assertion): number {
    const index = assertions.indexOf(what);
    return index < 0 ? assertions.push(what) - 1 : index;
  }

  function add(pattern: PatternNode, index: number): void {
    limit = Math.min(MAX_STATES, count + MAX_PATTERN_STATES);
    starts.push(emit(pattern, push(STATE.accept, index, -1)));
  }

  function finish(): Nfa {
    return {
      kinds: kinds.subarray(0, count),
      values: values.subarray(0, count),
      next: next.subarray(0, count),
      sets,
      assertions,
      starts,
    };
  }

  return { add, finish };
}

function grown<T extends Uint8Array | Int32Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}
