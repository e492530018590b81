/**
 * Reader of what `getfattr --dump --encoding=hex` prints: getfattr(1) is how a program without the system call reads
 * extended attributes.
 *
 *   # file: PATH
 *   NAME=0xHEX
 *   (more attributes, then an empty line)
 *
 * Only files that have attributes are named. In PATH and NAME a newline, carriage return, backslash and some others
 * are `\ooo`; everything else is raw bytes.
 */
import { decodeLatin1 } from '../../bytes/bytes.ts';
import { decodeHex } from '../../bytes/hex.ts';
import { BootsealError } from '../../errors.ts';

/** XATTR_SIZE_MAX in hexadecimal and a name of XATTR_NAME_MAX, each byte escaped; PATH_MAX is less. */
const MAX_LINE = 2 * 65_536 + 4 * 256 + 16;

const FILE_PREFIX = '# file: ';

export interface XattrReader {
  push(bytes: Uint8Array): void;
  /** Throws `getfattr/malformed` when the text ends within a file. */
  end(): void;
}

/**
 * `onFile` is called with paths and names a byte a character, names of one file once each. Throws
 * `getfattr/malformed` with the line number in `where`.
 */
export function createXattrReader(
  onFile: (path: string, xattrs: ReadonlyMap<string, Uint8Array>) => void,
): XattrReader {
  let rest = '';
  let number = 0;
  let path: string | undefined;
  let xattrs = new Map<string, Uint8Array>();

  function line(text: string): void {
    number += 1;
    // 1. Between files: a heading.
    if (path === undefined) {
      if (!text.startsWith(FILE_PREFIX)) throw bad('expected "# file: "', number);
      path = unescape(text.slice(FILE_PREFIX.length), number);
      if (path === '') throw bad('an empty path', number);
      return;
    }
    // 2. An empty line ends the file.
    if (text === '') {
      if (xattrs.size === 0) throw bad('a file without attributes', number);
      onFile(path, xattrs);
      path = undefined;
      xattrs = new Map();
      return;
    }
    // 3. An attribute. A literal `=` in its name is escaped.
    const equals = text.indexOf('=');
    if (equals <= 0 || !text.startsWith('0x', equals + 1)) throw bad('expected NAME=0xHEX', number);
    const name = unescape(text.slice(0, equals), number);
    if (xattrs.has(name)) throw bad('an attribute that was there already', number);
    const hex = text.slice(equals + 3);
    if (hex.length % 2 !== 0 || !/^[0-9a-f]*$/.test(hex))
      throw bad('a value that is not hexadecimal', number);
    xattrs.set(name, decodeHex(hex));
  }

  return {
    push(bytes) {
      rest += decodeLatin1(bytes);
      let start = 0;
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n', start)) {
        line(rest.slice(start, end));
        start = end + 1;
      }
      rest = rest.slice(start);
      if (rest.length > MAX_LINE) throw bad(`a line of over ${MAX_LINE} bytes`, number + 1);
    },
    end() {
      if (rest !== '' || path !== undefined) throw bad('the text ends within a file', number + 1);
    },
  };
}

function unescape(text: string, number: number): string {
  if (!text.includes('\\')) return text;
  return text.replaceAll(/\\(.{0,3})/gs, (_, digits: string) => {
    if (!/^[0-3][0-7]{2}$/.test(digits)) throw bad('a bad escape', number);
    return String.fromCharCode(Number.parseInt(digits, 8));
  });
}

function bad(message: string, line: number): BootsealError {
  return new BootsealError('getfattr/malformed', `not the output of getfattr: ${message}`, {
    where: `line ${line}`,
  });
}
