/** Keyring files → the binary blobs in them (RFC 9580 section 6.2), found as GnuPG finds them when it imports. */
import { decodeLatin1 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';

/** Told apart by the first bit, which every packet has and no text. */
export function isArmored(bytes: Uint8Array): boolean {
  return bytes.length > 0 && (bytes[0] & 0x80) === 0;
}

const BEGIN = /^-----BEGIN PGP ([A-Z ,0-9/]+)-----[ \t]*$/;
const PUBLIC = 'PUBLIC KEY BLOCK';
const PRIVATE = 'PRIVATE KEY BLOCK';

/**
 * The bytes of every public key block. Text around the blocks, header lines, a missing checksum and a missing last line
 * do no harm; a wrong checksum or other characters do. Throws `openpgp/bad-armor`, `openpgp/secret-key`.
 */
export function readArmoredKeys(bytes: Uint8Array): Uint8Array[] {
  const lines = decodeLatin1(bytes).split('\n');
  const blobs: Uint8Array[] = [];
  let at = 0;
  while (at < lines.length) {
    const label = BEGIN.exec(trimEnd(lines[at]))?.[1];
    at += 1;
    if (label === PRIVATE) {
      throw new BootsealError(
        'openpgp/secret-key',
        'this is a secret key: a keyring must hold public keys only',
        {
          hint: 'export the public key: gpg --export FINGERPRINT',
        },
      );
    }
    if (label !== PUBLIC) continue;
    const { bytes: blob, next } = readBlock(lines, at);
    blobs.push(blob);
    at = next;
  }
  return blobs;
}

function readBlock(
  lines: readonly string[],
  start: number,
): { readonly bytes: Uint8Array; readonly next: number } {
  let at = start;
  // 1. Headers, up to an empty line.
  while (at < lines.length && /^[A-Za-z-]+: /.test(lines[at])) at += 1;
  if (at < lines.length && trimEnd(lines[at]) === '') at += 1;
  // 2. Base64, up to the checksum or the last line.
  const text: string[] = [];
  let checksum: string | undefined;
  for (; at < lines.length; at++) {
    const line = trimEnd(lines[at]);
    if (line.startsWith('-----END PGP ')) {
      at += 1;
      break;
    }
    if (line === '') continue;
    if (checksum !== undefined) throw bad('text after the checksum', at);
    if (/^=[A-Za-z0-9+/]{4}$/.test(line)) checksum = line.slice(1);
    else if (/^[A-Za-z0-9+/]*={0,2}$/.test(line)) text.push(line);
    else throw bad('a line that is not base64', at);
  }
  const joined = text.join('');
  if (joined.slice(0, -2).includes('=') || joined.length % 4 !== 0) throw bad('incomplete base64', at);
  const bytes = new Uint8Array(Buffer.from(joined, 'base64'));
  if (checksum !== undefined && crc24(bytes) !== Buffer.from(checksum, 'base64').readUIntBE(0, 3)) {
    throw bad('the checksum does not fit', at);
  }
  return { bytes, next: at };
}

function trimEnd(line: string): string {
  return line.replace(/[ \t\r]+$/, '');
}

/** RFC 9580 section 6.1.1. */
function crc24(bytes: Uint8Array): number {
  let crc = 0xb704ce;
  for (const byte of bytes) {
    crc ^= byte << 16;
    for (let bit = 0; bit < 8; bit++) {
      crc <<= 1;
      if ((crc & 0x1000000) !== 0) crc ^= 0x1864cfb;
    }
  }
  return crc & 0xffffff;
}

function bad(what: string, line: number): BootsealError {
  return new BootsealError('openpgp/bad-armor', `armored key, line ${line + 1}: ${what}`);
}
