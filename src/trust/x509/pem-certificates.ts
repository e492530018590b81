/** Certificates in PEM, as the peers load them: a bundle of roots leniently, everything else as a whole. */
import { BootsealError, isBootsealError } from '../../errors.ts';
import { readPemBlocks } from '../../formats/cosign/pem.ts';
import { MAX_POOL_SIZE } from './limits.ts';
import { readPathCertificate, type PathCertificate } from './path-certificate.ts';

const MAX_POOL = 2000;

/** What comes with a signature. Go sets no limit; a real chain has three certificates in 8 KiB. */
const MAX_CHAIN_SIZE = 64 * 1024;
const MAX_CHAIN = 20;

/**
 * Trusted roots: blocks that are no certificate, have header lines or cannot be read are left out, because fewer
 * roots trust less. Undefined when none is left. Throws `pem/too-large`, `x509/too-many`.
 */
export function readRoots(file: Uint8Array): readonly PathCertificate[] | undefined {
  const roots: PathCertificate[] = [];
  for (const { label, bytes, hasHeaders } of readPemBlocks(file, MAX_POOL_SIZE)) {
    if (label !== 'CERTIFICATE' || hasHeaders) continue;
    try {
      roots.push(readPathCertificate(bytes));
    } catch (error) {
      if (!isBootsealError(error)) throw error;
    }
    limitCount(roots, MAX_POOL);
  }
  return roots.length > 0 ? roots : undefined;
}

/** Intermediates of a policy. Throws `x509/…` for the first thing that is not a certificate. */
export function readIntermediates(file: Uint8Array): readonly PathCertificate[] {
  return readAll(file, MAX_POOL_SIZE, MAX_POOL);
}

/** Certificates that came with a signature. Throws as {@link readIntermediates} does, and for more than a chain. */
export function readSignatureCertificates(text: Uint8Array): readonly PathCertificate[] {
  return readAll(text, MAX_CHAIN_SIZE, MAX_CHAIN);
}

/** Each block, whatever its label, must be a certificate, and nothing may follow the last but white space. */
function readAll(file: Uint8Array, maxSize: number, maxCount: number): readonly PathCertificate[] {
  const certificates: PathCertificate[] = [];
  const trimmed = trimSpace(file);
  let end = 0;
  for (const block of readPemBlocks(trimmed, maxSize)) {
    certificates.push(readPathCertificate(block.bytes));
    limitCount(certificates, maxCount);
    end = block.end;
  }
  if (end < trimmed.length) throw new BootsealError('x509/malformed', 'error during PEM decoding');
  return certificates;
}

function limitCount(certificates: readonly unknown[], max: number): void {
  if (certificates.length > max) throw new BootsealError('x509/too-many', `more than ${max} certificates`);
}

function trimSpace(bytes: Uint8Array): Uint8Array {
  const isSpace = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
  let start = 0;
  let end = bytes.length;
  while (start < end && isSpace(bytes[start])) start += 1;
  while (end > start && isSpace(bytes[end - 1])) end -= 1;
  return bytes.subarray(start, end);
}
