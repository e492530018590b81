/** Takes a dump text apart as it arrives, line by line. */
import { createRow, readRow, type DumpRow } from './row.ts';
import { badLine, LINE_RULES, type DumpRules, type LineRules } from './rules.ts';

export interface DumpParser {
  /** The next bytes of the text, of any number. */
  push(bytes: Uint8Array): void;
  /** After the last bytes. */
  finish(): void;
}

/** An inode holds 256 KiB of attributes, each byte of which takes four at most; the rest is far less. */
const MAX_LINE = 2 * 2 ** 20;
const NEWLINE = 0x0a;
const DIRECTORY = 0o040000;

/**
 * `onRow` gets each line; the row is valid during the call only. Lines are checked by themselves: that parents and
 * link targets are there is the business of whoever builds the tree. Throws `dump/malformed` with the line number in
 * `where`, and whatever `onRow` throws.
 */
export function createDumpParser(
  rulesName: DumpRules,
  onRow: (row: DumpRow, line: number) => void,
): DumpParser {
  const rules = LINE_RULES[rulesName];
  const row = createRow();
  let line = 0;
  /** The start of a line whose end has not come yet. */
  let pending: Uint8Array[] = [];
  let pendingLength = 0;

  function readLine(bytes: Uint8Array, start: number, lineEnd: number): void {
    line += 1;
    let end = lineEnd;
    // Rust's `lines` takes a carriage return away with the newline.
    if (rules.name === 'rust' && end > start && bytes[end - 1] === 0x0d) end -= 1;
    if (rules.skipBlankLines && isBlank(bytes, start, end)) return;
    readRow(row, bytes, start, end, rules, line);
    if (line === 1) checkRoot(row, rules);
    onRow(row, line);
  }

  function joinPending(): Uint8Array {
    const joined = Buffer.concat(pending);
    pending = [];
    pendingLength = 0;
    return joined;
  }

  function keep(bytes: Uint8Array): void {
    if (pendingLength + bytes.length > MAX_LINE)
      throw badLine(line + 1, `a line of more than ${MAX_LINE} bytes`);
    // A copy: the caller may use the buffer again.
    pending.push(Uint8Array.from(bytes));
    pendingLength += bytes.length;
  }

  return {
    push(bytes) {
      let at = 0;
      if (pendingLength > 0) {
        const newline = bytes.indexOf(NEWLINE);
        if (newline < 0) {
          keep(bytes);
          return;
        }
        keep(bytes.subarray(0, newline));
        const whole = joinPending();
        readLine(whole, 0, whole.length);
        at = newline + 1;
      }
      while (at < bytes.length) {
        const newline = bytes.indexOf(NEWLINE, at);
        if (newline < 0) {
          keep(bytes.subarray(at));
          return;
        }
        if (newline - at > MAX_LINE) throw badLine(line + 1, `a line of more than ${MAX_LINE} bytes`);
        readLine(bytes, at, newline);
        at = newline + 1;
      }
    },
    finish() {
      if (pendingLength > 0) {
        if (rules.name === 'strict') throw badLine(line + 1, 'the last line does not end with a newline');
        const last = joinPending();
        readLine(last, 0, last.length);
      }
      if (line === 0) throw badLine(1, 'a dump has at least one line');
    },
  };
}

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== 0x20 && bytes[at] !== 0x09) return false;
  return true;
}

function checkRoot({ path, hardlink, mode }: DumpRow, rules: LineRules): void {
  const isRoot = path.end - path.start === 1 && path.bytes[path.start] === 0x2f && !hardlink;
  if (isRoot && (rules.looseRoot || (mode & 0o170000) === DIRECTORY)) return;
  throw badLine(1, 'the first line is not the root directory');
}
