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
  for (const part of hashedParts(file, pe)) hash.update(part);
  return hash.digest();
}

/** The same, with pauses in which other work of the process goes on: 60 MiB take a noticeable time. */
export async function authenticodeDigestInSlices(file: Parts, pe: PeImage): Promise<Uint8Array> {
  const hash = createHash('sha256');
  for (const part of hashedParts(file, pe)) {
    for (let at = 0; at < part.length; at += SLICE) {
      hash.update(part.subarray(at, at + SLICE));
      if (part.length - at > SLICE) await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return hash.digest();
}

/** Some 5 ms of hashing. */
const SLICE = 8 * 1024 * 1024;

function hashedParts(file: Parts, pe: PeImage): Uint8Array[] {
  const end = unsignedSize(pe);
  const parts = hashedRanges(pe, end).flatMap(([from, to]) => sliceParts(file, from, to));
  // 5. A file whose length is no multiple of 8 is hashed as if zeros followed; signers write them.
  return [...parts, new Uint8Array(roundUp(end, CERTIFICATE_ALIGNMENT) - end)];
}

/** The ranges between the holes: CheckSum, the security directory entry and the certificate table. */
function hashedRanges(pe: PeImage, end: number): [number, number][] {
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
