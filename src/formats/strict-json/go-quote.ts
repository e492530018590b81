/** Text in quotation marks as Go prints it (`%q`), so that messages read like the peer's and no control character survives. */

const NAMED: Readonly<Record<number, string>> = {
  0x07: '\\a',
  0x08: '\\b',
  0x09: '\\t',
  0x0a: '\\n',
  0x0b: '\\v',
  0x0c: '\\f',
  0x0d: '\\r',
};

/** Control, format, private, unassigned characters and every space but U+0020. */
const NOT_PRINTABLE = /[\p{C}\p{Z}]/u;

/** Longer than any reference, scope or path; a message is not the place for megabytes that somebody put in a name. */
const MAX_QUOTED = 2000;

/** `"text"`, with backslash escapes. What is beyond {@link MAX_QUOTED} characters is replaced by an ellipsis. */
export function goQuote(text: string): string {
  if (text.length > MAX_QUOTED) return `${goQuote(text.slice(0, MAX_QUOTED - 1)).slice(0, -1)}…"`;
  let quoted = '"';
  for (const character of text) {
    quoted +=
      character === '"' || character === '\\' ? `\\${character}` : escapeRune(character.codePointAt(0)!);
  }
  return `${quoted}"`;
}

/** `'c'`, for one byte of a document taken as a code point of Latin-1. */
export function goQuoteByte(byte: number): string {
  if (byte === 0x27) return `'\\''`;
  if (byte === 0x22) return `'"'`;
  if (byte === 0x5c) return `'\\\\'`;
  return `'${escapeRune(byte)}'`;
}

function escapeRune(rune: number): string {
  if (NAMED[rune] !== undefined) return NAMED[rune];
  const character = String.fromCodePoint(rune);
  if (rune === 0x20 || !NOT_PRINTABLE.test(character)) return character;
  if (rune < 0x20 || rune === 0x7f) return `\\x${rune.toString(16).padStart(2, '0')}`;
  // A lone half of a surrogate pair cannot be in text decoded from UTF-8; it prints as the replacement character.
  if (rune >= 0xd800 && rune <= 0xdfff) return '\ufffd';
  return rune < 0x10000
    ? `\\u${rune.toString(16).padStart(4, '0')}`
    : `\\U${rune.toString(16).padStart(8, '0')}`;
}
