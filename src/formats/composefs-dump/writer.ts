/**
 * Writer of the composefs dump text, as composefs-rs writes it: what it gives, both mkcomposefs programs read.
 */
import { decodeLatin1 } from '../../bytes/bytes.ts';
import { encodeHex } from '../../bytes/hex.ts';
import { FILE_TYPE, type DumpEntry } from './format.ts';

/** One line with its newline. `nlink`: names of a file, or of a directory its subdirectories and two. */
export function dumpLine(entry: DumpEntry, nlink = 1): string {
  if (entry.type === 'hardlink')
    return `${escapeDump(entry.path)} 0 @120000 - - - - 0.0 ${optional(entry.target)} - -\n`;
  const { mtime, payload, content, digest } = entry;
  const fields = [
    escapeDump(entry.path),
    entry.size,
    (FILE_TYPE[entry.kind] | entry.mode).toString(8),
    nlink,
    entry.uid,
    entry.gid,
    entry.rdev,
    `${mtime.seconds}.${mtime.nanos}`,
    optional(payload),
    optional(content && decodeLatin1(content)),
    digest === undefined ? '-' : encodeHex(digest),
  ];
  const xattrs = [...entry.xattrs]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${escapeDumpXattr(name)}=${escapeDumpXattr(decodeLatin1(value))}`);
  return `${[...fields, ...xattrs].join(' ')}\n`;
}

/** `-` stands for an absent field, so a value that is one `-` is written by its number. */
function optional(text: string | undefined): string {
  if (text === undefined || text === '') return '-';
  return text === '-' ? String.raw`\x2d` : escapeDump(text);
}

const NAMED: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** A field: a byte a character in, printable ASCII out. */
export function escapeDump(text: string): string {
  return text.replaceAll(/[^\x21-\x5b\x5d-\x7e]/g, escapeByte);
}

/** In attributes the `=` between name and value must be the only one. */
export function escapeDumpXattr(text: string): string {
  return text.replaceAll(/[^\x21-\x3c\x3e-\x5b\x5d-\x7e]/g, escapeByte);
}

function escapeByte(byte: string): string {
  return NAMED[byte] ?? `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
