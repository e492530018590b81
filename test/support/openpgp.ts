/** OpenPGP keys and messages made for tests: good ones by OpenPGP.js, and others put together packet by packet. */
import { deflateRawSync } from 'node:zlib';
import * as openpgp from 'openpgp';
import { concatBytes } from '../../src/bytes/bytes.ts';

export { openpgp };

export const NOW = Math.floor(Date.now() / 1000);
/** Well before any test runs. */
export const PAST = new Date('2024-01-15T12:00:00Z');

export interface KeyShape {
  readonly created?: Date;
  /** Seconds after its creation. */
  readonly lifetime?: number;
  readonly signingSubkey?: boolean;
}

/** Ed25519 in the older form that every GnuPG reads. */
export async function makeKey(shape: KeyShape = {}): Promise<openpgp.PrivateKey> {
  const { created = PAST, lifetime, signingSubkey = false } = shape;
  const { privateKey } = await openpgp.generateKey({
    type: 'ecc',
    curve: 'ed25519Legacy',
    userIDs: [{ name: 'Test', email: 'test@example.com' }],
    date: created,
    format: 'object',
    subkeys: signingSubkey ? [{ sign: true }] : [],
    ...(lifetime !== undefined && { keyExpirationTime: lifetime }),
  });
  return privateKey;
}

export function publicBytes(key: openpgp.PrivateKey): Uint8Array {
  return key.toPublic().write();
}

export function fingerprintOf(key: { getFingerprint(): string }): string {
  return key.getFingerprint().toUpperCase();
}

/** One-pass, literal and signature packet, not compressed. */
export async function signedPackets(
  content: Uint8Array,
  key: openpgp.PrivateKey,
  change: (signature: openpgp.SignaturePacket) => void = () => undefined,
): Promise<SignedPackets> {
  const type = openpgp.enums.signature.binary;
  return signPackets(content, key.keyPacket as openpgp.SecretKeyPacket, type, PAST, change);
}

export interface SignedPackets {
  readonly start: Uint8Array;
  readonly literal: Uint8Array;
  readonly signature: Uint8Array;
}

/** With any key packet, signature type and time: also what no program would make. */
export async function signPackets(
  content: Uint8Array,
  key: openpgp.SecretKeyPacket | openpgp.SecretSubkeyPacket,
  type: openpgp.enums.signature,
  date: Date = PAST,
  change: (signature: openpgp.SignaturePacket) => void = () => undefined,
): Promise<SignedPackets> {
  const signature = new openpgp.SignaturePacket();
  signature.version = 4;
  signature.signatureType = type;
  signature.hashAlgorithm = openpgp.enums.hash.sha512;
  signature.publicKeyAlgorithm = key.algorithm;
  signature.issuerKeyID = key.getKeyID();
  signature.issuerKeyVersion = 4;
  signature.issuerFingerprint = key.getFingerprintBytes();
  change(signature);
  const data = { text: null, getBytes: () => content } as unknown as Uint8Array;
  const sign = signature.sign.bind(signature) as (...args: unknown[]) => Promise<void>;
  // A salt would have to fit the hash; the weak ones have none.
  const config = { ...openpgp.config, nonDeterministicSignaturesViaNotation: false };
  await sign(key, data, date, false, config);
  const keyId = Buffer.from(key.getKeyID().toHex(), 'hex');
  return {
    start: packet(
      4,
      Uint8Array.of(
        3,
        signature.signatureType ?? 0,
        signature.hashAlgorithm ?? 0,
        key.algorithm,
        ...keyId,
        1,
      ),
    ),
    literal: literal(content),
    signature: packet(2, (signature as unknown as { write(): Uint8Array }).write()),
  };
}

export function flat({ start, literal: text, signature }: SignedPackets): Uint8Array {
  return concatBytes([start, text, signature]);
}

/** In a packet of indeterminate length, as gpg does it: the first byte is 0xa3. */
export function compressed(content: Uint8Array): Uint8Array {
  return concatBytes([Uint8Array.of(0xa3, 1), deflateRawSync(content)]);
}

export function literal(content: Uint8Array, fileName = '', format = 'b'): Uint8Array {
  const name = Buffer.from(fileName);
  return packet(
    11,
    concatBytes([Buffer.from(format), Uint8Array.of(name.length), name, new Uint8Array(4), content]),
  );
}

/** With a length in five octets, which any body can have. */
export function packet(tag: number, body: Uint8Array): Uint8Array {
  const header = Buffer.alloc(6);
  header[0] = 0xc0 | tag;
  header[1] = 0xff;
  header.writeUInt32BE(body.length, 2);
  return concatBytes([header, body]);
}
