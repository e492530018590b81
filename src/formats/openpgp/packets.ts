/** The framing of OpenPGP: a sequence of packets, every length checked against what is there (RFC 9580 section 4.2). */
import { concatBytes } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import { TAGS } from './format.ts';

export interface Packet {
  readonly tag: number;
  /** Without header; the chunks of a partial body joined. */
  readonly body: Uint8Array;
  /** Of the header's first byte. */
  readonly offset: number;
  /** The body has no length of its own and runs to the end of the bytes. */
  readonly indeterminate: boolean;
}

/** Only data may come in chunks, or without a length: a key or a signature has one length, or is malformed. */
const STREAMED: ReadonlySet<number> = new Set([TAGS.compressed, TAGS.literal]);

/** The smallest first chunk that the standard allows. */
const MIN_FIRST_CHUNK = 512;

/** Throws `openpgp/malformed-packet` with the offset, `openpgp/too-many-packets`. */
export function readPackets(bytes: Uint8Array, maxPackets: number): Packet[] {
  const packets: Packet[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    if (packets.length === maxPackets) {
      throw new BootsealError('openpgp/too-many-packets', `more than ${maxPackets} OpenPGP packets`, {
        offset,
      });
    }
    const { packet, end } = readPacket(bytes, offset);
    packets.push(packet);
    offset = end;
  }
  return packets;
}

function readPacket(bytes: Uint8Array, offset: number): { readonly packet: Packet; readonly end: number } {
  const header = bytes[offset];
  if ((header & 0x80) === 0) throw malformed('no OpenPGP packet begins here', offset);
  const isNew = (header & 0x40) !== 0;
  const tag = isNew ? header & 0x3f : (header >> 2) & 0x0f;
  if (tag === 0) throw malformed('packet with the reserved tag 0', offset);
  const { body, end, indeterminate } = isNew
    ? readNewBody(bytes, offset, tag)
    : readOldBody(bytes, offset, tag, header & 3);
  return { packet: { tag, body, offset, indeterminate }, end };
}

interface Body {
  readonly body: Uint8Array;
  readonly end: number;
  readonly indeterminate: boolean;
}

function readOldBody(bytes: Uint8Array, offset: number, tag: number, lengthType: number): Body {
  if (lengthType === 3) {
    if (!STREAMED.has(tag)) throw malformed(`packet with tag ${tag} has no length`, offset);
    return { body: bytes.subarray(offset + 1), end: bytes.length, indeterminate: true };
  }
  const size = 1 << lengthType;
  const start = offset + 1 + size;
  const length = readNumber(bytes, offset + 1, size);
  return { body: slice(bytes, start, length, offset), end: start + length, indeterminate: false };
}

function readNewBody(bytes: Uint8Array, offset: number, tag: number): Body {
  const chunks: Uint8Array[] = [];
  let at = offset + 1;
  for (;;) {
    const first = readNumber(bytes, at, 1);
    if (first >= 224 && first < 255) {
      const length = 2 ** (first & 0x1f);
      if (!STREAMED.has(tag)) throw malformed(`packet with tag ${tag} in chunks`, offset);
      if (chunks.length === 0 && length < MIN_FIRST_CHUNK)
        throw malformed('first chunk is too short', offset);
      chunks.push(slice(bytes, at + 1, length, offset));
      at += 1 + length;
      continue;
    }
    const { start, length } = readNewLength(bytes, at);
    const last = slice(bytes, start, length, offset);
    const body = chunks.length === 0 ? last : concatBytes([...chunks, last]);
    return { body, end: start + length, indeterminate: false };
  }
}

/** One, two or five octets; also the lengths of subpackets, which have no chunks. */
export function readNewLength(
  bytes: Uint8Array,
  at: number,
): { readonly start: number; readonly length: number } {
  const first = readNumber(bytes, at, 1);
  if (first < 192) return { start: at + 1, length: first };
  if (first < 255) {
    return { start: at + 2, length: (first - 192) * 256 + readNumber(bytes, at + 1, 1) + 192 };
  }
  return { start: at + 5, length: readNumber(bytes, at + 1, 4) };
}

/** Big-endian, up to four octets. */
export function readNumber(bytes: Uint8Array, at: number, size: number): number {
  if (at + size > bytes.length) throw malformed('cut off', at);
  let value = 0;
  for (let index = 0; index < size; index++) value = value * 256 + bytes[at + index];
  return value;
}

function slice(bytes: Uint8Array, start: number, length: number, offset: number): Uint8Array {
  if (length > bytes.length - start) {
    const message = `packet of ${length} bytes where ${Math.max(bytes.length - start, 0)} remain`;
    throw malformed(message, offset);
  }
  return bytes.subarray(start, start + length);
}

export function malformed(message: string, offset?: number): BootsealError {
  return new BootsealError('openpgp/malformed-packet', message, offset === undefined ? {} : { offset });
}
