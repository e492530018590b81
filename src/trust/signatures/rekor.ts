/** A Rekor entry against the keys of the log, and against the signature that it is said to be about. */
import { hash } from 'node:crypto';
import { encodeUtf8, equalBytes } from '../../bytes/bytes.ts';
import { BootsealError, isBootsealError } from '../../errors.ts';
import { readPemBlocks } from '../../formats/cosign/pem.ts';
import type { SigstorePublicKey } from '../../formats/cosign/public-key.ts';
import { parseRekorEntry, parseRekorSet, type RekorEntry } from '../../formats/cosign/rekor-set.ts';
import { verifiesEcdsaDer } from './verify-bytes.ts';

/** A key or a certificate is below 16 KiB. */
const MAX_SIGNER_SIZE = 64 * 1024;

/**
 * The entry, when one of the log's keys (all ECDSA, SHA-256) signed it. What it is about is for the caller to
 * compare: see {@link bindEntry}. Throws `trust/bad-rekor-entry` with the words of containers/image.
 */
export function verifyRekorSet(annotation: string, logKeys: readonly SigstorePublicKey[]): RekorEntry {
  try {
    const { signedEntryTimestamp, payload } = parseRekorSet(encodeUtf8(annotation));
    if (!logKeys.some((key) => verifiesEcdsaDer(key, 'sha256', payload, signedEntryTimestamp)))
      throw bad('cryptographic signature verification of Rekor SET failed');
    return parseRekorEntry(payload);
  } catch (error) {
    throw isBootsealError(error) ? bad(error.message) : error;
  }
}

export interface EntrySubject {
  /** DER of the public key, or of the certificate. */
  readonly signer: Uint8Array;
  readonly signature: Uint8Array;
  readonly payload: Uint8Array;
}

/**
 * An entry is a promise about one key, one signature and one payload. All three must be these, or the entry of
 * another artifact would vouch for this one (CVE-2022-23649, CVE-2026-22703). Throws `trust/bad-rekor-entry`.
 */
export function bindEntry(entry: RekorEntry, subject: EntrySubject): void {
  const logged = readOnlyBlock(entry.publicKey, 'publicKey in Rekor SET');
  if (!equalBytes(logged, subject.signer)) throw bad('publicKey in Rekor SET does not match');
  if (!equalBytes(entry.signature, subject.signature)) throw bad('signature in Rekor SET does not match');
  if (!equalBytes(entry.payloadHash, hash('sha256', subject.payload, 'buffer')))
    throw bad('payload in Rekor SET does not match');
}

/** The bytes of the one PEM block that `file` must be. Throws `trust/bad-rekor-entry`; `what` is named in it. */
export function readOnlyBlock(file: Uint8Array, what: string): Uint8Array {
  let block;
  try {
    block = readPemBlocks(file, MAX_SIGNER_SIZE).next().value;
  } catch (error) {
    throw isBootsealError(error) ? bad(`${what}: ${error.message}`) : error;
  }
  if (block === undefined) throw bad(`${what} is not in PEM format`);
  if (block.end < file.length) throw bad(`${what} has trailing data`);
  return block.bytes;
}

function bad(message: string): BootsealError {
  return new BootsealError('trust/bad-rekor-entry', message);
}
