/**
 * fs-verity as the kernel defines it (Documentation/filesystems/fsverity.rst): 4096-byte blocks, no salt.
 * The file digest is the hash of a descriptor that holds the root of a Merkle tree over the blocks.
 */
export const VERITY_BLOCK = 4096;

export type VerityAlgorithm = 'sha256' | 'sha512';

/** Bytes of one digest. */
export const VERITY_DIGEST_SIZE: Readonly<Record<VerityAlgorithm, number>> = { sha256: 32, sha512: 64 };

/** FS_VERITY_HASH_ALG_*. */
export const VERITY_HASH_ID: Readonly<Record<VerityAlgorithm, number>> = { sha256: 1, sha512: 2 };

const DESCRIPTOR_SIZE = 256;

/** `struct fsverity_descriptor`, in disk order. `size` is that of the file in bytes. */
export function encodeVerityDescriptor(
  algorithm: VerityAlgorithm,
  size: number,
  root: Uint8Array,
): Uint8Array {
  const descriptor = new Uint8Array(DESCRIPTOR_SIZE);
  const view = new DataView(descriptor.buffer);
  view.setUint8(0, 1); // version
  view.setUint8(1, VERITY_HASH_ID[algorithm]);
  view.setUint8(2, Math.log2(VERITY_BLOCK));
  view.setUint8(3, 0); // salt size
  view.setBigUint64(8, BigInt(size), true);
  descriptor.set(root, 16); // 64 bytes, zero padded; salt and reserved bytes follow
  return descriptor;
}
