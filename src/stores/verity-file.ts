/** fs-verity digests of files, read in large pieces; big ones are hashed in several threads. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { BootsealError } from '../errors.ts';
import { createVerityHasher } from '../formats/fsverity/digest.ts';
import { checkVerityOptions, VERITY_BLOCK, type VerityAlgorithm } from '../formats/fsverity/format.ts';
import { createMerkleTree, type MerkleOptions } from '../formats/fsverity/merkle.ts';
import { cannotRead } from './file-errors.ts';
import { openHashPool } from './hash-pool/pool.ts';

export interface VerityFileOptions extends MerkleOptions {
  /** Threads that hash; by default as many as the file is worth and the machine has, at most four. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

const PIECE = 2 ** 20;

/**
 * The digest of what is in the file now. Memory does not grow with the file. Throws `file/cannot-read`,
 * `fsverity/bad-block-size`, `fsverity/bad-salt`, `fsverity/changed`.
 */
export async function verityOfFile(
  path: string,
  algorithm: VerityAlgorithm,
  options: VerityFileOptions = {},
): Promise<Uint8Array> {
  checkVerityOptions(options);
  let file: number;
  try {
    // A pipe without a writer would wait for one.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw cannotRead(path, cause);
  }
  try {
    const status = fstatSync(file);
    // Of pipes and devices the size is 0, and the digest would be that of no bytes.
    if (!status.isFile()) throw cannotRead(path, new Error('not a regular file'));
    const { size } = status;
    const read = (buffer: Uint8Array, position: number): number => {
      try {
        return readSync(file, buffer, 0, Math.min(buffer.length, size - position), position);
      } catch (cause) {
        throw cannotRead(path, cause);
      }
    };
    const { blockSize = VERITY_BLOCK, salt } = options;
    const plain = blockSize === VERITY_BLOCK && (salt === undefined || salt.length === 0);
    const hashed = plain
      ? hashInPool(read, path, size, algorithm, options)
      : hashHere(read, path, size, algorithm, options);
    return await hashed;
  } finally {
    closeSync(file);
  }
}

type Read = (buffer: Uint8Array, position: number) => number;

/** Fills the buffer or takes what is left of the file. */
function readWhole(read: Read, path: string, buffer: Uint8Array, position: number, size: number): number {
  const wanted = Math.min(buffer.length, size - position);
  let got = 0;
  while (got < wanted) {
    const count = read(buffer.subarray(got, wanted), position + got);
    if (count === 0) throw new BootsealError('fsverity/changed', `${path} became shorter while it was read`);
    got += count;
  }
  return got;
}

async function hashInPool(
  read: Read,
  path: string,
  size: number,
  algorithm: VerityAlgorithm,
  options: VerityFileOptions,
): Promise<Uint8Array> {
  const pool = openHashPool([algorithm], {
    expectedBytes: size,
    whole: true,
    ...(options.threads !== undefined && { threads: options.threads }),
  });
  try {
    const tree = createMerkleTree(algorithm, options);
    for (let position = 0; position < size;) {
      options.signal?.throwIfAborted();
      await pool.ready();
      const buffer = pool.take();
      const got = readWhole(read, path, buffer, position, size);
      const blocks = Math.ceil(got / VERITY_BLOCK);
      buffer.fill(0, got, blocks * VERITY_BLOCK);
      pool.submit(buffer, blocks, (hashes) => tree.add(hashes[algorithm]!, 0, blocks));
      position += got;
    }
    await pool.settled();
    return tree.finish(size);
  } finally {
    await pool.close();
  }
}

async function hashHere(
  read: Read,
  path: string,
  size: number,
  algorithm: VerityAlgorithm,
  options: VerityFileOptions,
): Promise<Uint8Array> {
  const hasher = createVerityHasher(algorithm, options);
  const buffer = Buffer.allocUnsafe(PIECE);
  for (let position = 0; position < size;) {
    options.signal?.throwIfAborted();
    const got = readWhole(read, path, buffer, position, size);
    hasher.update(buffer.subarray(0, got));
    position += got;
  }
  return hasher.digest();
}
