/**
 * Two programs read dump texts, C `mkcomposefs` and composefs-rs, and each takes what the other refuses. `strict` takes
 * what both take and make the same image of.
 */
import { BootsealError } from '../../errors.ts';

export type DumpRules = 'strict' | 'c' | 'rust';

/** What differs between them while a line is read. */
export interface LineRules {
  readonly name: DumpRules;
  /** Paths need no leading slash, slashes may be doubled, and a path ends at a NUL byte. */
  readonly loosePaths: boolean;
  /** Bytes outside `!`–`~` that stand for themselves: none, those of UTF-8 text, or any. */
  readonly rawBytes: 'none' | 'utf-8' | 'any';
  readonly skipBlankLines: boolean;
  /** Fields missing at the end of a line are empty. */
  readonly missingFields: boolean;
  /** Numbers as strtoull(3) reads them, cut to the width of their field. */
  readonly looseNumbers: boolean;
  /** Bytes. */
  readonly maxName: number;
  readonly maxTarget: number;
  readonly maxInline: number;
  /** A root may be any type of file, and come again. */
  readonly looseRoot: boolean;
}

/** PATH_MAX. */
export const MAX_PATH = 4096;
/** XATTR_NAME_MAX. */
export const MAX_XATTR_NAME = 255;
/** XATTR_LIST_MAX, to composefs-rs: of the names of all attributes of a file together. */
export const MAX_XATTR_NAMES = 65_535;
/** What C gives all attributes of a file together, counting 12 bytes and 7 for each besides names and values. */
export const MAX_XATTRS_C = 32_767;
/** u16 in the EROFS entry. */
export const MAX_XATTR_VALUE = 65_535;

export const LINE_RULES: Readonly<Record<DumpRules, LineRules>> = {
  strict: {
    name: 'strict',
    loosePaths: false,
    rawBytes: 'none',
    skipBlankLines: false,
    missingFields: false,
    looseNumbers: false,
    maxName: 255,
    maxTarget: 1024,
    maxInline: 512,
    looseRoot: false,
  },
  c: {
    name: 'c',
    loosePaths: true,
    rawBytes: 'any',
    skipBlankLines: false,
    missingFields: true,
    looseNumbers: true,
    maxName: 255,
    maxTarget: 4095,
    maxInline: 5000,
    looseRoot: false,
  },
  rust: {
    name: 'rust',
    loosePaths: false,
    rawBytes: 'utf-8',
    skipBlankLines: true,
    missingFields: false,
    looseNumbers: false,
    maxName: MAX_PATH,
    maxTarget: 1024,
    maxInline: 512,
    looseRoot: true,
  },
};

/** `where` is the number of the line. */
export function badLine(line: number, message: string): BootsealError {
  return new BootsealError('dump/malformed', message, { where: `line ${line}` });
}
