/** The check that every blob passes through on its way in or out of a store. */
import { concatBytes } from '../bytes/bytes.ts';
import { BootsealError } from '../errors.ts';
import { digestParts, type Digest } from '../formats/oci/digest.ts';
import { inlineBlobHash, type BlobHasher } from './blob-hasher/inline.ts';
import type { ReadOptions } from './image.ts';

interface Expected {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/**
 * Passes bytes on while hashing them. The iteration throws `store/size-mismatch` as soon as there are too many, or
 * at the end when there are too few, and `store/digest-mismatch` at the end (both exit 1). With a `hasher`, who reads
 * has each part while it is still being hashed, and must be done with it before asking for the next.
 */
export async function* checkedBlob(
  expected: Expected,
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  hasher?: BlobHasher,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { algorithm, hex } = digestParts(expected.digest);
  const hash = hasher?.open(algorithm, expected.size) ?? inlineBlobHash(algorithm);
  try {
    let length = 0;
    for await (const part of bytes) {
      length += part.length;
      if (length > expected.size) throw sizeMismatch(expected, `more than ${expected.size}`);
      const hashed = hash.update(part);
      yield part;
      // Only now may whoever gave the part put others in its place.
      if (hashed !== undefined) await hashed;
    }
    if (length !== expected.size) throw sizeMismatch(expected, String(length));
    const actual = await hash.digest();
    if (actual !== hex) throw digestMismatch(expected.digest, `${algorithm}:${actual}`);
  } finally {
    hash.drop();
  }
}

/** For sources: the bytes, checked here unless who reads them does it. */
export function checkedForReader(
  expected: Expected,
  bytes: AsyncIterable<Uint8Array>,
  options: ReadOptions,
): AsyncIterable<Uint8Array> {
  return options.checkedByDestination === true ? bytes : checkedBlob(expected, bytes);
}

export function sizeMismatch(expected: Expected, actual: string): BootsealError {
  return new BootsealError(
    'store/size-mismatch',
    `blob ${expected.digest} has ${actual} bytes, its descriptor says ${expected.size}`,
    { hint: 'the store holds other bytes than the image was made of; copy or push the image again', exit: 1 },
  );
}

export function digestMismatch(expected: Digest, actual: string): BootsealError {
  return new BootsealError(
    'store/digest-mismatch',
    `Digest did not match, expected ${expected}, got ${actual}`,
    {
      hint: 'the store holds other bytes than the image was made of; copy or push the image again',
      exit: 1,
    },
  );
}

/** All bytes of a small document. More than `limit` of them throw `store/too-large`. */
export async function readAll(
  bytes: AsyncIterable<Uint8Array>,
  limit: number,
  what: string,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of bytes) {
    length += part.length;
    if (length > limit) throw tooLarge(what, limit);
    parts.push(part);
  }
  return concatBytes(parts);
}

export function tooLarge(what: string, limit: number): BootsealError {
  return new BootsealError('store/too-large', `${what} exceeded maximum allowed size of ${limit} bytes`, {
    hint: 'no real image needs that much; the store is damaged or hostile',
  });
}

export function noManifest(): BootsealError {
  return new BootsealError('store/no-manifest', 'commit before the manifest was written', {
    hint: 'this is a mistake in bootseal; please report it',
  });
}
