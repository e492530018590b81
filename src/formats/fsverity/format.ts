/**
 * fs-verity as the kernel defines it (Documentation/filesystems/fsverity.rst). The file digest is the hash of a
 * descriptor that holds the root of a Merkle tree over the blocks. composefs has blocks of 4096 bytes and no salt.
 */
import { BootsealError } from '../../errors.ts';

export const VERITY_BLOCK = 4096;

export type VerityAlgorithm = 'sha256' | 'sha512';

/** Bytes of one digest. */
export const VERITY_DIGEST_SIZE: Readonly<Record<VerityAlgorithm, number>> = { sha256: 32, sha512: 64 };

/** FS_VERITY_HASH_ALG_*. */
export const VERITY_HASH_ID: Readonly<Record<VerityAlgorithm, number>> = { sha256: 1, sha512: 2 };

/** Bytes that the hash takes at once: a salt is padded to it. */
export const HASH_INPUT: Readonly<Record<VerityAlgorithm, number>> = { sha256: 64, sha512: 128 };

export interface VerityOptions {
  /** A power of two from 1024 to 65536; 4096 by default. */
  readonly blockSize?: number;
  /** At most 32 bytes; none by default. */
  readonly salt?: Uint8Array;
}

const MAX_SALT = 32;
const DESCRIPTOR_SIZE = 256;

/** Throws `fsverity/bad-block-size`, `fsverity/bad-salt`. */
export function checkVerityOptions({ blockSize = VERITY_BLOCK, salt }: VerityOptions): void {
  if (!Number.isInteger(blockSize) || blockSize < 1 || !Number.isInteger(Math.log2(blockSize))) {
    throw new BootsealError(
      'fsverity/bad-block-size',
      `Invalid block size: ${blockSize}.  Must be power of 2`,
      { exit: 2 },
    );
  }
  // What Linux can enable on any file system and page size.
  if (blockSize < 1024 || blockSize > 65_536) {
    throw new BootsealError(
      'fsverity/bad-block-size',
      `unsupported block size: ${blockSize}. Linux knows 1024 to 65536`,
      { exit: 2 },
    );
  }
  if (salt !== undefined && salt.length > MAX_SALT) {
    throw new BootsealError('fsverity/bad-salt', `unsupported salt size (${salt.length})`);
  }
}

/** `struct fsverity_descriptor`, in disk order. `size` is that of the file in bytes. */
export function encodeVerityDescriptor(
  algorithm: VerityAlgorithm,
  size: number,
  root: Uint8Array,
  { blockSize = VERITY_BLOCK, salt = new Uint8Array(0) }: VerityOptions = {},
): Uint8Array {
  const descriptor = new Uint8Array(DESCRIPTOR_SIZE);
  const view = new DataView(descriptor.buffer);
  view.setUint8(0, 1); // version
  view.setUint8(1, VERITY_HASH_ID[algorithm]);
  view.setUint8(2, Math.log2(blockSize));
  view.setUint8(3, salt.length);
  view.setBigUint64(8, BigInt(size), true);
  descriptor.set(root, 16); // 64 bytes, zero padded
  descriptor.set(salt, 80); // 32 bytes; reserved ones follow
  return descriptor;
}

/** `struct fsverity_formatted_digest`: what a built-in signature is made over. */
export function encodeSignedDigest(algorithm: VerityAlgorithm, digest: Uint8Array): Uint8Array {
  const signed = Buffer.alloc(12 + digest.length);
  signed.write('FSVerity', 'latin1');
  signed.writeUInt16LE(VERITY_HASH_ID[algorithm], 8);
  signed.writeUInt16LE(digest.length, 10);
  signed.set(digest, 12);
  return signed;
}
