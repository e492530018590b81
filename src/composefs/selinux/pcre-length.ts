/** How many bytes a pattern can match: look-behind needs to know how far back to go. */
import type { PatternNode } from './ast.ts';
import { badPattern, unsupportedPattern } from './pattern-errors.ts';

/** What PCRE2 allows a branch of one length, and one of several. */
const MAX_FIXED = 65535;
const MAX_VARIABLE = 255;

/** Infinity for no bound. */
export function lengthsOf(node: PatternNode): [min: number, max: number] {
  switch (node.kind) {
    case 'byte':
    case 'set':
      return [1, 1];
    case 'concat':
      return node.items.map(lengthsOf).reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
    case 'alternation':
      return node.items.map(lengthsOf).reduce(([a, b], [c, d]) => [Math.min(a, c), Math.max(b, d)]);
    case 'repeat': {
      const [min, max] = lengthsOf(node.item);
      return [min * node.min, max === 0 ? 0 : max * node.max];
    }
    case 'group':
    case 'atomic':
      return lengthsOf(node.item);
    case 'reference':
      return [0, Infinity];
    case 'empty':
    case 'assertion':
    case 'look':
    default:
      return [0, 0];
  }
}

/** Throws as {@link badPattern} or {@link unsupportedPattern} for a look-behind that PCRE2 does not take. */
export function checkLookBehind(item: PatternNode, offset: number): void {
  for (const branch of item.kind === 'alternation' ? item.items : [item]) {
    const [min, max] = lengthsOf(branch);
    if (max > (min === max ? MAX_FIXED : MAX_VARIABLE))
      throw badPattern(offset, 'a look-behind without a bound');
    if (min !== max && hasGroup(branch))
      throw unsupportedPattern(offset, 'a group in a look-behind of variable length');
  }
}

function hasGroup(node: PatternNode): boolean {
  switch (node.kind) {
    case 'concat':
    case 'alternation':
      return node.items.some(hasGroup);
    case 'repeat':
    case 'atomic':
    case 'look':
      return hasGroup(node.item);
    case 'group':
      return true;
    case 'empty':
    case 'byte':
    case 'set':
    case 'assertion':
    case 'reference':
    default:
      return false;
  }
}
