/**
 * Reader of the composefs dump text. Where mkcomposefs and composefs-rs disagree, this takes the stricter side:
 * a dump that passes gives the same tree in both.
 */
import { decodeLatin1 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import { readField, readNumber, readXattr, type FieldError } from './fields.ts';
import { DUMP_LIMITS, FILE_TYPE, type DumpEntry, type DumpKind } from './format.ts';

const TYPE_BITS = 0o170000;
const PERMISSION_BITS = 0o7777;
const KINDS: ReadonlyMap<number, DumpKind> = new Map(
  (Object.keys(FILE_TYPE) as DumpKind[]).map((kind) => [FILE_TYPE[kind], kind]),
);

/**
 * The entries in order. Checks each line by itself; that parents and link targets come first is the business of
 * whoever builds the tree. Throws `dump/malformed` with the line number in `where`.
 */
export function* readDump(text: Uint8Array): Generator<DumpEntry, void, undefined> {
  if (text.length === 0) throw fail('a dump has at least one line', 1);
  let line = 0;
  for (let at = 0; at < text.length;) {
    line++;
    const newline = text.indexOf(0x0a, at);
    if (newline < 0) throw fail('the last line does not end with a newline', line);
    const entry = parseLine(decodeLatin1(text.subarray(at, newline)), line);
    if (line === 1 && (entry.path !== '/' || entry.type !== 'node' || entry.kind !== 'directory')) {
      throw fail('the first line is not the root directory', line);
    }
    yield entry;
    at = newline + 1;
  }
}

function parseLine(line: string, number: number): DumpEntry {
  const error: FieldError = (message) => fail(message, number);
  // 1. Eleven fields, then extended attributes.
  const fields = line.split(' ');
  if (fields.length < 11) throw error(`${fields.length} fields, expected at least 11`);
  const [pathField, size, mode, , uid, gid, rdev, mtime, payload, content, digest] = fields as [
    string,
    ...string[],
  ];
  const path = checkPath(readField(pathField, error) ?? '', 'path', error);

  // 2. A hardlink: only the path and the target count.
  if (mode.startsWith('@')) {
    const linkMode = readNumber(mode.slice(1), 8, 0xffff, 'mode', error);
    if ((linkMode & TYPE_BITS) === FILE_TYPE.directory) throw error('a hardlink cannot be a directory');
    const target = readField(payload, error);
    if (target === undefined) throw error('a hardlink needs a target');
    return { type: 'hardlink', path, target: checkPath(target, 'hardlink target', error) };
  }

  // 3. Numbers.
  const bits = readNumber(mode, 8, 0xffff, 'mode', error);
  const kind = KINDS.get(bits & TYPE_BITS);
  if (kind === undefined) throw error(`unknown file type in mode ${mode}`);
  const device = kind === 'character' || kind === 'block';
  const rdevNumber = readNumber(rdev, 10, 0xffffffff, 'rdev', error);
  if (rdevNumber !== 0 && !device) throw error('rdev on something that is no device');
  readNumber(fields[3], 10, 0xffffffff, 'nlink', error);

  // 4. Contents.
  const inline = readField(content, error);
  if (inline !== undefined && inline.length > DUMP_LIMITS.inline) throw error('inline content is too long');
  const sizeNumber = readSize(size, error);
  const payloadText = readField(payload, error);
  if (kind === 'symlink') checkTarget(payloadText, error);
  if (kind === 'regular' && inline !== undefined && BigInt(inline.length) !== sizeNumber) {
    throw error(`content has ${inline.length} bytes, the size is ${size}`);
  }
  if (kind !== 'regular' && (inline !== undefined || digest !== '-'))
    throw error('content of a non-regular file');
  const digestBytes = readDigest(digest, error);

  // 5. Extended attributes.
  const xattrs = new Map<string, Uint8Array>();
  for (const field of fields.slice(11)) {
    const [key, value] = readXattr(field, error);
    // Of two equal names the last one counts, in both programs.
    xattrs.set(key, value);
  }
  return {
    type: 'node',
    path,
    kind,
    mode: bits & PERMISSION_BITS,
    uid: readNumber(uid, 10, 0xffffffff, 'uid', error),
    gid: readNumber(gid, 10, 0xffffffff, 'gid', error),
    rdev: rdevNumber,
    mtime: readTime(mtime, error),
    size: sizeNumber,
    ...(payloadText !== undefined && { payload: payloadText }),
    ...(inline !== undefined && { content: Uint8Array.from(Buffer.from(inline, 'latin1')) }),
    ...(digestBytes && { digest: digestBytes }),
    xattrs,
  };
}

function checkPath(path: string, what: string, error: FieldError): string {
  if (path.length > DUMP_LIMITS.path) throw error(`${what} is longer than ${DUMP_LIMITS.path} bytes`);
  if (!path.startsWith('/')) throw error(`${what} does not start with /`);
  if (path === '/') return path;
  for (const name of path.slice(1).split('/')) {
    if (name === '' || name === '.' || name === '..') throw error(`${what} has an empty, . or .. component`);
    if (name.length > DUMP_LIMITS.name)
      throw error(`${what} has a name of more than ${DUMP_LIMITS.name} bytes`);
    if (name.includes('\0')) throw error(`${what} has a NUL byte`);
  }
  return path;
}

function checkTarget(target: string | undefined, error: FieldError): void {
  if (target === undefined || target === '') throw error('a symlink needs a target');
  if (target.length > DUMP_LIMITS.symlink) throw error('symlink target is too long');
  if (target.includes('\0')) throw error('symlink target has a NUL byte');
}

function readSize(text: string, error: FieldError): bigint {
  if (!/^[0-9]{1,19}$/.test(text) || BigInt(text) >= 2n ** 63n) throw error('size is not a number');
  return BigInt(text);
}

function readTime(text: string, error: FieldError): { seconds: bigint; nanos: number } {
  const match = /^([0-9]{1,19})\.([0-9]{1,10})$/.exec(text);
  if (match === null || BigInt(match[1]) >= 2n ** 63n) throw error('mtime is not seconds.nanoseconds');
  const nanos = Number(match[2]);
  if (nanos >= 1_000_000_000) throw error('mtime has a second or more of nanoseconds');
  return { seconds: BigInt(match[1]), nanos };
}

function readDigest(text: string, error: FieldError): Uint8Array | undefined {
  if (text === '-') return undefined;
  if (!/^(?:[0-9a-f]{64}|[0-9a-f]{128})$/.test(text))
    throw error('digest is not 64 or 128 hexadecimal digits');
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

function fail(message: string, line: number): BootsealError {
  return new BootsealError('dump/malformed', message, { where: `line ${line}` });
}
