/** Writing simple signatures into a look-aside store. Only a local one can be written: a web server is given a copy. */
import { constants } from 'node:fs';
import { access, mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BootsealError, isBootsealError } from '../../errors.ts';
import { equalBytes } from '../../bytes/bytes.ts';
import type { Digest } from '../../formats/oci/digest.ts';
import { syncFolder, writeFileAtomic } from '../atomic-write.ts';
import { cannotWrite, systemCode } from '../file-errors.ts';
import { withLock } from '../file-lock.ts';
import { lookasideLocation, type LookasideLocation } from './location.ts';
import { readLookaside } from './read.ts';

/** One less than readers refuse. */
const MAX_SIGNATURES = 127;

export interface WrittenSignatures {
  /** The folder, for people. */
  readonly place: string;
  /** Signatures that were not there before. */
  readonly added: number;
}

/**
 * Adds signatures to those of the manifest, each once. Writers of one manifest take turns, and a reader sees a
 * signature whole or not at all. Throws `lookaside/not-writable`, `lookaside/too-many`, `file/cannot-write`.
 */
export async function appendToLookaside(
  base: string,
  path: string,
  digest: Digest,
  signatures: readonly Uint8Array[],
): Promise<WrittenSignatures> {
  const location = writableLocation(base, path, digest);
  return inTurn(location, async () => {
    const present = (await readLookaside(base, path, digest, undefined)).files.map(({ bytes }) => bytes);
    const before = present.length;
    for (const signature of signatures) {
      if (!present.some((other) => equalBytes(other, signature))) present.push(signature);
    }
    checkCount(location, present.length);
    await writeFrom(location, before, present);
    return { place: location.shown, added: present.length - before };
  });
}

/**
 * Makes these the signatures of the manifest, and no others. The new ones are in place before an old one goes, so
 * that there is no moment without a signature. Throws as {@link appendToLookaside} does.
 */
export async function replaceInLookaside(
  base: string,
  path: string,
  digest: Digest,
  signatures: readonly Uint8Array[],
): Promise<WrittenSignatures> {
  const location = writableLocation(base, path, digest);
  checkCount(location, signatures.length);
  return inTurn(location, async () => {
    const present = (await readLookaside(base, path, digest, undefined)).files.length;
    await writeFrom(location, 0, signatures);
    // From the end: readers stop at the first gap.
    for (let number = present; number > signatures.length; number -= 1) await rm(fileOf(location, number));
    if (present > signatures.length) await syncFolder(location.folder);
    return { place: location.shown, added: signatures.length };
  });
}

/** Finds out whether signatures could be written, before anything else is done. Throws as writing would. */
export async function probeLookaside(base: string, path: string, digest: Digest): Promise<void> {
  const { folder } = writableLocation(base, path, digest);
  for (let existing = folder; ; existing = dirname(existing)) {
    try {
      await access(existing, constants.W_OK | constants.X_OK);
      return;
    } catch (error) {
      // Folders that are missing will be made in the first that is there.
      if (systemCode(error) === 'ENOENT' && existing !== '/') continue;
      throw cannotWrite(folder, error);
    }
  }
}

function writableLocation(base: string, path: string, digest: Digest): LookasideLocation {
  const location = lookasideLocation(base, path, digest);
  const { scheme } = location;
  if (scheme === 'file') return location;
  const isWeb = scheme === 'http' || scheme === 'https';
  throw new BootsealError(
    'lookaside/not-writable',
    isWeb
      ? `Writing directly to a ${scheme} lookaside ${location.text(1)} is not supported. Configure a lookaside-staging: location`
      : `Unsupported scheme when writing signature to ${location.text(1)}`,
    {
      exit: 2,
      hint: 'in registries.d, beside lookaside: lookaside-staging: file:///srv/staging, and publish that folder',
    },
  );
}

async function writeFrom(
  location: LookasideLocation,
  start: number,
  signatures: readonly Uint8Array[],
): Promise<void> {
  for (let at = start; at < signatures.length; at += 1) {
    await writeFileAtomic(fileOf(location, at + 1), [signatures[at]]);
  }
}

async function inTurn<T>(location: LookasideLocation, work: () => Promise<T>): Promise<T> {
  try {
    await mkdir(location.folder, { recursive: true });
  } catch (error) {
    if (isBootsealError(error) || systemCode(error) === undefined) throw error;
    throw cannotWrite(location.folder, error);
  }
  return withLock(`${location.folder}/.lock`, work);
}

function fileOf(location: LookasideLocation, number: number): string {
  return `${location.folder}/signature-${number}`;
}

function checkCount(location: LookasideLocation, count: number): void {
  if (count <= MAX_SIGNATURES) return;
  throw new BootsealError(
    'lookaside/too-many',
    `${count} signatures: readers refuse more than ${MAX_SIGNATURES}`,
    {
      where: location.shown,
      hint: 'remove signatures that no policy asks for any more',
    },
  );
}
