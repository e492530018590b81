/** Assertions: what may stand on both sides of a place in the subject. */
import { hasByte, WORD, type Assertion } from './ast.ts';

/** In place of a byte where there is none. */
export const OUTSIDE = -1;

/** `before` and `after` are bytes, or {@link OUTSIDE}. */
export function holds(what: Assertion, before: number, after: number): boolean {
  switch (what) {
    case 'start':
      return before === OUTSIDE;
    case 'end':
      return after === OUTSIDE;
    case 'line-start':
      return before === OUTSIDE || before === 10;
    case 'line-end':
      return after === OUTSIDE || after === 10;
    // Between \r and \n is neither end nor start of a line.
    case 'line-start-crlf':
      return before === OUTSIDE || before === 10 || (before === 13 && after !== 10);
    case 'line-end-crlf':
      return after === OUTSIDE || after === 13 || (after === 10 && before !== 13);
    case 'word':
      return isWord(before) !== isWord(after);
    case 'not-word':
      return isWord(before) === isWord(after);
    case 'word-start':
      return !isWord(before) && isWord(after);
    case 'word-end':
      return isWord(before) && !isWord(after);
    case 'word-start-half':
      return !isWord(before);
    case 'word-end-half':
    default:
      return !isWord(after);
  }
}

function isWord(byte: number): boolean {
  return byte !== OUTSIDE && hasByte(WORD, byte);
}
