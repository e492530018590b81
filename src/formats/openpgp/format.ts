/** Numbers of OpenPGP (RFC 9580, and RFC 4880 before it) that simple signing needs. */

export const TAGS = {
  signature: 2,
  onePassSignature: 4,
  secretKey: 5,
  publicKey: 6,
  secretSubkey: 7,
  compressed: 8,
  marker: 10,
  literal: 11,
  trust: 12,
  userId: 13,
  publicSubkey: 14,
  userAttribute: 17,
} as const;

/** Signature types, RFC 9580 section 5.2.1. */
export const SIGNATURE_TYPES = {
  binary: 0x00,
  text: 0x01,
  certifications: [0x10, 0x11, 0x12, 0x13],
  subkeyBinding: 0x18,
  primaryKeyBinding: 0x19,
  directKey: 0x1f,
  keyRevocation: 0x20,
  subkeyRevocation: 0x28,
  certificationRevocation: 0x30,
} as const;

/** Subpacket types, section 5.2.3.7. */
export const SUBPACKETS = {
  creationTime: 2,
  expirationTime: 3,
  exportable: 4,
  keyExpirationTime: 9,
  revocationKey: 12,
  issuerKeyId: 16,
  notation: 20,
  keyFlags: 27,
  embeddedSignature: 32,
  issuerFingerprint: 33,
} as const;

/** Types that say nothing about validity, or that are read: what a critical bit on them asks for is given. */
export const UNDERSTOOD_SUBPACKETS: ReadonlySet<number> = new Set([
  2, 3, 4, 5, 7, 9, 11, 12, 16, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 32, 33, 34,
]);

/** Key flag: this key may sign data. Section 5.2.3.29. */
export const MAY_SIGN = 0x02;

/**
 * Hash algorithms that GnuPG takes by default: SHA-1, RIPEMD-160, SHA-2 and SHA-3. MD5 it calls weak and refuses.
 */
export const HASH_ALGORITHMS: ReadonlySet<number> = new Set([2, 3, 8, 9, 10, 11, 12, 14]);

/** Public-key algorithms that sign: RSA, RSA sign-only, DSA, ECDSA, EdDSA (the older form), Ed25519, Ed448. */
export const SIGNING_ALGORITHMS: ReadonlySet<number> = new Set([1, 3, 17, 19, 22, 27, 28]);

/** containers/image reads at most 4 MiB for one signature from a server; real ones are below 1 KiB. */
export const MAX_MESSAGE_SIZE: number = 4 * 1024 * 1024;

/** The packets inside a compressed packet. Upstream has no limit here, and so lets a small message fill its memory. */
export const MAX_DECOMPRESSED_SIZE: number = 4 * 1024 * 1024;

/** Keyrings of distributions are some 100 KiB. */
export const MAX_KEYRING_SIZE: number = 4 * 1024 * 1024;

/** Packets of one keyring: the certifications of a few thousand keys. */
export const MAX_KEYRING_PACKETS = 50_000;

/** Signatures of a key over itself and its parts; real keys have tens. Each is tried on each part. */
export const MAX_SELF_SIGNATURES = 300;
export const MAX_COMPONENTS = 100;
