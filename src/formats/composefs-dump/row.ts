/** One line of a dump, read into a row that is used again for the next: a text of a million lines makes no garbage. */
import { anyNumber, createPiece, hexDigit, pieceText, plainNumber, readPiece, type Piece } from './fields.ts';
import { FILE_TYPE } from './format.ts';
import { badLine, MAX_PATH, type LineRules } from './rules.ts';

const TYPE_BITS = 0o170000;
const TYPES: ReadonlySet<number> = new Set(Object.values(FILE_TYPE));
const SPACE = 0x20;
const SLASH = 0x2f;
const FIELDS = 11;
/** Above any size that an image can hold, and exact. */
const MAX_SIZE = 2 ** 53;

export interface DumpRow {
  /** Only `path` and `payload` of it count. */
  hardlink: boolean;
  readonly path: Piece;
  /** Type and permissions. */
  mode: number;
  /** Bytes; of a directory whatever the text says. */
  size: number;
  nlink: number;
  uid: number;
  gid: number;
  rdev: number;
  /** Halves of 64 bits. */
  secondsLow: number;
  secondsHigh: number;
  nanos: number;
  /** Object path, target of a symlink, or what a hardlink is another name of. */
  readonly payload: Piece;
  readonly content: Piece;
  /** fs-verity digest, raw. */
  readonly digest: Uint8Array;
  /** Bytes of it, 0 for none. */
  digestLength: number;
  /** Extended attributes as they stand in the line, for `readXattrs`. */
  line: Uint8Array;
  xattrStart: number;
  xattrEnd: number;
}

export function createRow(): DumpRow {
  return {
    hardlink: false,
    path: createPiece(),
    mode: 0,
    size: 0,
    nlink: 0,
    uid: 0,
    gid: 0,
    rdev: 0,
    secondsLow: 0,
    secondsHigh: 0,
    nanos: 0,
    payload: createPiece(),
    content: createPiece(),
    digest: new Uint8Array(64),
    digestLength: 0,
    line: new Uint8Array(0),
    xattrStart: 0,
    xattrEnd: 0,
  };
}

/** Where each field starts, and behind the last: one more than the end of the field. */
const starts = new Int32Array(FIELDS + 1);

/** Reads `bytes[start, end)`, a line without its newline. Throws `dump/malformed`. */
export function readRow(
  row: DumpRow,
  bytes: Uint8Array,
  start: number,
  end: number,
  rules: LineRules,
  line: number,
): void {
  // 1. Eleven fields, then extended attributes.
  const found = splitFields(bytes, start, end);
  if (found < FIELDS && !rules.missingFields) {
    throw badLine(line, `${found} fields, expected at least ${FIELDS}`);
  }
  row.line = bytes;
  row.xattrStart = Math.min(starts[FIELDS], end);
  row.xattrEnd = end;
  if (end > start && bytes[end - 1] === SPACE && starts[FIELDS] <= end && rules.name !== 'c') {
    throw badLine(line, 'a space at the end of the line');
  }
  readPiece(row.path, bytes, starts[0], starts[1] - 1, false, rules, line);
  checkPath(row.path, 'path', rules, line);

  // 2. A hardlink: only the path and the target count.
  const modeAt = starts[2];
  const modeEnd = starts[3] - 1;
  row.hardlink = modeAt < modeEnd && bytes[modeAt] === 0x40;
  if (row.hardlink) {
    const mode = number(bytes, modeAt + 1, modeEnd, 8, 0xffff, 'mode', rules, line);
    if ((mode & TYPE_BITS) === FILE_TYPE.directory) throw badLine(line, 'a hardlink cannot be a directory');
    readPiece(row.payload, bytes, Math.min(starts[8], end), starts[9] - 1, true, rules, line);
    if (!row.payload.present) throw badLine(line, 'a hardlink needs a target');
    checkPath(row.payload, 'hardlink target', rules, line);
    return;
  }

  // 3. Numbers.
  row.mode = number(bytes, modeAt, modeEnd, 8, 0xffff, 'mode', rules, line);
  const type = row.mode & TYPE_BITS;
  if (!TYPES.has(type)) throw badLine(line, `unknown file type in mode ${row.mode.toString(8)}`);
  row.size = readSize(bytes, type, rules, line);
  row.nlink = number(bytes, starts[3], starts[4] - 1, 10, 0xffffffff, 'nlink', rules, line);
  row.uid = number(bytes, starts[4], starts[5] - 1, 10, 0xffffffff, 'uid', rules, line);
  row.gid = number(bytes, starts[5], starts[6] - 1, 10, 0xffffffff, 'gid', rules, line);
  row.rdev = number(bytes, starts[6], starts[7] - 1, 10, 0xffffffff, 'rdev', rules, line);
  const device = type === FILE_TYPE.character || type === FILE_TYPE.block;
  if (row.rdev !== 0 && !device) {
    if (!rules.looseNumbers) throw badLine(line, 'rdev on something that is no device');
    row.rdev = 0;
  }
  readTime(row, bytes, starts[7], starts[8] - 1, rules, line);

  // 4. Contents. A missing field would start behind the line.
  readPiece(row.payload, bytes, Math.min(starts[8], end), starts[9] - 1, true, rules, line);
  readPiece(row.content, bytes, Math.min(starts[9], end), starts[10] - 1, true, rules, line);
  readDigest(row, bytes, starts[10], starts[FIELDS] - 1, rules, line);
  if (type === FILE_TYPE.symlink) checkTarget(row.payload, rules, line);
  if (rules.name === 'c') checkContentC(row, type, rules, line);
  else checkContent(row, type, rules, line);
}

/** Number of fields found. Those that are missing are empty, at the end of the line. */
function splitFields(bytes: Uint8Array, start: number, end: number): number {
  let field = 0;
  starts[0] = start;
  for (let at = start; at < end && field < FIELDS; at++) {
    if (bytes[at] === SPACE) starts[++field] = at + 1;
  }
  const found = Math.min(field + 1, FIELDS);
  while (field < FIELDS) starts[++field] = end + 1;
  return found;
}

function number(
  bytes: Uint8Array,
  start: number,
  end: number,
  base: 8 | 10,
  max: number,
  what: string,
  rules: LineRules,
  line: number,
): number {
  const from = Math.min(start, end);
  const plain = plainNumber(bytes, from, end, base);
  if (plain >= 0 && plain <= max) return plain;
  const value = anyNumber(bytes, from, end, base, rules, what, line);
  if (value <= BigInt(max)) return Number(value);
  if (!rules.looseNumbers || base === 8) throw badLine(line, `${what} is not a number up to ${max}`);
  return Number(BigInt.asUintN(32, value));
}

function readSize(bytes: Uint8Array, type: number, rules: LineRules, line: number): number {
  const end = starts[2] - 1;
  const plain = plainNumber(bytes, starts[1], end, 10);
  if (plain >= 0) return plain;
  const size = Number(anyNumber(bytes, starts[1], end, 10, rules, 'size', line));
  if (size > MAX_SIZE && type === FILE_TYPE.regular) throw badLine(line, `a file of ${size} bytes`);
  return size;
}

function readTime(
  row: DumpRow,
  bytes: Uint8Array,
  start: number,
  end: number,
  rules: LineRules,
  line: number,
): void {
  let dot = start;
  while (dot < end && bytes[dot] !== 0x2e) dot++;
  if (dot >= end && !rules.looseNumbers) throw badLine(line, 'mtime is not seconds.nanoseconds');
  const seconds = plainNumber(bytes, start, dot, 10);
  if (seconds >= 0) {
    row.secondsLow = seconds >>> 0;
    row.secondsHigh = Math.floor(seconds / 2 ** 32);
  } else {
    const value = anyNumber(bytes, start, dot, 10, rules, 'mtime', line);
    if (value >= 2n ** 63n && rules.name === 'strict')
      throw badLine(line, 'mtime is not a number below 2^63');
    row.secondsLow = Number(BigInt.asUintN(32, value));
    row.secondsHigh = Number(value >> 32n);
  }
  row.nanos = number(bytes, dot + 1, end, 10, 999_999_999, 'the part of mtime behind the dot', rules, line);
}

function checkPath(piece: Piece, what: string, rules: LineRules, line: number): void {
  const { bytes, start } = piece;
  if (rules.loosePaths) {
    // A C string.
    for (let at = start; at < piece.end; at++) if (bytes[at] === 0) piece.end = at;
  }
  const { end } = piece;
  if (end === start) throw badLine(line, `${what} is empty`);
  if (end - start > MAX_PATH) throw badLine(line, `${what} is longer than ${MAX_PATH} bytes`);
  if (bytes[start] !== SLASH && !rules.loosePaths) throw badLine(line, `${what} does not start with /`);
  if (end - start === 1 && bytes[start] === SLASH) return;
  let name = bytes[start] === SLASH ? start + 1 : start;
  for (let at = name; at <= end; at++) {
    if (at < end && bytes[at] !== SLASH) {
      if (bytes[at] === 0) throw badLine(line, `${what} has a NUL byte`);
      continue;
    }
    checkName(bytes, name, at, what, at < end && rules.loosePaths, rules, line);
    name = at + 1;
  }
}

function checkName(
  bytes: Uint8Array,
  start: number,
  end: number,
  what: string,
  mayBeEmpty: boolean,
  rules: LineRules,
  line: number,
): void {
  const length = end - start;
  if (length > rules.maxName) {
    throw badLine(line, `${what} has a name of more than ${rules.maxName} bytes`);
  }
  const dots = length <= 2 && bytes[start] === 0x2e && (length === 1 || bytes[start + 1] === 0x2e);
  if ((length === 0 && !mayBeEmpty) || (length > 0 && dots)) {
    throw badLine(line, `${what} has an empty, . or .. component`);
  }
}

function checkTarget(payload: Piece, rules: LineRules, line: number): void {
  if (rules.name === 'c') {
    for (let at = payload.start; at < payload.end; at++) if (payload.bytes[at] === 0) payload.end = at;
  }
  const length = payload.end - payload.start;
  if (!payload.present || length === 0) throw badLine(line, 'a symlink needs a target');
  if (length > rules.maxTarget) throw badLine(line, 'symlink target is too long');
  if (payload.bytes.subarray(payload.start, payload.end).includes(0)) {
    throw badLine(line, 'symlink target has a NUL byte');
  }
}

/**
 * C takes the first 32 bytes of a longer digest. Of one that it cannot read it takes what lies on its stack, which is
 * nothing to follow.
 */
function readDigest(
  row: DumpRow,
  bytes: Uint8Array,
  start: number,
  end: number,
  rules: LineRules,
  line: number,
): void {
  row.digestLength = 0;
  if (end - start === 1 && bytes[start] === 0x2d) return;
  // A missing digest counts for nothing where there is no content.
  if (rules.missingFields && end <= start && row.size === 0) return;
  const { digest } = row;
  const digits = rules.name === 'c' ? Math.min(end - start, 64) : end - start;
  let good = digits === 64 || digits === 128;
  for (let at = 0; good && at < digits; at += 2) {
    const high = bytes[start + at];
    const low = bytes[start + at + 1];
    digest[at / 2] = hexDigit(high) * 16 + hexDigit(low);
    // Capitals are digits to both programs, and would be in the object's path.
    good =
      hexDigit(high) >= 0 &&
      hexDigit(low) >= 0 &&
      !(rules.name === 'strict' && (isCapital(high) || isCapital(low)));
  }
  if (!good) throw badLine(line, 'digest is not 64 or 128 hexadecimal digits');
  row.digestLength = digits / 2;
}

function isCapital(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a;
}

/** `xx/rest` of a digest of either length. */
const OBJECT_PATH = /^[0-9a-f]{2}\/(?:[0-9a-f]{62}|[0-9a-f]{126})$/;

/** Content must be as long as SIZE says, of whatever type the file is. */
function checkContentC(row: DumpRow, type: number, rules: LineRules, line: number): void {
  const { content } = row;
  if (row.payload.end - row.payload.start >= MAX_PATH) throw badLine(line, 'payload is too long');
  if (!content.present) return;
  const length = content.end - content.start;
  if (length !== row.size) {
    throw badLine(line, `content has ${length} bytes, the size is ${row.size}`);
  }
  if (length > rules.maxInline) throw badLine(line, 'inline content is too long');
  if (type !== FILE_TYPE.regular) content.present = false;
}

function checkContent(row: DumpRow, type: number, rules: LineRules, line: number): void {
  const { content, payload } = row;
  if (type !== FILE_TYPE.regular) {
    if (content.present || row.digestLength > 0) throw badLine(line, 'content of a non-regular file');
    return;
  }
  if (payload.present) {
    const length = payload.end - payload.start;
    if (length === 0 || length > MAX_PATH) throw badLine(line, 'a payload that is empty or too long');
    if (row.digestLength === 0 && !OBJECT_PATH.test(pieceText(payload))) {
      throw badLine(line, 'the payload is not the path of an object');
    }
    if (content.present && rules.name === 'strict') throw badLine(line, 'both a payload and content');
    content.present = false;
    if (rules.name === 'strict' && row.digestLength > 0 && !isObjectPath(row)) {
      throw badLine(line, 'the payload is not the path of the digest');
    }
    return;
  }
  if (row.digestLength > 0) throw badLine(line, 'a digest without a payload');
  if (!content.present) return;
  const length = content.end - content.start;
  if (length > rules.maxInline) throw badLine(line, 'inline content is too long');
  if (length !== row.size && rules.name === 'strict') {
    throw badLine(line, `content has ${length} bytes, the size is ${row.size}`);
  }
}

/** Whether the payload is `xx/rest` of the digest. */
export function isObjectPath({ payload: { bytes, start, end }, digest, digestLength }: DumpRow): boolean {
  if (end - start !== 2 * digestLength + 1 || bytes[start + 2] !== SLASH) return false;
  for (let at = 0; at < digestLength; at++) {
    const from = start + 2 * at + (at === 0 ? 0 : 1);
    if (hexDigit(bytes[from]) * 16 + hexDigit(bytes[from + 1]) !== digest[at]) return false;
    if (isCapital(bytes[from]) || isCapital(bytes[from + 1])) return false;
  }
  return true;
}
