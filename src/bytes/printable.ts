/**
 * Untrusted text made safe to print: names from images may carry escape sequences that move the cursor, rewrite the
 * title, or turn the reading direction round. Such characters are shown as `\x1b`, `\u202e`, …
 */

/**
 * C0 with DEL, C1, line and paragraph separators, zero-width and bidirectional controls (UAX #9), byte-order mark,
 * interlinear annotations, tag characters (invisible text), and halves of surrogate pairs.
 */
const UNSAFE =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]|\p{Cs}/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** One line that holds no control character. A backslash is left alone: this is for reading, not for parsing back. */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, escapeOne);
}

/** The same for text that may have several lines of its own making (a hint, a summary). */
export function escapeLines(text: string): string[] {
  return text.split('\n').map(escapeText);
}

/**
 * JSON text whose strings a terminal may see: what {@link escapeText} shows is written as `\\u` escapes, which parse to
 * the same strings. Line feeds stay, being those between members.
 */
export function escapeJson(json: string): string {
  return json.replace(UNSAFE, (character) =>
    character === '\n'
      ? character
      : Array.from(
          { length: character.length },
          (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
        ).join(''),
  );
}

function escapeOne(character: string): string {
  const short = SHORT[character];
  if (short !== undefined) return short;
  const code = character.codePointAt(0)!;
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`;
  if (code <= 0xffff) return `\\u${code.toString(16).padStart(4, '0')}`;
  return `\\u{${code.toString(16)}}`;
}
