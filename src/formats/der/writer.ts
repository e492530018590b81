/** DER encoding (ITU-T X.690): each function returns one whole element. */
import { compareBytes, concatBytes, encodeUtf8 } from '../../bytes/bytes.ts';
import { encodeOid } from './oid.ts';
import { contextTag, TAG } from './reader.ts';

/** An element with this identifier octet around the joined contents. */
export function encodeElement(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const length = contents.reduce((sum, part) => sum + part.length, 0);
  return concatBytes([Uint8Array.from([tag, ...encodeLength(length)]), ...contents]);
}

export function sequence(...elements: readonly Uint8Array[]): Uint8Array {
  return encodeElement(TAG.sequence, ...elements);
}

/** SET OF: DER sorts the elements by their encoding. */
export function setOf(...elements: readonly Uint8Array[]): Uint8Array {
  return encodeElement(TAG.set, ...sortSet(elements));
}

export function sortSet(elements: readonly Uint8Array[]): Uint8Array[] {
  return [...elements].sort(compareBytes);
}

/** `[number] EXPLICIT`, or IMPLICIT over a constructed type when given its contents. */
export function context(number: number, ...contents: readonly Uint8Array[]): Uint8Array {
  return encodeElement(contextTag(number), ...contents);
}

export function oid(text: string): Uint8Array {
  return encodeElement(TAG.oid, encodeOid(text));
}

/** A small number that is not negative. */
export function integer(value: number): Uint8Array {
  const octets: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return unsignedInteger(Uint8Array.from(octets));
}

/** A big-endian number that is not negative; superfluous zeros are dropped. */
export function unsignedInteger(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length && bytes[start] === 0) start += 1;
  const digits = bytes.subarray(start);
  const sign = digits.length === 0 || digits[0] >= 0x80 ? [0] : [];
  return encodeElement(TAG.integer, Uint8Array.from(sign), digits);
}

export function boolean(value: boolean): Uint8Array {
  return encodeElement(TAG.boolean, Uint8Array.of(value ? 0xff : 0));
}

export function nullValue(): Uint8Array {
  return encodeElement(TAG.null);
}

export function octetString(bytes: Uint8Array): Uint8Array {
  return encodeElement(TAG.octetString, bytes);
}

export function bitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
  return encodeElement(TAG.bitString, Uint8Array.of(unusedBits), bytes);
}

export function utf8String(text: string): Uint8Array {
  return encodeElement(TAG.utf8String, encodeUtf8(text));
}

/** UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280 section 4.1.2.5). Whole seconds. */
export function time(date: Date): Uint8Array {
  const digits = `${date.toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`;
  const year = date.getUTCFullYear();
  return year >= 1950 && year < 2050
    ? encodeElement(TAG.utcTime, encodeUtf8(digits.slice(2)))
    : encodeElement(TAG.generalizedTime, encodeUtf8(digits));
}

/** AlgorithmIdentifier with NULL parameters, as RSA and the SHA family are written in PKCS#7. */
export function algorithm(identifier: string): Uint8Array {
  return sequence(oid(identifier), nullValue());
}

function encodeLength(length: number): number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return [0x80 + octets.length, ...octets];
}
