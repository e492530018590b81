/** Base64 as Go's encoding/base64 StdEncoding reads it: padded, standard alphabet, CR and LF anywhere, nothing else. */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUES: ReadonlyMap<string, number> = new Map(
  Array.from(ALPHABET).map((character, value) => [character, value]),
);

/** The bytes, or the offset that Go names in `illegal base64 data at input byte N`. */
export function decodeGoBase64(text: string): Uint8Array | number {
  const output = new Uint8Array(Math.floor((text.length / 4) * 3) + 3);
  let length = 0;
  let quantum = 0;
  let filled = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '\n' || character === '\r') continue;
    if (character === '=') return finishPadding(text, at, quantum, filled, output, length);
    const value = VALUES.get(character);
    if (value === undefined) return byteOffset(text, at);
    quantum = (quantum << 6) | value;
    filled += 1;
    if (filled === 4) {
      output[length++] = (quantum >> 16) & 0xff;
      output[length++] = (quantum >> 8) & 0xff;
      output[length++] = quantum & 0xff;
      quantum = 0;
      filled = 0;
    }
  }
  // A last group without its padding is blamed on its first character.
  return filled === 0 ? output.slice(0, length) : byteOffset(text, text.length) - filled;
}

/** The padding characters must complete the group and end the text. Unused bits are not looked at, as in Go. */
function finishPadding(
  text: string,
  start: number,
  quantum: number,
  filled: number,
  output: Uint8Array,
  length: number,
): Uint8Array | number {
  let at = start;
  if (filled < 2) return byteOffset(text, at);
  if (filled === 2) {
    do at += 1;
    while (text[at] === '\n' || text[at] === '\r');
    if (at >= text.length) return byteOffset(text, text.length);
    if (text[at] !== '=') return byteOffset(text, at);
  }
  do at += 1;
  while (text[at] === '\n' || text[at] === '\r');
  if (at < text.length) return byteOffset(text, at);
  const bytes = filled === 2 ? [(quantum >> 4) & 0xff] : [(quantum >> 10) & 0xff, (quantum >> 2) & 0xff];
  output.set(bytes, length);
  return output.slice(0, length + bytes.length);
}

function byteOffset(text: string, at: number): number {
  return Buffer.byteLength(text.slice(0, at));
}
