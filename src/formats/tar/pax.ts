/**
 * PAX extended header records: `LENGTH KEY=VALUE\n`, one after another (POSIX.1-2017 pax(1), "pax Header Block").
 */
import { decodeLatin1, decodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import { PAX_XATTR_PREFIX } from './format.ts';
import { readDecimal } from './numbers.ts';

/** What the records of one entry say. Absent members were not given. */
export interface PaxRecords {
  /** A byte a character, like `linkPath` and `sparseName`. */
  path?: string;
  linkPath?: string;
  /** `GNU.sparse.name`, which renames an entry even where nothing else is sparse. */
  sparseName?: string;
  /** A sparse file, in any of the three ways that GNU tar has written them. */
  sparse: boolean;
  size?: bigint;
  uid?: bigint;
  gid?: bigint;
  /** Whole seconds of the last mtime record, modulo 2^64. */
  seconds?: bigint;
  /** Nanoseconds of the *first* mtime record: composefs-rs looks it up on its own. */
  nanos?: number;
  /** Names a byte a character. The last of several values for one name counts. */
  xattrs?: Map<string, Uint8Array>;
}

/** Parts of GNU sparse records that mean something only together. */
interface SparseRecords {
  major?: bigint;
  minor?: bigint;
  hasOffset: boolean;
}

/** Throws `tar/bad-pax`, `tar/bad-number`. */
export function parsePaxRecords(data: Uint8Array): PaxRecords {
  const records: PaxRecords = { sparse: false };
  const sparse: SparseRecords = { hasOffset: false };
  let at = 0;
  while (at < data.length) {
    // 1. What does not begin with a number and a space ends the records: NUL bytes often do.
    const space = data.indexOf(0x20, at);
    const digits = decodeLatin1(data.subarray(at, space < 0 ? at : space));
    if (!/^\+?[0-9]+$/.test(digits) || BigInt(digits.replace('+', '')) >= 1n << 64n) break;
    // 2. The length counts the whole record, its own digits included.
    const end = at + Number(digits);
    if (end > data.length || end < space + 2 || data[end - 1] !== 0x0a)
      throw badPax('record length does not fit');
    // 3. The key ends at the first `=`; it is UTF-8, the value any bytes.
    const equals = data.indexOf(0x3d, space + 1);
    if (equals < 0 || equals >= end) throw badPax('record without "="');
    const key = data.subarray(space + 1, equals);
    if (decodeUtf8(key) === undefined) throw badPax('record key is not UTF-8');
    applyRecord(records, sparse, decodeLatin1(key), data.subarray(equals + 1, end - 1));
    at = end;
  }
  records.sparse ||= sparse.major === 1n && sparse.minor === 0n;
  return records;
}

function applyRecord(records: PaxRecords, sparse: SparseRecords, key: string, value: Uint8Array): void {
  const number = (): bigint => readDecimal(decodeLatin1(value), `PAX ${key}`);
  switch (key) {
    case 'path':
      records.path = decodeLatin1(value);
      break;
    case 'linkpath':
      records.linkPath = decodeLatin1(value);
      break;
    case 'size':
    case 'uid':
    case 'gid':
      records[key] = number();
      break;
    case 'mtime':
      applyTime(records, value);
      break;
    case 'GNU.sparse.name':
      records.sparseName = decodeLatin1(value);
      break;
    case 'GNU.sparse.major':
      sparse.major = number();
      break;
    case 'GNU.sparse.minor':
      sparse.minor = number();
      break;
    case 'GNU.sparse.size':
    case 'GNU.sparse.realsize':
      number();
      break;
    case 'GNU.sparse.offset':
      number();
      sparse.hasOffset = true;
      break;
    case 'GNU.sparse.numbytes':
      number();
      records.sparse ||= sparse.hasOffset;
      break;
    case 'GNU.sparse.map':
      records.sparse = true;
      break;
    default:
      if (!key.startsWith(PAX_XATTR_PREFIX)) break;
      records.xattrs ??= new Map();
      records.xattrs.set(key.slice(PAX_XATTR_PREFIX.length), new Uint8Array(value));
  }
}

function applyTime(records: PaxRecords, value: Uint8Array): void {
  const text = decodeLatin1(value);
  const dot = text.indexOf('.');
  records.seconds = readDecimal(dot < 0 ? text : text.slice(0, dot), 'PAX mtime');
  records.nanos ??= dot < 0 ? 0 : readFraction(value.subarray(dot + 1));
}

/**
 * The fraction cut or filled to nine digits. composefs-rs reads anything that is no number as 0, takes a leading
 * `+` for a digit, and crashes where the cut would split a character: that alone is an error here.
 */
function readFraction(bytes: Uint8Array): number {
  if (decodeUtf8(bytes) === undefined) return 0;
  if (bytes.length > 9 && (bytes[9] & 0xc0) === 0x80) throw badPax('mtime fraction is not a number');
  const digits = decodeLatin1(bytes.subarray(0, 9)).padEnd(9, '0');
  return /^\+?[0-9]+$/.test(digits) ? Number(digits) : 0;
}

function badPax(why: string): BootsealError {
  return new BootsealError('tar/bad-pax', `malformed PAX header: ${why}`);
}
