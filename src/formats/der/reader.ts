/**
 * A strict reader of DER (ITU-T X.690). It refuses what BER allows and DER does not: indefinite and
 * over-long lengths, numbers with superfluous octets, booleans other than 00 and FF, and bytes after the
 * end. Elements are views into the input and children are read on demand, so that a format may keep a part
 * opaque.
 */
import { BootsealError } from '../../errors.ts';
import { formatOid } from './oid.ts';

/** No structure that we read nests deeper than 20; certificates of the wild stay below 12. */
const MAX_DEPTH = 32;

/** Identifier octets of the universal types in use. Context tags: {@link contextTag}. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** The identifier octet of `[number]`; constructed unless it replaces the tag of a primitive type. */
export function contextTag(number: number, constructed = true): number {
  return 0x80 | (constructed ? 0x20 : 0) | number;
}

export interface DerElement {
  /** The identifier octet: class, constructed bit and number. */
  readonly tag: number;
  /** Offset of the identifier octet from the start of the input. */
  readonly offset: number;
  /** Identifier, length and contents octets. */
  readonly encoded: Uint8Array;
  readonly contents: Uint8Array;
  /** How many elements enclose this one. */
  readonly depth: number;
}

/** Reads the one element that `bytes` must consist of. */
export function readDer(bytes: Uint8Array): DerElement {
  const element = readDerPrefix(bytes);
  if (element.encoded.length !== bytes.length) {
    throw fail(
      'trailing-data',
      `${bytes.length - element.encoded.length} bytes follow the end`,
      element.encoded.length,
    );
  }
  return element;
}

/** Reads the element at the start of `bytes`, whatever follows it. */
export function readDerPrefix(bytes: Uint8Array): DerElement {
  return readAt(bytes, 0, 0, 0);
}

/** The elements inside a constructed element, in order. */
export function readChildren(parent: DerElement): DerElement[] {
  if ((parent.tag & 0x20) === 0)
    throw fail('not-constructed', 'a primitive element has no children', parent.offset);
  if (parent.depth + 1 >= MAX_DEPTH) throw fail('too-deep', `nested deeper than ${MAX_DEPTH}`, parent.offset);
  const contentsAt = parent.offset + parent.encoded.length - parent.contents.length;
  const children: DerElement[] = [];
  for (let at = 0; at < parent.contents.length;) {
    const child = readAt(parent.contents, at, contentsAt, parent.depth + 1);
    children.push(child);
    at += child.encoded.length;
  }
  return children;
}

/** The children of an element that must have `tag`. */
export function readConstructed(element: DerElement | undefined, tag: number, what: string): DerElement[] {
  return readChildren(expectTag(element, tag, what));
}

/** The element itself, when it is there and has `tag`. `what` names it in the error. */
export function expectTag(element: DerElement | undefined, tag: number, what: string): DerElement {
  if (element === undefined) throw fail('missing', `${what} is missing`);
  if (element.tag !== tag) {
    throw fail(
      'wrong-tag',
      `${what}: expected tag ${hexTag(tag)}, found ${hexTag(element.tag)}`,
      element.offset,
    );
  }
  return element;
}

/** A list of children consumed from the front; {@link DerFields.end} refuses what is left. */
export class DerFields {
  readonly #elements: readonly DerElement[];
  readonly #what: string;
  #next = 0;

  constructor(element: DerElement | undefined, tag: number, what: string) {
    this.#elements = readConstructed(element, tag, what);
    this.#what = what;
  }

  /** The next element, which must have `tag`. */
  take(tag: number, what: string): DerElement {
    const element = expectTag(this.#elements[this.#next], tag, `${this.#what}: ${what}`);
    this.#next += 1;
    return element;
  }

  /** The next element whatever its tag. */
  takeAny(what: string): DerElement {
    const element = this.#elements[this.#next];
    if (element === undefined) throw fail('missing', `${this.#what}: ${what} is missing`);
    this.#next += 1;
    return element;
  }

  /** The next element when it has `tag`, else undefined and nothing is consumed. */
  optional(tag: number): DerElement | undefined {
    const element = this.#elements[this.#next];
    if (element?.tag !== tag) return undefined;
    this.#next += 1;
    return element;
  }

  end(): void {
    const extra = this.#elements[this.#next];
    if (extra !== undefined) {
      throw fail('unexpected', `${this.#what}: an element too many, tag ${hexTag(extra.tag)}`, extra.offset);
    }
  }
}

/** Dotted text of an OBJECT IDENTIFIER. */
export function readOid(element: DerElement): string {
  expectTag(element, TAG.oid, 'object identifier');
  return formatOid(element.contents, element.offset);
}

/** Contents octets of an INTEGER: two's complement, big-endian, as short as can be. */
export function readIntegerBytes(element: DerElement): Uint8Array {
  const { contents } = expectTag(element, TAG.integer, 'integer');
  if (contents.length === 0) throw fail('bad-integer', 'an integer without octets', element.offset);
  if (contents.length > 1) {
    const redundant = contents[0] === 0 ? contents[1] < 0x80 : contents[0] === 0xff && contents[1] >= 0x80;
    if (redundant) throw fail('bad-integer', 'an integer with superfluous octets', element.offset);
  }
  return contents;
}

/** An INTEGER from 0 to 2^31 - 1, such as a version. */
export function readSmallInteger(element: DerElement): number {
  const contents = readIntegerBytes(element);
  if (contents.length > 4 || contents[0] >= 0x80) {
    throw fail('bad-integer', 'expected a small number that is not negative', element.offset);
  }
  return contents.reduce((value, octet) => value * 256 + octet, 0);
}

export function readBoolean(element: DerElement): boolean {
  const { contents } = expectTag(element, TAG.boolean, 'boolean');
  if (contents.length !== 1 || (contents[0] !== 0 && contents[0] !== 0xff)) {
    throw fail('bad-boolean', 'a boolean is one octet, 00 or FF', element.offset);
  }
  return contents[0] === 0xff;
}

export interface BitString {
  readonly bytes: Uint8Array;
  /** Bits of the last octet that do not count; they must be zero. */
  readonly unusedBits: number;
}

export function readBitString(element: DerElement): BitString {
  const { contents } = expectTag(element, TAG.bitString, 'bit string');
  const unusedBits = contents[0];
  if (unusedBits === undefined || unusedBits > 7 || (unusedBits > 0 && contents.length === 1)) {
    throw fail('bad-bit-string', 'the count of unused bits is wrong', element.offset);
  }
  const last = contents.at(-1)!;
  if ((last & ((1 << unusedBits) - 1)) !== 0) {
    throw fail('bad-bit-string', 'unused bits are not zero', element.offset);
  }
  return { bytes: contents.subarray(1), unusedBits };
}

/** UTCTime or GeneralizedTime in UTC with seconds and without fractions (RFC 5280 section 4.1.2.5). */
export function readTime(element: DerElement): Date {
  const text = Buffer.from(element.contents).toString('latin1');
  const match =
    element.tag === TAG.utcTime
      ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
      : element.tag === TAG.generalizedTime
        ? /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
        : null;
  if (match === null) throw fail('bad-time', 'expected YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ', element.offset);
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const full = element.tag === TAG.utcTime ? (year < 50 ? 2000 : 1900) + year : year;
  const time = new Date(0);
  time.setUTCFullYear(full, month - 1, day);
  time.setUTCHours(hour, minute, second);
  // A day or hour out of range would have rolled over into the next.
  if (
    time.getUTCMonth() !== month - 1 ||
    time.getUTCDate() !== day ||
    hour > 23 ||
    minute > 59 ||
    second > 59
  ) {
    throw fail('bad-time', 'no such date', element.offset);
  }
  return time;
}

function readAt(bytes: Uint8Array, start: number, base: number, depth: number): DerElement {
  const offset = base + start;
  const tag = bytes[start];
  if (tag === undefined) throw fail('truncated', 'an element is cut off', offset);
  if ((tag & 0x1f) === 0x1f) throw fail('bad-tag', 'tag numbers above 30 are not used here', offset);
  let at = start + 1;
  const first = bytes[at++];
  if (first === undefined) throw fail('truncated', 'a length is cut off', offset);
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    // 0 is the indefinite form. Four octets reach 4 GiB, more than any input.
    if (count === 0 || count > 4) throw fail('bad-length', 'indefinite or oversized length', offset);
    if (at + count > bytes.length) throw fail('truncated', 'a length is cut off', offset);
    length = 0;
    for (let index = 0; index < count; index += 1) length = length * 256 + bytes[at++];
    if (length < 0x80 || bytes[at - count] === 0)
      throw fail('bad-length', 'a length is not the shortest', offset);
  }
  if (length > bytes.length - at) {
    throw fail('truncated', `an element of ${length} bytes is cut off, ${bytes.length - at} remain`, offset);
  }
  return {
    tag,
    offset,
    encoded: bytes.subarray(start, at + length),
    contents: bytes.subarray(at, at + length),
    depth,
  };
}

function hexTag(tag: number): string {
  return `0x${tag.toString(16).padStart(2, '0')}`;
}

function fail(what: string, message: string, offset?: number): BootsealError {
  return new BootsealError(`der/${what}`, message, offset === undefined ? {} : { offset });
}
