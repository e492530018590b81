/** Lines and words of the files of a policy, split where Rust splits them: at Unicode's white space. */
import { decodeUtf8 } from '../../bytes/bytes.ts';

/** JavaScript's white space without the byte order mark, and with NEL (0x85). */
const SPACE = '[\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const OUTER_SPACE = new RegExp(`^${SPACE}+|${SPACE}+$`, 'g');
const INNER_SPACE = new RegExp(`${SPACE}+`);

export interface Line {
  /** From 1. */
  readonly number: number;
  /** Undefined where it is not UTF-8. */
  readonly text: string | undefined;
}

export function* lines(bytes: Uint8Array): Generator<Line, void, undefined> {
  let number = 0;
  for (let start = 0; start < bytes.length;) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    yield { number: ++number, text: decodeUtf8(bytes.subarray(start, end)) };
    start = end + 1;
  }
}

export function trimSpace(text: string): string {
  return text.replaceAll(OUTER_SPACE, '');
}

export function words(text: string): string[] {
  const trimmed = trimSpace(text);
  return trimmed === '' ? [] : trimmed.split(INNER_SPACE);
}
