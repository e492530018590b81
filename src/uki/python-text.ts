/**
 * Python's ideas of white space and of line ends, which are wider than JavaScript's: ukify splits the command
 * line and SBAT texts with `str.split()` and `str.splitlines()`, and its output must be matched byte for byte.
 */

// oxlint-disable no-control-regex -- the control characters are the point
const SPACE = /[\t-\r\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;
const LINE_END = /\r\n|[\n\r\v\f\u001c-\u001e\u0085\u2028\u2029]/;
// oxlint-enable no-control-regex

/** `str.split()`: the words, without empty ones. */
export function splitWords(text: string): string[] {
  return text.split(SPACE).filter((word) => word !== '');
}

/** `str.splitlines()`: a line end at the very end starts no further line. */
export function splitLines(text: string): string[] {
  const lines = text.split(LINE_END);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}
