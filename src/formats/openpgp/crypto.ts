/**
 * The one place that calls OpenPGP.js: is this signature over these bytes by this key? Its notions of time, trust and
 * structure stay out of it; those are decided here, where GnuPG's verdicts are the measure. Loaded when a first
 * signature is checked, because it takes as long to load as the rest of a verification takes in all.
 */
import { createRequire } from 'node:module';
import type * as OpenPgp from 'openpgp';
import { concatBytes } from '../../bytes/bytes.ts';
import { verifyOnOtherCurve } from './other-curves.ts';
import type { Signature } from './signature.ts';

let library: typeof OpenPgp | undefined;

function openpgp(): typeof OpenPgp {
  // The CommonJS form is minified and loads in half the time of the other.
  library ??= createRequire(import.meta.url)('openpgp') as typeof OpenPgp;
  return library;
}

export interface VerifyingKey {
  readonly algorithm: number;
  /** Seconds since 1970. */
  readonly created: number;
  readonly packet: OpenPgp.PublicKeyPacket;
  readonly body: Uint8Array;
}

/** Parts of the package that its types leave out. */
interface ReadableSignature {
  read(body: Uint8Array, config: OpenPgp.Config): void;
  issuerKeyID: OpenPgp.KeyID;
  unknownSubpackets: unknown[];
  rawNotations: unknown[];
  revocationKeyClass: number | null;
}

/** Undefined for an algorithm or curve that is not supported, and for malformed numbers. */
export async function readVerifyingKey(body: Uint8Array): Promise<VerifyingKey | undefined> {
  const { PublicKeyPacket, config } = openpgp();
  const key = new PublicKeyPacket();
  try {
    const length = await (
      key as unknown as { read(bytes: Uint8Array, config: OpenPgp.Config): Promise<number> }
    ).read(body, config);
    if (length !== body.length) return undefined;
    return { algorithm: key.algorithm, created: key.created.getTime() / 1000, packet: key, body };
  } catch {
    return undefined;
  }
}

/** Cryptography only: no time, no usage, no structure. `data` is what was hashed before the signature's own part. */
export async function isSignatureOver(
  signature: Signature,
  data: Uint8Array,
  key: VerifyingKey,
): Promise<boolean> {
  const { SignaturePacket, config, enums } = openpgp();
  const { packet: publicKey } = key;
  const packet = new SignaturePacket();
  const details = packet as unknown as ReadableSignature;
  try {
    const elsewhere = verifyOnOtherCurve(signature, data, key.body);
    if (elsewhere !== undefined) return elsewhere;
    // 1. The packet anew, without the area that nothing signs.
    details.read(concatBytes([signature.hashedPart, new Uint8Array(2), signature.material]), config);
    // 2. What we have judged ourselves already is not for the package to judge.
    details.issuerKeyID = publicKey.getKeyID();
    details.unknownSubpackets = [];
    details.rawNotations = [];
    details.revocationKeyClass = null;
    // 3. Any type of signature is one over bytes, once the bytes have been put together.
    const hashed = { text: null, getBytes: () => data };
    const noTime = null as unknown as Date;
    const anyHash = { ...config, rejectHashAlgorithms: new Set(), rejectMessageHashAlgorithms: new Set() };
    await packet.verify(publicKey, enums.signature.binary, hashed, noTime, false, anyHash as OpenPgp.Config);
    return true;
  } catch {
    return false;
  }
}

/** A key as it enters a hash, RFC 9580 section 5.2.4. */
export function hashedKey(body: Uint8Array): Uint8Array {
  return concatBytes([Uint8Array.of(0x99, body.length >> 8, body.length & 0xff), body]);
}

/** A user ID (tag 13) or a user attribute (tag 17) as it enters a hash. */
export function hashedUser(tag: number, body: Uint8Array): Uint8Array {
  const header = new DataView(new ArrayBuffer(5));
  header.setUint8(0, tag === 13 ? 0xb4 : 0xd1);
  header.setUint32(1, body.length);
  return concatBytes([new Uint8Array(header.buffer), body]);
}
