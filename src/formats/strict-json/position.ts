/** Byte offsets as a person reads them. */

export interface Position {
  /** From 1. */
  readonly line: number;
  /** From 1, in characters (code points), so that an editor's cursor lands on it. */
  readonly column: number;
}

export function positionAt(bytes: Uint8Array, offset: number): Position {
  let line = 1;
  let lineStart = 0;
  const end = Math.min(offset, bytes.length);
  for (let at = bytes.indexOf(0x0a); at !== -1 && at < end; at = bytes.indexOf(0x0a, at + 1)) {
    line += 1;
    lineStart = at + 1;
  }
  let column = 1;
  // Continuation bytes of UTF-8 belong to the character before them.
  for (let at = lineStart; at < end; at++) if ((bytes[at] & 0xc0) !== 0x80) column += 1;
  return { line, column };
}

/** `file:line:column`. */
export function whereIs(file: string, bytes: Uint8Array, offset: number): string {
  const { line, column } = positionAt(bytes, offset);
  return `${file}:${line}:${column}`;
}
