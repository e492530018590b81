/** ECDSA on curves that OpenPGP.js leaves to a package of its own; Node has them. RFC 9580 sections 5.2.3.2 and 9.2. */
import { createPublicKey, verify } from 'node:crypto';
import { concatBytes } from '../../bytes/bytes.ts';
import { encodeHex } from '../../bytes/hex.ts';
import { bitString, encodeElement, oid, sequence } from '../der/writer.ts';
import { TAG } from '../der/reader.ts';
import { readNumber } from './packets.ts';
import type { Signature } from './signature.ts';

const ECDSA = 19;

/** Object identifier, and bytes of a number on the curve. */
const CURVES: ReadonlyMap<string, number> = new Map([
  ['2b8104000a', 32], // secp256k1
  ['2b2403030208010107', 32], // brainpoolP256r1
  ['2b240303020801010b', 48], // brainpoolP384r1
  ['2b240303020801010d', 64], // brainpoolP512r1
]);

const HASHES: ReadonlyMap<number, string> = new Map([
  [2, 'sha1'],
  [3, 'ripemd160'],
  [8, 'sha256'],
  [9, 'sha384'],
  [10, 'sha512'],
  [11, 'sha224'],
  [12, 'sha3-256'],
  [14, 'sha3-512'],
]);

/** Undefined where the key is of another kind. `keyBody`: a key packet of version 4; `data`: what the signature is over. */
export function verifyOnOtherCurve(
  signature: Signature,
  data: Uint8Array,
  keyBody: Uint8Array,
): boolean | undefined {
  if (keyBody[5] !== ECDSA) return undefined;
  const curve = keyBody.subarray(7, 7 + keyBody[6]);
  const size = CURVES.get(encodeHex(curve));
  if (size === undefined) return undefined;
  const hash = HASHES.get(signature.hashAlgorithm);
  if (hash === undefined || signature.keyAlgorithm !== ECDSA) return false;
  // 1. The key in the form that Node takes.
  const point = readMpi(keyBody, 7 + curve.length);
  if (point.end !== keyBody.length || point.bytes.length !== 1 + 2 * size || point.bytes[0] !== 4)
    return false;
  const parameters = encodeElement(TAG.oid, curve);
  const spki = sequence(sequence(oid('1.2.840.10045.2.1'), parameters), bitString(point.bytes));
  const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  // 2. The two numbers, after the two octets of the hash.
  const { material, hashedPart } = signature;
  const r = readMpi(material, 2);
  const s = readMpi(material, r.end);
  if (s.end !== material.length || r.bytes.length > size || s.bytes.length > size) return false;
  const raw = Buffer.alloc(2 * size);
  raw.set(r.bytes, size - r.bytes.length);
  raw.set(s.bytes, 2 * size - s.bytes.length);
  // 3. What is hashed: the data, the signature's own part, and its length.
  const trailer = Buffer.alloc(6);
  trailer[0] = 4;
  trailer[1] = 0xff;
  trailer.writeUInt32BE(hashedPart.length, 2);
  return verify(hash, concatBytes([data, hashedPart, trailer]), { key, dsaEncoding: 'ieee-p1363' }, raw);
}

/** A number with its length in bits before it. */
function readMpi(bytes: Uint8Array, at: number): { readonly bytes: Uint8Array; readonly end: number } {
  const length = Math.ceil(readNumber(bytes, at, 2) / 8);
  const end = at + 2 + length;
  return { bytes: bytes.subarray(at + 2, end), end };
}
