/**
 * Runs the automaton of all patterns at once, deterministically: a set of its states is one state here, made when
 * first met and kept, within limits. One step per byte of a path is then one look-up, and the state after a folder's
 * path serves everything in the folder.
 */
import { hasByte } from './ast.ts';
import { holds, OUTSIDE } from './assertions.ts';
import { STATE, type Nfa } from './nfa.ts';
import { tooComplex } from './pattern-errors.ts';

/** States kept, and members of them all, before starting afresh: about 50 MB. */
const MAX_KEPT_STATES = 20_000;
const MAX_KEPT_MEMBERS = 4_000_000;
/** Members looked at while making states: half a minute's work. Real policies need a few million. */
const MAX_WORK = 2_000_000_000;

export interface DfaState {
  /** States of the automaton that wait for a byte or for what an assertion asks, in order. */
  readonly members: Int32Array;
  /** The byte before, where an assertion asks for it. */
  readonly before: number;
  /** The last pattern that has matched already, whatever follows; -1 for none. */
  readonly matched: number;
  /** By class of the next byte. */
  readonly after: (DfaState | undefined)[];
  final?: number;
  readonly generation: number;
}

export interface Dfa {
  readonly start: DfaState;
  /** The state after these bytes, one a character. Throws `composefs/selinux-too-complex`. */
  run(state: DfaState, bytes: string): DfaState;
  /** The last pattern that matches if the subject ends here; -1 for none. */
  final(state: DfaState): number;
}

export function createDfa(nfa: Nfa): Dfa {
  const { kinds, values, next, sets, assertions } = nfa;
  const looksBack = assertions.some((what) => what !== 'start' && what !== 'end');
  const classes = byteClasses(nfa);
  const classCount = 1 + Math.max(...classes);
  let table = new Map<number, DfaState[]>();
  let states = 0;
  let members = 0;
  let generation = 0;
  let work = 0;

  /** Members of the set being made, and marks of what has been seen for it. */
  const list = new Int32Array(kinds.length);
  const marks = new Int32Array(kinds.length);
  let listed = 0;
  let mark = 0;
  let matched = -1;
  const stack: number[] = [];

  /** Adds a state, and all that it leads to without a byte. */
  function add(state: number): void {
    stack.push(state);
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (marks[at] === mark) continue;
      marks[at] = mark;
      const kind = kinds[at];
      if (kind === STATE.split) {
        stack.push(values[at], next[at]);
      } else if (kind === STATE.accept) {
        if (values[at] > matched) matched = values[at];
      } else {
        list[listed++] = at;
      }
    }
  }

  function begin(already: number): void {
    mark += 1;
    listed = 0;
    matched = already;
  }

  /** The set with the assertions in it decided: those that hold give way to what comes after them. */
  function decided(state: DfaState, after: number): Int32Array {
    begin(state.matched);
    for (const member of state.members) add(member);
    // The list grows while it is gone through.
    for (let at = 0; at < listed; at++) {
      const member = list[at];
      if (kinds[member] === STATE.assertion && holds(assertions[values[member]], state.before, after)) {
        add(next[member]);
      }
    }
    work += listed;
    if (work > MAX_WORK)
      throw tooComplex('the patterns of the policy take too long on the paths of the image');
    return list.slice(0, listed);
  }

  function step(state: DfaState, byte: number): DfaState {
    const from = decided(state, byte);
    begin(matched);
    for (const member of from) {
      const kind = kinds[member];
      if (
        kind === STATE.byte
          ? values[member] === byte
          : kind === STATE.set && hasByte(sets[values[member]], byte)
      ) {
        add(next[member]);
      }
    }
    return intern(byte);
  }

  function intern(byte: number): DfaState {
    const found = list.slice(0, listed).sort();
    const before = looksBack ? byte : byte === OUTSIDE ? OUTSIDE : 0;
    let hash = (matched * 31 + before) | 0;
    for (const member of found) hash = (Math.imul(hash, 0x01000193) ^ member) | 0;
    const bucket = table.get(hash);
    const known = bucket?.find(
      (state) => state.matched === matched && state.before === before && same(state.members, found),
    );
    if (known !== undefined) return known;
    states += 1;
    members += found.length;
    if (states > MAX_KEPT_STATES || members > MAX_KEPT_MEMBERS) forget(found.length);
    const state: DfaState = {
      members: found,
      before,
      matched,
      after: Array.from<DfaState | undefined>({ length: classCount }),
      generation,
    };
    if (bucket === undefined || states === 1) table.set(hash, [state]);
    else bucket.push(state);
    return state;
  }

  function forget(keep: number): void {
    table = new Map();
    states = 1;
    members = keep;
    generation += 1;
  }

  /** A state from before the last {@link forget} would hold on to all of that time. */
  function current(state: DfaState): DfaState {
    if (state.generation === generation) return state;
    begin(state.matched);
    for (const member of state.members) list[listed++] = member;
    return intern(state.before);
  }

  function run(state: DfaState, bytes: string): DfaState {
    let now = current(state);
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes.charCodeAt(at);
      const known = now.after[classes[byte]];
      if (known !== undefined) {
        now = known;
        continue;
      }
      const made = step(now, byte);
      if (made.generation === now.generation) now.after[classes[byte]] = made;
      now = made;
    }
    return now;
  }

  function final(state: DfaState): number {
    if (state.final !== undefined) return state.final;
    decided(state, OUTSIDE);
    return (state.final = matched);
  }

  begin(-1);
  for (const state of nfa.starts) add(state);
  return { start: intern(OUTSIDE), run, final };
}

/** Bytes that no pattern tells apart have the same number. */
function byteClasses({ kinds, values, sets, assertions }: Nfa): Uint8Array {
  const single = new Set<number>();
  for (let state = 0; state < kinds.length; state++)
    if (kinds[state] === STATE.byte) single.add(values[state]);
  const looksBack = assertions.some((what) => what !== 'start' && what !== 'end');
  const numbers = new Map<string, number>();
  return Uint8Array.from({ length: 256 }, (_, byte) => {
    const key =
      looksBack || single.has(byte) ? `${byte}` : sets.map((set) => (hasByte(set, byte) ? 1 : 0)).join('');
    const own = looksBack || single.has(byte) ? `=${key}` : key;
    let number = numbers.get(own);
    if (number === undefined) numbers.set(own, (number = numbers.size));
    return number;
  });
}

function same(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((value, at) => value === b[at]);
}
