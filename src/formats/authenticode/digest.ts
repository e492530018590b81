/**
 * The Authenticode hash of a PE file (Windows Authenticode Portable Executable Signature Format, "Calculating
 * the PE Image Hash"). The files hashed here passed `checkLayout`, so that walking the sections in file order
 * and reading the file from front to back are the same thing.
 */
import { createHash } from 'node:crypto';
import { sliceParts, type Parts } from '../../bytes/rope.ts';
import { CERTIFICATE_ALIGNMENT, roundUp } from '../pe/format.ts';
import { unsignedSize, type PeImage } from '../pe/reader.ts';

/** SHA-1 only for verdicts of programs that still take it. */
export type ImageHash = 'sha1' | 'sha256' | 'sha384' | 'sha512';

/** Hashes the parts of `file` that a signature covers; `pe` are its headers. */
export function authenticodeDigest(file: Parts, pe: PeImage, algorithm: ImageHash = 'sha256'): Uint8Array {
  const hash = createHash(algorithm);
  const end = unsignedSize(pe);
  for (const [from, to] of hashedRanges(pe, end)) {
    for (const part of sliceParts(file, from, to)) hash.update(part);
  }
  // 5. A file whose length is no multiple of 8 is hashed as if zeros followed; signers write them.
  hash.update(new Uint8Array(roundUp(end, CERTIFICATE_ALIGNMENT) - end));
  return hash.digest();
}

/** The ranges between the holes: CheckSum, the security directory entry and the certificate table. */
export function hashedRanges(pe: PeImage, end: number): [number, number][] {
  // 1. From the start to CheckSum, 4 bytes.
  const afterCheckSum = pe.checkSumOffset + 4;
  // 2. A header without a security directory has no second hole.
  if (pe.securityEntryOffset === undefined) {
    return [
      [0, pe.checkSumOffset],
      [afterCheckSum, end],
    ];
  }
  return [
    [0, pe.checkSumOffset],
    // 3. On to the security directory entry, 8 bytes.
    [afterCheckSum, pe.securityEntryOffset],
    // 4. The rest of the headers, the sections, and whatever follows up to the certificate table.
    [pe.securityEntryOffset + 8, end],
  ];
}
