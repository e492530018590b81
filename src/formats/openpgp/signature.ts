/**
 * A signature packet of version 4 (RFC 9580 section 5.2.3), taken apart without believing it. What decides is read from
 * the hashed area alone; from the other one only the issuer, which is a hint for finding the key.
 */
import { encodeHex } from '../../bytes/hex.ts';
import { BootsealError } from '../../errors.ts';
import { SUBPACKETS, UNDERSTOOD_SUBPACKETS } from './format.ts';
import { malformed, readNewLength, readNumber } from './packets.ts';

export interface Signature {
  readonly type: number;
  readonly keyAlgorithm: number;
  readonly hashAlgorithm: number;
  /** Seconds since 1970, as all times here. */
  readonly created: number;
  readonly expires?: number;
  /** Seconds after the creation of the key that it is about. */
  readonly keyLifetime?: number;
  /** The first octet of the key flags; undefined where there are none. */
  readonly keyFlags?: number;
  /** Who made it: fingerprints or, where there is none, key IDs; upper-case hexadecimal. */
  readonly issuers: readonly string[];
  /** Fingerprints of keys that may revoke this one. */
  readonly revokers: readonly string[];
  /** A signature inside this one, by a subkey over its primary key. */
  readonly embedded: readonly Uint8Array[];
  /** What is understood as critical and is not: the signature counts for nothing. */
  readonly unknownCritical?: string;
  readonly exportable: boolean;
  /** Version to the end of the hashed area: what is hashed, with a trailer, after the data. */
  readonly hashedPart: Uint8Array;
  /** From the two octets of the hash to the end. */
  readonly material: Uint8Array;
}

/** Throws `openpgp/unsupported-version`, `openpgp/malformed-packet`, `openpgp/duplicate-subpacket`. */
export function parseSignature(body: Uint8Array): Signature {
  const version = readNumber(body, 0, 1);
  if (version !== 4) {
    throw new BootsealError('openpgp/unsupported-version', `signature packet of version ${version}`);
  }
  const hashedEnd = 6 + readNumber(body, 4, 2);
  const hashed = readArea(body, 6, hashedEnd);
  const unhashedEnd = hashedEnd + 2 + readNumber(body, hashedEnd, 2);
  const unhashed = readArea(body, hashedEnd + 2, unhashedEnd);
  if (body.length < unhashedEnd + 2) throw malformed('signature packet is cut off', unhashedEnd);
  const created = onlyNumber(hashed, SUBPACKETS.creationTime);
  if (created === undefined) throw malformed('signature without a creation time');
  const lifetime = onlyNumber(hashed, SUBPACKETS.expirationTime);
  const keyLifetime = onlyNumber(hashed, SUBPACKETS.keyExpirationTime);
  const flags = only(hashed, SUBPACKETS.keyFlags);
  const exportable = only(hashed, SUBPACKETS.exportable);
  const both = [...hashed, ...unhashed];
  const critical = hashed.find(
    (subpacket) => subpacket.critical && !UNDERSTOOD_SUBPACKETS.has(subpacket.type),
  );
  return {
    type: body[1],
    keyAlgorithm: body[2],
    hashAlgorithm: body[3],
    created,
    // Zero means for ever, as an absent one does.
    ...(lifetime && { expires: created + lifetime }),
    ...(keyLifetime && { keyLifetime }),
    ...(flags && { keyFlags: flags.data[0] ?? 0 }),
    issuers: issuersOf(hashed, unhashed),
    // Class and algorithm come before the fingerprint.
    revokers: hashed.filter(ofType(SUBPACKETS.revocationKey)).map(({ data }) => upperHex(data.subarray(2))),
    embedded: both.filter(ofType(SUBPACKETS.embeddedSignature)).map(({ data }) => data),
    ...(critical && { unknownCritical: `subpacket of type ${critical.type}` }),
    exportable: exportable?.data[0] !== 0,
    hashedPart: body.subarray(0, hashedEnd),
    material: body.subarray(unhashedEnd),
  };
}

export function namesKey({ issuers }: Signature, fingerprint: string): boolean {
  return issuers.some((issuer) => issuer === fingerprint || issuer === fingerprint.slice(-16));
}

/** The most certain of what is said: a signed fingerprint, a signed key ID, then the unsigned ones. */
function issuersOf(hashed: readonly Subpacket[], unhashed: readonly Subpacket[]): readonly string[] {
  for (const area of [hashed, unhashed]) {
    // The first octet is the version of the key.
    const fingerprints = area.filter(ofType(SUBPACKETS.issuerFingerprint));
    if (fingerprints.length > 0) return fingerprints.map(({ data }) => upperHex(data.subarray(1)));
    const keyIds = area.filter(ofType(SUBPACKETS.issuerKeyId));
    if (keyIds.length > 0) return keyIds.map(({ data }) => upperHex(data));
  }
  return [];
}

interface Subpacket {
  readonly type: number;
  readonly critical: boolean;
  readonly data: Uint8Array;
}

function readArea(body: Uint8Array, from: number, to: number): Subpacket[] {
  if (to > body.length) throw malformed('subpackets are cut off', from);
  const subpackets: Subpacket[] = [];
  const area = body.subarray(0, to);
  let at = from;
  while (at < to) {
    const { start, length } = readNewLength(area, at);
    if (length === 0 || length > to - start) throw malformed(`subpacket of ${length} bytes`, at);
    const type = area[start];
    subpackets.push({
      type: type & 0x7f,
      critical: (type & 0x80) !== 0,
      data: area.subarray(start + 1, start + length),
    });
    at = start + length;
  }
  return subpackets;
}

function ofType(type: number): (subpacket: Subpacket) => boolean {
  return (subpacket) => subpacket.type === type;
}

/** Readers differ in which of two they take, so there must not be two. */
function only(area: readonly Subpacket[], type: number): Subpacket | undefined {
  const [first, second] = area.filter(ofType(type));
  if (second !== undefined) {
    throw new BootsealError('openpgp/duplicate-subpacket', `signature with two subpackets of type ${type}`);
  }
  return first;
}

function onlyNumber(area: readonly Subpacket[], type: number): number | undefined {
  const subpacket = only(area, type);
  if (subpacket === undefined) return undefined;
  if (subpacket.data.length !== 4) throw malformed(`time of ${subpacket.data.length} bytes`);
  return readNumber(subpacket.data, 0, 4);
}

function upperHex(bytes: Uint8Array): string {
  return encodeHex(bytes).toUpperCase();
}
