/**
 * Writes tar headers: ustar, and a PAX extended header before it where a value does not fit. The same entry
 * always gives the same bytes: no clock, no user names, records in one fixed order.
 *
 * The result is read alike by composefs-rs (tar-core), GNU tar and Go, which is why a negative time goes into the
 * ustar field in base-256 (composefs-rs refuses it as a PAX record).
 */
import { concatBytes, decodeUtf8, encodeLatin1 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import {
  HEADER_FIELDS,
  MAX_EXTENSION_SIZE,
  PAX_XATTR_PREFIX,
  TAR_BLOCK,
  TYPE_FLAGS,
  USTAR_MAGIC,
  type TarEntry,
} from './format.ts';

/** Two blocks of zero bytes end an archive. */
export const TAR_END: Uint8Array = new Uint8Array(2 * TAR_BLOCK);

/** Zero bytes that follow a payload of `size` bytes. */
export function tarPadding(size: number): Uint8Array {
  return new Uint8Array((TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK);
}

/** All header blocks of an entry. Its payload and {@link tarPadding} come next. Throws `tar/cannot-encode`. */
export function encodeTarHeader(entry: TarEntry): Uint8Array {
  const path = writtenPath(entry);
  const size = entry.size ?? 0;
  const target = entry.linkTarget ?? '';
  checkEntry(entry, path, size, target);

  // 1. Whatever the ustar header cannot hold becomes a PAX record.
  const records: [key: string, value: Uint8Array][] = [];
  if (!fitsText(path, HEADER_FIELDS.name[1])) records.push(['path', encodeLatin1(path)]);
  if (!fitsText(target, HEADER_FIELDS.linkName[1])) records.push(['linkpath', encodeLatin1(target)]);
  for (const key of ['size', 'uid', 'gid'] as const) {
    const value = key === 'size' ? size : entry[key];
    if (!fitsOctal(BigInt(value), HEADER_FIELDS[key][1])) records.push([key, encodeLatin1(String(value))]);
  }
  const { seconds, nanos } = entry.mtime;
  if (nanos !== 0 || (seconds >= 0n && !fitsOctal(seconds, HEADER_FIELDS.mtime[1]))) {
    records.push(['mtime', encodeLatin1(formatTime(seconds, nanos))]);
  }
  for (const [name, value] of [...(entry.xattrs ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))) {
    records.push([PAX_XATTR_PREFIX + name, value]);
  }

  // 2. The PAX header comes first, then the entry's own.
  const header = encodeUstar(entry, path, size, target);
  if (records.length === 0) return header;
  const body = concatBytes(records.map(([key, value]) => encodePaxRecord(key, value)));
  if (body.length > MAX_EXTENSION_SIZE) {
    throw cannot(entry, `extension data of ${body.length} bytes exceeds ${MAX_EXTENSION_SIZE}`);
  }
  return concatBytes([encodePaxHeader(path, body.length), body, tarPadding(body.length), header]);
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts its own digits. */
export function encodePaxRecord(key: string, value: Uint8Array): Uint8Array {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length = rest + String(length).length;
  return concatBytes([encodeLatin1(`${length} ${key}=`), value, encodeLatin1('\n')]);
}

function writtenPath(entry: TarEntry): string {
  if (entry.type !== 'directory') return entry.path;
  return entry.path === '' ? './' : `${entry.path}/`;
}

function encodeUstar(entry: TarEntry, path: string, size: number, target: string): Uint8Array {
  const block = Buffer.alloc(TAR_BLOCK);
  putText(block, 'name', path);
  putOctal(block, 'mode', BigInt(entry.mode));
  putOctal(block, 'uid', BigInt(entry.uid));
  putOctal(block, 'gid', BigInt(entry.gid));
  putOctal(block, 'size', BigInt(size));
  if (entry.mtime.seconds < 0n) putBase256(block, 'mtime', entry.mtime.seconds);
  else putOctal(block, 'mtime', entry.mtime.seconds);
  putText(block, 'type', TYPE_FLAGS[entry.type]);
  putText(block, 'linkName', target);
  putOctal(block, 'deviceMajor', BigInt(entry.device?.major ?? 0));
  putOctal(block, 'deviceMinor', BigInt(entry.device?.minor ?? 0));
  return seal(block);
}

function encodePaxHeader(path: string, size: number): Uint8Array {
  const block = Buffer.alloc(TAR_BLOCK);
  // Readers ignore this name; those that know no PAX see a file of it.
  const shown = path
    .replace(/\/$/, '')
    .replace(/^.*\//s, '')
    .replaceAll(/[^\x20-\x7e]/g, '_');
  putText(block, 'name', `PaxHeaders/${shown}`);
  putOctal(block, 'mode', 0o644n);
  for (const field of ['uid', 'gid', 'mtime', 'deviceMajor', 'deviceMinor'] as const)
    putOctal(block, field, 0n);
  putOctal(block, 'size', BigInt(size));
  putText(block, 'type', 'x');
  return seal(block);
}

/** Magic, version, and the checksum: the sum of all bytes with the checksum field taken as spaces. */
function seal(block: Buffer): Uint8Array {
  putText(block, 'magic', USTAR_MAGIC);
  putText(block, 'checksum', '        ');
  let sum = 0;
  for (const byte of block) sum += byte;
  putText(block, 'checksum', `${sum.toString(8).padStart(6, '0')}\0 `);
  return block;
}

type Field = keyof typeof HEADER_FIELDS;

function putText(block: Buffer, field: Field, text: string): void {
  const [offset, length] = HEADER_FIELDS[field];
  block.write(text.slice(0, length), offset, 'latin1');
}

/** Digits and a final NUL. A value that does not fit is written as 0: a PAX record overrides it. */
function putOctal(block: Buffer, field: Field, value: bigint): void {
  const digits = HEADER_FIELDS[field][1] - 1;
  const written = fitsOctal(value, digits + 1) ? value : 0n;
  putText(block, field, written.toString(8).padStart(digits, '0'));
}

/** GNU's binary numbers: two's complement, big-endian, the top bit of the first byte set as a mark. */
function putBase256(block: Buffer, field: Field, value: bigint): void {
  const [offset, length] = HEADER_FIELDS[field];
  let rest = value;
  for (let at = offset + length - 1; at >= offset; at--) {
    block[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  block.writeUInt8(block.readUInt8(offset) | 0x80, offset);
}

function fitsOctal(value: bigint, length: number): boolean {
  return value >= 0n && value < 1n << BigInt(3 * (length - 1));
}

/** The header fields are for ASCII; any other byte goes into a PAX record, unchanged. */
function fitsText(text: string, length: number): boolean {
  return text.length <= length && Buffer.byteLength(text, 'utf8') === text.length;
}

function formatTime(seconds: bigint, nanos: number): string {
  return nanos === 0 ? String(seconds) : `${seconds}.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`;
}

function checkEntry(entry: TarEntry, path: string, size: number, target: string): void {
  if (path === '' || path.includes('\0') || target.includes('\0'))
    throw cannot(entry, 'empty name or NUL in a name');
  for (const [what, value] of Object.entries({ mode: entry.mode, uid: entry.uid, gid: entry.gid, size })) {
    if (!Number.isSafeInteger(value) || value < 0)
      throw cannot(entry, `${what} ${value} is no natural number`);
  }
  if (entry.mode > 0o7777)
    throw cannot(entry, `mode 0${entry.mode.toString(8)} is more than permission bits`);
  if (size !== 0 && entry.type !== 'file') throw cannot(entry, `a ${entry.type} with a payload`);
  if ((entry.type === 'symlink' || entry.type === 'hardlink') !== (target !== '')) {
    throw cannot(entry, 'links, and only links, have a target');
  }
  if ((entry.type === 'character' || entry.type === 'block') !== (entry.device !== undefined)) {
    throw cannot(entry, 'devices, and only devices, have device numbers');
  }
  const { major = 0, minor = 0 } = entry.device ?? {};
  if (!(major >= 0 && major <= 0xfff && minor >= 0 && minor <= 0xfffff)) {
    throw cannot(entry, `device ${major}:${minor} is beyond 4095:1048575`);
  }
  const { seconds, nanos } = entry.mtime;
  if (!Number.isInteger(nanos) || nanos < 0 || nanos > 999_999_999)
    throw cannot(entry, `nanoseconds ${nanos}`);
  if (seconds < -(1n << 63n) || seconds >= 1n << 63n)
    throw cannot(entry, `time ${seconds} needs over 64 bits`);
  if (seconds < 0n && nanos !== 0) throw cannot(entry, 'a time before 1970 with a fraction');
  for (const name of entry.xattrs?.keys() ?? []) {
    if (name === '' || /[=\0]/.test(name) || decodeUtf8(encodeLatin1(name)) === undefined)
      throw cannot(entry, `extended attribute name ${JSON.stringify(name)}`);
  }
}

function cannot(entry: TarEntry, why: string): BootsealError {
  return new BootsealError('tar/cannot-encode', `cannot write a tar header: ${why}`, {
    where: JSON.stringify(entry.path),
  });
}
