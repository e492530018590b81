/** One ustar, GNU or old (v7) header block, taken apart. The fields are those of POSIX.1-2017 pax(1). */
import { decodeLatin1 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import { GNU_MAGIC, HEADER_FIELDS, TAR_BLOCK, USTAR_MAGIC } from './format.ts';
import { readNumber, readOctal } from './numbers.ts';

export interface RawHeader {
  readonly block: Uint8Array;
  readonly type: string;
  /** `v7` headers have neither devices nor extensions. */
  readonly magic: 'ustar' | 'gnu' | 'v7';
  readonly size: number | bigint;
}

/** Checks the checksum, which is the sum of all bytes with its own field taken as spaces. Throws `tar/bad-checksum`. */
export function readHeader(block: Uint8Array): RawHeader {
  const [sumAt, sumLength] = HEADER_FIELDS.checksum;
  let sum = sumLength * 0x20;
  for (let at = 0; at < TAR_BLOCK; at++) sum += block[at];
  for (let at = sumAt; at < sumAt + sumLength; at++) sum -= block[at];
  const stored = readOctal(block, HEADER_FIELDS.checksum, 'checksum');
  if (stored !== sum) {
    throw new BootsealError(
      'tar/bad-checksum',
      `header checksum is ${stored}, but the block sums up to ${sum}`,
    );
  }
  const magic = fieldText(block, HEADER_FIELDS.magic, false);
  return {
    block,
    type: String.fromCharCode(block[HEADER_FIELDS.type[0]]),
    magic: magic === USTAR_MAGIC ? 'ustar' : magic === GNU_MAGIC ? 'gnu' : 'v7',
    size: readNumber(block, HEADER_FIELDS.size, 'size'),
  };
}

export interface HeaderFields {
  readonly name: string;
  readonly linkName: string;
  readonly mode: number | bigint;
  readonly uid: number | bigint;
  readonly gid: number | bigint;
  readonly mtime: number | bigint;
  /** Device numbers; 0 in a v7 header, which has none. */
  readonly major: number;
  readonly minor: number;
}

/** Every field must be readable, also one that a PAX record overrides. Throws `tar/bad-number`. */
export function readFields({ block, magic }: RawHeader): HeaderFields {
  const name = fieldText(block, HEADER_FIELDS.name);
  const prefix = magic === 'ustar' ? fieldText(block, HEADER_FIELDS.prefix) : '';
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkName: fieldText(block, HEADER_FIELDS.linkName),
    mode: readNumber(block, HEADER_FIELDS.mode, 'mode'),
    uid: readNumber(block, HEADER_FIELDS.uid, 'uid'),
    gid: readNumber(block, HEADER_FIELDS.gid, 'gid'),
    mtime: readNumber(block, HEADER_FIELDS.mtime, 'mtime'),
    major: magic === 'v7' ? 0 : readOctal(block, HEADER_FIELDS.deviceMajor, 'device major'),
    minor: magic === 'v7' ? 0 : readOctal(block, HEADER_FIELDS.deviceMinor, 'device minor'),
  };
}

/** Throws `tar/bad-device` for numbers that do not fit the image, and in headers that have no such fields. */
export function checkedDevice(
  { magic }: RawHeader,
  { major, minor }: HeaderFields,
): { major: number; minor: number } {
  if (magic === 'v7')
    throw new BootsealError('tar/bad-device', 'device entry in a header without device numbers');
  if (major > 0xfff || minor > 0xfffff) {
    throw new BootsealError('tar/bad-device', `device ${major}:${minor} is beyond 4095:1048575`);
  }
  return { major, minor };
}

function fieldText(block: Uint8Array, [offset, length]: readonly [number, number], cut = true): string {
  const text = decodeLatin1(block.subarray(offset, offset + length));
  const end = cut ? text.indexOf('\0') : -1;
  return end < 0 ? text : text.slice(0, end);
}
